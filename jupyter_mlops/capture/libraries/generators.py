"""The global random generators: digests of their states, the states themselves, and setting them."""

from __future__ import annotations

import random
import sys
from array import array
from typing import Any

import xxhash


def _numpy_generator() -> Any:
    random_module = sys.modules.get("numpy.random")
    return None if random_module is None else getattr(random_module, "mtrand", None)


def _torch_generator() -> Any:
    """The CPU generator of torch; None where torch is not loaded, or still loading."""
    torch = sys.modules.get("torch")
    return None if torch is None else getattr(torch, "default_generator", None)


def random_digests() -> dict[str, str]:
    """Global generator → digest of its state; numpy's and torch's only when they are loaded."""
    digests = {"random": _random_digest()}
    mtrand = _numpy_generator()
    if mtrand is not None:
        algorithm, keys, position, has_gauss, gauss = mtrand.get_state()
        _stood[:] = position, has_gauss
        digests["numpy"] = _digest(keys.tobytes() + repr((algorithm, position, has_gauss, gauss)).encode())
    generator = _torch_generator()
    if generator is not None:
        digests["torch"] = _digest(generator.get_state().numpy().tobytes())
    return digests


_seen: list[Any] = [None, ""]
"""The state of `random` when it was last asked for, and its digest: it mostly stays the same."""


def _random_digest() -> str:
    version, numbers, cached = random.getstate()
    state = (numbers, repr((version, cached)))
    if state != _seen[0]:
        _seen[:] = [state, _digest(array("Q", numbers).tobytes() + state[1].encode())]
    return str(_seen[1])


def _digest(data: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(data)


_stood: list[int] = []
"""Where numpy's global generator stood when its digest was last asked for."""


def numpy_stood_fresh() -> bool:
    """Whether numpy's global generator was as right after the import when its digest was last asked for."""
    return _stood == [623, 0]


def numpy_drawn_since_import() -> bool:
    """Whether numpy's global generator, just imported, was drawn from or seeded: a fresh one stands at its end."""
    mtrand = _numpy_generator()
    return mtrand is not None and mtrand.get_state()[2:4] != (623, 0)


def random_states(names: list[str]) -> dict[str, Any]:
    """The states themselves, as plain values, to be restored with a result."""
    states: dict[str, Any] = {}
    if "random" in names:
        states["random"] = random.getstate()
    if "numpy" in names:
        states["numpy"] = _numpy_generator().get_state()
    if "torch" in names:
        states["torch"] = _torch_generator().get_state().numpy().tobytes()
    return states


def restore_random(states: dict[str, Any]) -> None:
    """Set the global generators as they stood after the step."""
    if "random" in states:
        random.setstate(states["random"])
    if "numpy" in states:
        import numpy

        numpy.random.set_state(states["numpy"])
    if "torch" in states:
        torch: Any = __import__("torch")
        torch.default_generator.set_state(torch.frombuffer(bytearray(states["torch"]), dtype=torch.uint8))

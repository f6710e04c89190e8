"""Values to pieces, while the cell still holds the kernel: big memory is only pointed at, not copied."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_mlops.capture.values.components import PackedComponent, pack_one, told
from jupyter_mlops.capture.values.parts import Part
from jupyter_mlops.secrets.known import HOLDS


class Packed:
    """Values ready to be written. `failed` tells of each name that could not be packed which part of it and why."""

    def __init__(self, components: list[PackedComponent], failed: dict[str, str]) -> None:
        self.components = components
        self.failed = failed
        self.nbytes = sum(component.nbytes for component in components)
        self._lock = threading.Lock()

    def secure(self) -> None:
        """Copy what still points into live memory. To be called before the next cell runs; writing may go on meanwhile."""
        for component in self.components:
            for part in component.parts():
                with self._lock:
                    part.secure()

    def own(self, part: Part) -> memoryview | bytes:
        """The bytes of a part, now its own."""
        with self._lock:
            return part.own()

    def release(self, part: Part) -> None:
        """A part is written: its memory is let go."""
        with self._lock:
            part.release()


def pack(components: Sequence[Mapping[str, Any]], namespace: dict[str, Any]) -> Packed:
    """Take values apart, each component (names -> values that share state) by itself.

    What a component holds must not change until it is written or `Packed.secure` was called.
    """
    packed: list[PackedComponent] = []
    failed: dict[str, str] = {}
    for component in components:
        try:
            made = pack_one(component, namespace)
            if made.holds_secret():
                failed.update(dict.fromkeys(component, HOLDS))
            else:
                packed.append(made)
        except MemoryError:
            failed.update(dict.fromkeys(component, "there is not enough memory to store it"))
        except Exception as error:  # noqa: BLE001 - pickling runs the code of foreign types, which may raise anything
            failed.update(_trouble(component, namespace, told(error)))
    return Packed(packed, failed)


def _trouble(component: Mapping[str, Any], namespace: dict[str, Any], reason: str) -> dict[str, str]:
    from jupyter_mlops.capture.values.trouble import find

    return dict.fromkeys(component, find(component, namespace, reason))

"""A store of its own for each trip of values: packed, secured, written, opened anew and loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.capture.digest.content import Walker
from jupyter_mlops.capture.values import Values, pack, write
from jupyter_mlops.store.objects.local import Objects


def store(folder: Path) -> Objects:
    (folder / "objects").mkdir()
    return Objects(folder / "objects")


def trip(
    component: Mapping[str, Any], namespace: dict[str, Any] | None = None, live: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The names of one component after a round trip. `namespace` is that of the values, `live` the loader's."""
    namespace = {} if namespace is None else namespace
    with tempfile.TemporaryDirectory() as folder:
        objects = store(Path(folder))
        packed = pack([component], namespace)
        assert packed.failed == {}
        packed.secure()
        return Values.open(objects, write(objects, packed), namespace if live is None else live).load(component)


def failure(value: Any, namespace: dict[str, Any] | None = None) -> str:
    """Why a value called `value` cannot be packed."""
    packed = pack([{"value": value}], {} if namespace is None else namespace)
    assert packed.components == []
    return packed.failed["value"]


def digest(value: Any, namespace: dict[str, Any] | None = None) -> str:
    return Walker({} if namespace is None else namespace).fingerprint("value", value).digest


def notebook(code: str) -> dict[str, Any]:
    """The namespace after a cell ran."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(code, namespace)
    return namespace

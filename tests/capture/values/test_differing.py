"""Where values do not come back from the store as they were, the part that is another one is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jupyter_mlops.capture.values import Values, pack, write
from jupyter_mlops.capture.values.differing import part

from .values_store import store


class Plain:
    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


class Counting:
    """Its number of loads is part of it."""

    def __init__(self, loads: int = 0) -> None:
        self.loads = loads

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.loads = state["loads"] + 1


class Copying:
    """Takes a copy of its rows when it is loaded."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])


class Dropping:
    """Forgets what it remembers when it is loaded."""

    def __init__(self) -> None:
        self.name, self.memory = "a", [1]

    def __getstate__(self) -> dict[str, Any]:
        return {name: item for name, item in vars(self).items() if item}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.name, self.memory = state["name"], []


_ROWS = [1, 2]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"a": Plain(x=[1, np.arange(3)]), "b": {1, 2}}, ("", "")),
        ({"model": Counting()}, ("model.loads", "")),
        ({"model": Plain(steps=[1, {"fit": Counting()}])}, ("model.steps[1]['fit'].loads", "")),
        ({"model": Plain(big=np.arange(20_000), one=Dropping())}, ("model.one.memory", "")),
        ({"rows": _ROWS, "frame": Copying(_ROWS)}, ("rows", "frame.rows")),
        ({"pair": (Plain(a=1), Counting(3))}, ("pair[1].loads", "")),
    ],
)
def test_the_first_part_is_named_that_is_another_after_loading(
    tmp_path: Path, values: Mapping[str, Any], told: tuple[str, str]
) -> None:
    objects = store(tmp_path)
    stored = Values.open(objects, write(objects, pack([values], {})), {})
    names, pickled = stored.pickled(next(iter(values)))
    assert names == list(values)
    assert part(pickled, stored.load(values), {}) == told

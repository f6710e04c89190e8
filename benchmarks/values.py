"""What storing and restoring large values costs, beside a copy of their memory made in the same breath."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.measuring import median, milliseconds, ratio, temporary_folder
from jupyter_mlops.capture.values import Values, pack, references, write
from jupyter_mlops.store.objects.local import Objects
from jupyter_mlops.verbs.framework.tables import table

ROWS = 10_000_000
TURNS = 3
VERSIONS = 20


def tables() -> Iterator[Table]:
    """Large values; a frame that grows."""
    yield large_values()
    yield growing_frame()


def _kinds() -> dict[str, Callable[[], Any]]:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(0)
    return {
        "array, 1 GB": lambda: random.random(1 << 27),
        "frame of 13 columns, 1 GB": lambda: pd.DataFrame({f"c{n}": random.random(ROWS) for n in range(13)}),
        "texts, 10 million": lambda: pd.Series([f"text number {n}" for n in range(ROWS)], dtype="str"),
        "list of a million int": lambda: list(range(1_000_000)),
        "dict of a million str": lambda: {str(n): str(-n) for n in range(1_000_000)},
        "100,000 small arrays": lambda: [np.arange(8) + n for n in range(100_000)],
    }


def large_values() -> Table:
    """Packing and securing hold the cell; writing goes on behind it; loading is from a warm page cache."""
    made = table("value", "MB>", "copy>", "pack>", "secure>", "write>", "load>", "load / copy>")
    made.title = f"Large values, medians of {TURNS} turns; copy: the same number of bytes to new memory"
    for kind, make in _kinds().items():
        value = make()
        with temporary_folder() as folder:
            turns = [_turn(value, Objects(folder / "objects" / str(number))) for number in range(TURNS)]
        times = {name: median([turn[name] for turn in turns]) for name in turns[0]}
        steps = (milliseconds(times[name]) for name in ("copy", "pack", "secure", "write", "load"))
        made.add_row(kind, f"{times['nbytes'] / 1e6:,.0f}", *steps, ratio(times["load"], times["copy"]))
        del value
    return made


def _turn(value: Any, objects: Objects) -> dict[str, float]:
    import numpy as np

    times: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        gc.collect()
        began = time.perf_counter()
        result = work()
        times[name] = time.perf_counter() - began
        return result

    packed = timed("pack", lambda: pack([{"value": value}], {}))
    timed("secure", packed.secure)
    times["nbytes"] = packed.nbytes
    name = timed("write", lambda: write(objects, packed))
    again = timed("load", lambda: Values.open(objects, name, {}).load(["value"]))
    del again
    source = np.ones(int(times["nbytes"]), dtype="u1")
    timed("copy", source.copy)
    for stored in [*references(objects, name), name]:
        objects.remove(stored)
    return times


def growing_frame() -> Table:
    """Bytes on disk of all versions of a frame, over the bytes of all its different columns."""
    made = table("how it grows", "stored MB>", "unique MB>", "ratio>")
    made.title = f"A frame that gains a column in each of {VERSIONS} versions"
    ways: dict[str, Callable[[Any, Any, str], Any]] = {
        "df[name] = column": lambda frame, column, name: frame.__setitem__(name, column) or frame,
        "df = df.assign(...)": lambda frame, column, name: frame.assign(**{name: column}),
        "df = df.assign(...).copy()": lambda frame, column, name: frame.assign(**{name: column}).copy(),
    }
    for way, grown in ways.items():
        with temporary_folder() as folder:
            stored, unique = _grow(folder, grown)
        made.add_row(way, f"{stored / 1e6:,.1f}", f"{unique / 1e6:,.1f}", ratio(stored, unique))
    return made


def _grow(folder: Path, grown: Callable[[Any, Any, str], Any]) -> tuple[float, float]:
    import numpy as np
    import pandas as pd

    objects, random = Objects(folder / "objects"), np.random.default_rng(0)
    frame = pd.DataFrame({"key": np.arange(100_000)})
    for number in range(VERSIONS):
        frame = grown(frame, random.random(100_000), f"c{number}")
        write(objects, pack([{"frame": frame}], {}))
    return sum(map(objects.size, objects.names())), float(frame.memory_usage().sum())

"""Ours and the peers (marimo, joblib.Memory, jupyter-cache, Kishu) on the same traps and the same workloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import temporary_folder
from benchmarks.peers import contenders, workloads
from benchmarks.peers.place import PeerError, versions
from benchmarks.peers.traps import TRAPS, Trap
from jupyter_mlops.verbs.tables import table

STALE, RIGHT, REFUSED, NONE = "STALE", "right", "refused", "-"
_RUNS: Mapping[str, Callable[..., str]] = {
    "ours": contenders.ours,
    "marimo block": contenders.marimo_block,
    "marimo cells": contenders.marimo_cells,
    "joblib": contenders.joblib,
    "jupyter-cache": contenders.jupyter_cache,
}
NAMES = (*_RUNS, "Kishu")


def tables() -> Iterator[Table]:
    """The traps, then the workloads."""
    known = versions()
    yield traps(", ".join(f"{name} {version}" for name, version in known.items()))
    yield from workloads.tables()


def traps(versions_text: str) -> Table:
    """What each contender answers in the second run, against a plain run."""
    made = table("second run after", *NAMES)
    made.title = f"Traps ({versions_text})"
    verdicts: dict[str, list[str]] = {name: [] for name in NAMES}
    notes: dict[str, str] = {}
    for trap in TRAPS:
        expected = [_plain(trap, later) for later in (False, True)]
        for name in NAMES:
            verdict, note = _judged(name, trap, expected[1])
            verdicts[name].append(verdict)
            if note:
                notes[f"{name}, {trap.name}"] = note
        made.add_row(trap.name, *(verdicts[name][-1] for name in NAMES))
    for verdict in (STALE, RIGHT, REFUSED, NONE):
        label = {NONE: "- (has no such thing)"}.get(verdict, verdict)
        made.add_row(label, *(str(verdicts[name].count(verdict)) for name in NAMES))
    made.caption = "\n".join(f"{where}: {note}" for where, note in notes.items())
    made.caption_justify = "left"
    return made


def _plain(trap: Trap, later: bool) -> str:
    with temporary_folder() as folder:
        _prepare(trap, folder, later=False)
        cells = trap.cells_later if later else trap.cells
        if later:
            _prepare(trap, folder, later=True)
        return contenders.plain(trap, cells, folder, {"RATE": trap.rate_later if later else trap.rate})


def _judged(name: str, trap: Trap, expected: str) -> tuple[str, str]:
    """The verdict, and what there is to say about it."""
    with temporary_folder() as folder:
        _prepare(trap, folder, later=False)
        try:
            first = "" if name == "Kishu" else _RUNS[name](trap, trap.cells, folder, {"RATE": trap.rate})
        except PeerError as error:
            return REFUSED, str(error)
        _prepare(trap, folder, later=True)
        try:
            if name == "Kishu":
                answer = contenders.kishu(trap, folder, {"RATE": trap.rate_later, "KISHU_PATH_ROOT": str(folder)})
            else:
                answer = _RUNS[name](trap, trap.cells_later, folder, {"RATE": trap.rate_later})
        except NotImplementedError:
            return NONE, ""
        except PeerError as error:
            return (REFUSED, str(error)) if name == "Kishu" else (STALE, f"fails: {error}")
    right = answer != first if trap.moves else answer.strip() == expected.strip()
    return (RIGHT, "") if right else (STALE, f"{answer.strip() or 'nothing'} for {expected.strip()}")


def _prepare(trap: Trap, folder: Path, *, later: bool) -> None:
    for name, text in (trap.files_later if later else trap.files).items():
        path = folder / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, encoding="utf-8")

"""Ours and the peers (marimo, joblib.Memory, jupyter-cache, Kishu) on the same traps and the same workloads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import BenchmarkError, progress, temporary_folder
from benchmarks.peers import contenders, workloads
from benchmarks.peers.place import PeerError, installed, versions
from benchmarks.peers.traps import TRAPS, Trap
from jupyter_mlops.verbs.framework.tables import table

STALE, RIGHT, REFUSES, FAILS, NONE = "STALE", "right", "refuses", "fails", "-"
SHOWN = 5
"""Characters of an answer that are shown."""
_RUNS: Mapping[str, Callable[..., str]] = {
    "ours": contenders.ours,
    "marimo block": contenders.marimo_block,
    "marimo cells": contenders.marimo_cells,
    "joblib": contenders.joblib,
    "jupyter-cache": contenders.jupyter_cache,
}
NAMES = (*_RUNS, "Kishu")
LEGEND = """\
STALE: in the second run another answer than a plain run has, or an error that it has not
marimo block: the work in `with mo.persistent_cache(...)`; marimo cells: its runtime's `cache_cells`
joblib: the work is a function under `Memory.cache`; Kishu: the state before the first edited cell is checked out
jupyter-cache: has the whole notebook's outputs or executes all of it, so that an edited cell is no trap for it"""


@dataclass(frozen=True)
class Verdict:
    """What a contender made of a trap: `answer` where it is a wrong one, `note` where it refuses or fails."""

    verdict: str
    answer: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.verdict} {self.answer}".strip()


def tables() -> Iterator[Table]:
    """The traps, then the workloads. Raises `BenchmarkError` where a peer is not there or a table has a gap."""
    try:
        with progress("installing the peers into benchmarks/.peers, which takes a minute or more"):
            installed()
    except PeerError as error:
        raise BenchmarkError(
            f"the peers cannot be installed: {error}",
            "they come from the package index that pip uses: is it within reach? The other benchmarks need no peers",
        ) from error
    known = ", ".join(f"{name} {version}" for name, version in versions().items())
    verdicts = {trap.name: answers for trap, answers in zip(TRAPS, _all_judged(), strict=True)}
    yield traps(known, verdicts)
    made, gaps = workloads.table_of_all(known)
    yield made
    wrong = [f"ours is {answers['ours']} on '{name}'" for name, answers in verdicts.items() if not _ours_holds(answers)]
    if wrong or gaps:
        raise BenchmarkError("; ".join((*wrong, *gaps)), "see the notes below the tables")


def _ours_holds(answers: Mapping[str, Verdict]) -> bool:
    return answers["ours"].verdict == RIGHT


def traps(versions_text: str, verdicts: Mapping[str, Mapping[str, Verdict]]) -> Table:
    """What each contender answers in the second run, against a plain run; then how many are stale."""
    made = table("second run after", "plain", *NAMES)
    made.title = f"Stale results of {len(TRAPS)} traps\n{versions_text}"
    for name, answers in verdicts.items():
        made.add_row(name, answers["plain"].answer, *(str(answers[contender]) for contender in NAMES))
    made.add_row()
    for verdict, label in (
        (STALE, "stale"),
        (RIGHT, "right"),
        (REFUSES, "refuses"),
        (FAILS, "fails"),
        (NONE, "not applicable"),
    ):
        counts = [sum(answers[name].verdict == verdict for answers in verdicts.values()) for name in NAMES]
        made.add_row(label, "", *map(str, counts))
    where: dict[str, list[str]] = {}
    for trap, answers in verdicts.items():
        for name, answer in answers.items():
            if answer.note:
                where.setdefault(f"{name} {answer.verdict}: {answer.note}", []).append(trap)
    made.caption = "\n".join((LEGEND, *(f"{note} ({', '.join(places)})" for note, places in where.items())))
    return made


def _all_judged() -> list[Mapping[str, Verdict]]:
    """For each trap the answer of a plain run and the verdicts; traps side by side, as many as there are cores."""
    with progress(f"traps, {len(TRAPS)} notebooks with {len(NAMES)} contenders") as told:
        done = 0

        def judged(trap: Trap) -> Mapping[str, Verdict]:
            nonlocal done
            before, expected = (_plain(trap, later=later) for later in (False, True))
            if before == expected:
                raise BenchmarkError(
                    f"'{trap.name}' is no trap: a plain run gives the same before and after", "mend it"
                )
            verdicts = {name: _judged(name, trap, expected) for name in NAMES}
            done += 1
            told(f"traps, {done} of {len(TRAPS)}")
            return {"plain": Verdict("", "new" if trap.moves else expected.strip()[:SHOWN]), **verdicts}

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return list(pool.map(judged, TRAPS))


def _plain(trap: Trap, *, later: bool) -> str:
    with temporary_folder() as folder:
        _prepare(trap, folder, later=False)
        if not later:
            return contenders.plain(trap, trap.cells, folder, {"RATE": trap.rate})
        _prepare(trap, folder, later=True)
        return contenders.plain(trap, trap.cells_later, folder, {"RATE": trap.rate_later})


def _judged(name: str, trap: Trap, expected: str) -> Verdict:
    with temporary_folder() as folder:
        _prepare(trap, folder, later=False)
        try:
            first = "" if name == "Kishu" else _RUNS[name](trap, trap.cells, folder, {"RATE": trap.rate})
        except PeerError as error:
            return Verdict(REFUSES, note=str(error))
        _prepare(trap, folder, later=True)
        try:
            if name == "Kishu":
                answer = contenders.kishu(trap, folder, {"RATE": trap.rate_later, "KISHU_PATH_ROOT": str(folder)})
            else:
                answer = _RUNS[name](trap, trap.cells_later, folder, {"RATE": trap.rate_later})
        except NotImplementedError:
            return Verdict(NONE)
        except PeerError as error:
            return Verdict(FAILS, note=str(error)) if name == "Kishu" else Verdict(STALE, "error")
    if trap.moves:
        return Verdict(RIGHT) if answer != first else Verdict(STALE, "old")
    return Verdict(RIGHT) if answer.strip() == expected.strip() else Verdict(STALE, answer.strip()[:SHOWN])


def _prepare(trap: Trap, folder: Path, *, later: bool) -> None:
    for name, text in (trap.files_later if later else trap.files).items():
        path = folder / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, encoding="utf-8")

"""Which of two cells a step's name belongs to, by what a kernel can know: the file as saved, what ran, what was deleted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.pipeline.cells import split_magic
from jupyter_mlops.capture.session.owners import Owners
from jupyter_mlops.domain.cell import Cell


@dataclass
class Notebook:
    """A notebook in a front end: what it saves and what it sends. Each thing that happens takes a second."""

    tells: bool = True
    recorded: dict[str, str] = field(default_factory=dict)
    now: int = 0
    saved_at: int = 0
    file: tuple[Cell, ...] = ()
    deleted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.owners = Owners(self, self.recorded.get, lambda: self.now)  # type: ignore[arg-type]

    def cells(self) -> tuple[Cell, ...]:
        return self.file

    def save(self, **sources: str) -> None:
        self.now += 1
        self.saved_at = self.now
        self.file = tuple(Cell(index, name, "code", sources[name]) for index, name in enumerate(sources))

    def run(self, cell_id: str | None, source: str) -> bool:
        """Whether the cell runs."""
        self.now += 1
        self.owners.heard({"deletedCells": list(self.deleted)} if self.tells else {})
        self.deleted.clear()
        spec, code = split_magic(source)
        refused = self.owners.claim(cell_id, spec.name if spec else None, cell_facts(code).digest)
        if refused is not None:
            assert "Two steps are named" in refused.message
            assert "rename one of them" in refused.hint
        return refused is None


TRAIN = "%%step train\nx = 1"
OTHER = "%%step train\nx = 2"
FIT = "%%step fit\nx = 1"
PLAIN = "x = 1"
Do = Callable[[Notebook], Any]


def save(**sources: str) -> Do:
    return lambda notebook: notebook.save(**sources)


def deleted(*ids: str) -> Do:
    return lambda notebook: notebook.deleted.extend(ids)


def runs(cell_id: str | None, source: str) -> Do:
    def check(notebook: Notebook) -> None:
        assert notebook.run(cell_id, source), f"{cell_id} was refused"

    return check


def refused(cell_id: str, source: str) -> Do:
    def check(notebook: Notebook) -> None:
        assert not notebook.run(cell_id, source), f"{cell_id} ran"

    return check


CASES: dict[str, Sequence[Do]] = {
    "an edited cell": [runs("a", TRAIN), runs("a", OTHER), save(a=OTHER), runs("a", TRAIN)],
    "a second cell": [save(a=TRAIN, b=OTHER), runs("a", TRAIN), refused("b", OTHER), runs("a", TRAIN)],
    "the second run first": [save(a=TRAIN, b=OTHER), refused("b", OTHER), runs("a", TRAIN)],
    "a copy not saved": [save(a=TRAIN), runs("a", TRAIN), refused("b", TRAIN), refused("b", OTHER), runs("a", OTHER)],
    "nothing saved at all": [runs("a", TRAIN), refused("b", OTHER)],
    "a copy run before what it was copied of": [save(a=TRAIN), refused("b", OTHER), runs("a", TRAIN)],
    "the first renamed and run": [runs("a", TRAIN), runs("a", FIT), runs("b", OTHER), refused("a", TRAIN)],
    "the first renamed and saved": [runs("a", TRAIN), save(a=FIT, b=OTHER), runs("b", OTHER)],
    "the first is no step any more": [runs("a", TRAIN), runs("a", PLAIN), runs("b", OTHER)],
    "the first no step, saved": [save(a=TRAIN), runs("a", TRAIN), save(a=PLAIN, b=TRAIN), runs("b", TRAIN)],
    "the second renamed": [runs("a", TRAIN), refused("b", OTHER), runs("b", FIT), runs("a", TRAIN)],
    "names exchanged": [
        runs("a", TRAIN),
        runs("b", FIT),
        refused("a", FIT),
        save(a=FIT, b=TRAIN),
        runs("a", FIT),
        runs("b", TRAIN),
    ],
    "the first deleted": [save(a=TRAIN), runs("a", TRAIN), deleted("a"), runs("b", OTHER)],
    "the first deleted, saved": [runs("a", TRAIN), save(b=OTHER), runs("b", OTHER)],
    "deleted and undone": [runs("a", TRAIN), deleted("a"), runs("b", OTHER), refused("a", TRAIN), runs("b", TRAIN)],
    "deleted, undone and saved": [
        save(a=TRAIN),
        runs("a", TRAIN),
        deleted("a"),
        runs("c", PLAIN),
        save(a=TRAIN, c=PLAIN),
        refused("b", OTHER),
    ],
    "cut and pasted with its id": [runs("a", TRAIN), deleted("a"), runs("a", OTHER), runs("a", TRAIN)],
    "requests in a row tell of one deletion": [
        deleted("a"),
        runs("c", PLAIN),
        deleted("a"),
        runs("a", TRAIN),
        deleted("a"),
        refused("b", OTHER),
    ],
    "a step line that cannot be read": [save(a="%%step train --no", b=OTHER), runs("b", OTHER)],
    "a console": [runs(None, TRAIN), runs(None, OTHER), runs("a", TRAIN), runs(None, OTHER)],
    "two names": [runs("a", TRAIN), runs("b", FIT), runs("a", OTHER), runs("b", FIT)],
}


@pytest.mark.parametrize("case", CASES)
def test_a_name_is_one_cells_until_that_is_renamed_or_gone(case: str) -> None:
    notebook = Notebook()
    for do in CASES[case]:
        do(notebook)


def test_of_two_in_the_file_that_one_has_the_name_which_the_record_knows() -> None:
    notebook = Notebook(recorded={"train": "b"})
    notebook.save(a=TRAIN, b=OTHER)
    assert not notebook.run("a", TRAIN)
    assert notebook.run("b", OTHER)


UNTOLD: dict[str, Sequence[Do]] = {
    "two in the file": [save(a=TRAIN, b=TRAIN), runs("a", TRAIN), refused("b", TRAIN)],
    "cut and pasted with a new id": [save(a=TRAIN), runs("a", TRAIN), runs("b", TRAIN), runs("b", OTHER)],
    "a copy that was edited": [save(a=TRAIN), runs("a", TRAIN), refused("b", OTHER)],
    "pasted, edited and saved": [save(a=TRAIN), runs("a", TRAIN), save(b=OTHER), runs("b", OTHER)],
}


@pytest.mark.parametrize("case", UNTOLD)
def test_where_no_one_tells_of_deletions_a_cell_of_the_same_code_may_be_the_one_cut_and_pasted(case: str) -> None:
    notebook = Notebook(tells=False)
    for do in UNTOLD[case]:
        do(notebook)


ELSEWHERE: dict[str, Sequence[Do]] = {
    "one cell, edited": [save(a=TRAIN), runs("cell:#1", TRAIN), runs("cell:#1", OTHER), save(a=OTHER)],
    "a second, edited": [save(a=TRAIN), runs("cell:#1", TRAIN), refused("cell:#2", OTHER), runs("cell:#1", TRAIN)],
    "a second, saved": [
        save(a=TRAIN),
        runs("cell:#1", TRAIN),
        save(a=TRAIN, b=OTHER),
        refused("cell:#2", OTHER),
    ],
    "two in the file": [save(a=TRAIN, b=OTHER), refused("cell:#2", OTHER), runs("cell:#1", TRAIN)],
    "the window opened anew": [save(a=TRAIN), runs("cell:#1", TRAIN), runs("cell:#9", TRAIN), runs("cell:#9", OTHER)],
    "opened anew, edited and saved": [
        save(a=TRAIN),
        runs("cell:#1", TRAIN),
        refused("cell:#9", OTHER),
        save(a=OTHER),
        runs("cell:#9", OTHER),
    ],
    "the first renamed and run": [runs("cell:#1", TRAIN), runs("cell:#1", FIT), runs("cell:#2", OTHER)],
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_where_cells_run_by_other_ids_than_the_file_has_their_code_tells(case: str) -> None:
    assert not re.fullmatch(r"[a-zA-Z0-9_-]+", "cell:#1")
    notebook = Notebook(tells=False)
    for do in ELSEWHERE[case]:
        do(notebook)

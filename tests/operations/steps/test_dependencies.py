"""What a step depends on: the code's word and the record's, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from verbs.projects import add_run, add_step

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.step import Conditions, StepInput
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.operations.steps.dependencies import SEEN, UNSEEN, Use, dependencies, facts_of, read_pipeline
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store

CELLS = {"load": "df = [1]", "clean": "tidy = sorted(df)", "train": "import math\nmodel = math.fsum(tidy)"}


def cells_of(sources: dict[str, str]) -> list[Cell]:
    return [Cell(i, name, "code", f"%%step {name}\n{text}") for i, (name, text) in enumerate(sources.items())]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as store:
        yield store


def record(store: Store, name: str, **values: Any) -> None:
    add_step(store, add_run(store), name, CELLS[name], **values)


def test_before_anything_ran_the_code_answers() -> None:
    found = dependencies(None, "nb.ipynb", cells_of(CELLS), "clean")
    assert [(use.name, use.source) for use in found.reads if use.source] == [("df", "load")]
    assert found.readers == (Use("tidy", "clean", "train"),)
    assert found.run is None


def test_the_record_adds_the_values_read(store: Store) -> None:
    record(store, "clean", inputs={"df": StepInput("xxh3:abc", "load")})
    found = dependencies(store, "nb.ipynb", cells_of(CELLS), "clean")
    assert Use("df", "load", "clean", "xxh3:abc") in found.reads
    assert found.run is not None
    assert not found.edited


def test_what_was_seen_and_is_not_in_the_code_is_told(store: Store) -> None:
    record(store, "train", inputs={"tidy": StepInput("1", "clean"), "hidden": StepInput("2", "load")})
    found = dependencies(store, "nb.ipynb", cells_of(CELLS), "train")
    assert Use("hidden", "load", "train", "2", SEEN) in found.reads
    assert Use("hidden", "load", "train", "2", SEEN) in dependencies(store, "nb.ipynb", cells_of(CELLS), "load").readers


def test_what_is_in_the_code_and_was_not_seen_is_told(store: Store) -> None:
    record(store, "train", inputs={"other": StepInput("2", "load")})
    found = dependencies(store, "nb.ipynb", cells_of(CELLS), "train")
    assert Use("tidy", "clean", "train", "", UNSEEN) in found.reads


def test_where_another_step_made_it_than_the_code_says_both_are_told(store: Store) -> None:
    record(store, "train", inputs={"tidy": StepInput("1", "load")})
    found = [use for use in dependencies(store, "nb.ipynb", cells_of(CELLS), "train").reads if use.name == "tidy"]
    assert found == [Use("tidy", "clean", "train", "", UNSEEN), Use("tidy", "load", "train", "1", SEEN)]


def test_the_record_of_other_code_is_not_set_against_the_code(store: Store) -> None:
    record(store, "train", inputs={"old": StepInput("1", "load")})
    found = dependencies(store, "nb.ipynb", cells_of(CELLS | {"train": "model = tidy"}), "train")
    assert found.edited
    assert found.reads == (Use("tidy", "clean", "train"),)


def test_files_modules_libraries_variables_and_generators_are_listed(store: Store) -> None:
    parts = {"file:a.csv": "1", "module:tools": "2", "library:pandas": "3", "environment:HOME": "4", "code": "5"}
    conditions = Conditions({"/data/b.csv": "6"}, "/", {"numpy": "7"})
    record(store, "train", ingredients=parts, conditions=conditions)
    found = dependencies(store, "nb.ipynb", cells_of(CELLS), "train")
    assert (found.files, found.modules, found.libraries) == (("/data/b.csv", "a.csv"), ("tools",), ("pandas",))
    assert (found.environment, found.random, found.imports) == (("HOME",), ("numpy",), ("math",))


def test_an_imported_module_is_no_use() -> None:
    cells = [Cell(0, "a", "code", "import math as m"), Cell(1, "b", "code", "%%step b\nx = m.pi")]
    assert not any(use.name == "m" for use in read_pipeline(None, "nb.ipynb", cells).uses)


def test_code_that_is_no_python_has_no_uses() -> None:
    cell = Cell(0, "a", "code", "%%step a\nx = = 1")
    pipeline = read_pipeline(None, "nb.ipynb", [cell])
    assert pipeline.uses == ()
    assert isinstance(pipeline.steps[0], StepCell)
    assert facts_of(pipeline.steps[0]) is None


def test_an_unknown_step_is_told() -> None:
    with pytest.raises(UnknownNameError) as caught:
        dependencies(None, "nb.ipynb", cells_of(CELLS), "trian")
    assert caught.value.hint == "Did you mean 'train'?"

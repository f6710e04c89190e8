"""Cells and steps of a notebook: the magic line, the tags, and what is wrong with them."""

from __future__ import annotations

import pytest

from jupyter_mlops.analysis.notebook import (
    cells_of,
    check_step_name,
    checked_steps,
    parse_step_line,
    spec_from_tags,
    split_magic,
    step_of,
    steps_of,
)
from jupyter_mlops.domain.pipeline import Cell
from jupyter_mlops.domain.step import StepSpec
from jupyter_mlops.errors import InputError, NotebookError


def code(source: str, *tags: str, index: int = 0) -> Cell:
    return Cell(index, f"c{index}", "code", source, tags)


@pytest.mark.parametrize(
    ("line", "spec"),
    [
        (" train", StepSpec("train")),
        (" train --no-cache", StepSpec("train", no_cache=True)),
        (" --no-cache train", StepSpec("train", no_cache=True)),
        (" evaluate --metrics auc,accuracy", StepSpec("evaluate", ("auc", "accuracy"))),
        (" evaluate --metrics=auc", StepSpec("evaluate", ("auc",))),
        (" train --model model", StepSpec("train", model="model")),
        (" train --model=m --metrics a", StepSpec("train", ("a",), "m")),
        (" größe", StepSpec("größe")),
        (" clean_data-2", StepSpec("clean_data-2")),
    ],
)
def test_a_step_line_says_what_the_step_asks_for(line: str, spec: StepSpec) -> None:
    assert parse_step_line(line) == spec


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "needs one name"),
        (" a b", "needs one name"),
        (" 2nd", "cannot name a step"),
        (" a.b", "cannot name a step"),
        (" a/b", "cannot name a step"),
        (" -x a", "no option '-x'"),
        (" a --metric auc", "no option '--metric'"),
        (" a --metrics", "needs a value"),
        (" a --metrics --model m", "needs a value"),
        (" a --model 2x", "not a variable's name"),
        (" a --metrics a.b", "not a variable's name"),
        (' a "', "cannot be read"),
    ],
)
def test_a_bad_step_line_is_told_with_the_mend(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_step_line(line)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a", "train", "clean_data", "v2-final", "étape"])
def test_a_word_can_name_a_step(name: str) -> None:
    assert check_step_name(name) == name


@pytest.mark.parametrize("name", ["", "2", "-a", "a b", "a\n", "a.b", "a:b", "../x", "_" * 0 + "$"])
def test_anything_else_cannot(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_step_name(name)
    assert "one word" in caught.value.hint


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        ("%%step a\nx = 1", "# %%step a\nx = 1"),
        ("\n\n%%step a\nx = 1", "# %%step a\nx = 1"),
        ("%%step a\n%%time\nx = 1", "%%time\nx = 1"),
        ("%%step a", "# %%step a"),
        ("%%step a\n\n\nx", "# %%step a\n\n\nx"),
    ],
)
def test_the_magic_line_is_taken_off_and_line_numbers_stay(source: str, rest: str) -> None:
    assert split_magic(source) == (StepSpec("a"), rest)


@pytest.mark.parametrize("source", ["x = 1", "", "# %%step a\nx", "%%steps a\nx", "x = 1\n%%step a", " %%step a"])
def test_a_cell_without_the_line_on_top_is_left_as_it_is(source: str) -> None:
    assert split_magic(source) == (None, source)


def test_tags_ask_for_the_same_as_the_magic() -> None:
    tags = ["step:evaluate", "metrics:auc,accuracy", "metrics:f1", "model:m", "no-cache", "other"]
    assert spec_from_tags(tags) == StepSpec("evaluate", ("auc", "accuracy", "f1"), "m", True)
    assert spec_from_tags(["parameters", "metrics:a"]) is None


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["step:a", "step:b"], "two step tags"),
        (["step:"], "cannot name a step"),
        (["step:a b"], "cannot name a step"),
        (["step:a", "metrics:1x"], "not a variable"),
    ],
)
def test_bad_tags_are_told(tags: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spec_from_tags(tags)


def test_the_magic_counts_before_the_tag() -> None:
    step = step_of(code("%%step magic\nx", "step:tag"))
    assert step is not None
    assert step.spec.name == "magic"


def test_steps_stand_in_notebook_order_and_only_code_cells_count() -> None:
    cells = [
        Cell(0, "m", "markdown", "%%step no\n"),
        code("%%step load\nx = 1", index=1),
        code("y = 2", index=2),
        code("z = 3", "step:train", index=3),
    ]
    steps, problems = steps_of(cells)
    assert [(step.spec.name, step.cell.index) for step in steps] == [("load", 1), ("train", 3)]
    assert problems == ()


def test_two_steps_of_one_name_are_a_problem_at_the_second() -> None:
    cells = [code("%%step a\nx", index=0), code("y", "step:a", index=1), code("%%step b\nz", index=2)]
    steps, problems = steps_of(cells)
    assert [step.spec.name for step in steps] == ["a", "b"]
    assert [(problem.message, problem.cell_id) for problem in problems] == [("Two steps are named 'a'.", "c1")]
    with pytest.raises(NotebookError, match="Two steps are named 'a'") as caught:
        checked_steps(cells)
    assert caught.value.details == {"cell_id": "c1"}
    assert "rename" in caught.value.hint


def test_a_bad_name_is_a_problem_and_the_other_steps_stay() -> None:
    steps, problems = steps_of([code("%%step 1st\nx", index=0), code("%%step b\nz", index=1)])
    assert [step.spec.name for step in steps] == ["b"]
    assert problems[0].cell_id == "c0"
    assert problems[0].hint


def test_cells_are_read_from_a_notebook_of_any_minor_version() -> None:
    notebook = {
        "cells": [
            {"cell_type": "code", "id": "a", "source": ["x = 1\n", "y"], "metadata": {"tags": ["step:s"]}},
            {"cell_type": "markdown", "source": "text", "metadata": {}},
            {"cell_type": "raw", "source": ""},
        ]
    }
    assert cells_of(notebook) == (
        Cell(0, "a", "code", "x = 1\ny", ("step:s",)),
        Cell(1, "cell-1", "markdown", "text"),
        Cell(2, "cell-2", "raw", ""),
    )


@pytest.mark.parametrize(
    "notebook",
    [{}, {"cells": [{}]}, {"cells": ["text"]}, {"cells": [{"cell_type": "code", "source": None}]}, {"cells": 1}],
)
def test_what_is_no_notebook_is_told_with_the_mend(notebook: dict[str, object]) -> None:
    with pytest.raises(NotebookError, match="format 4") as caught:
        cells_of(notebook)
    assert "JupyterLab" in caught.value.hint

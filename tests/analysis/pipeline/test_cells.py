"""Cells and steps of a notebook: the magic line, the tags, and what is wrong with them."""

from __future__ import annotations

import pytest

from jupyter_mlops.analysis.pipeline.cells import (
    all_steps_of,
    cell_key,
    cells_of,
    checked_steps,
    heading_slugs,
    match_step,
    split_magic,
    step_of,
    steps_of,
)
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.errors import NotebookError, UnknownNameError


def code(source: str, *tags: str, index: int = 0) -> Cell:
    return Cell(index, f"c{index}", "code", source, tags)


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


def markdown(source: str, index: int) -> Cell:
    return Cell(index, f"c{index}", "markdown", source)


def names(cells: list[Cell]) -> list[str]:
    return [step.spec.name for step in all_steps_of(cells)[0]]


def test_a_cell_that_no_one_named_is_named_by_the_heading_above_it_and_its_id() -> None:
    cells = [
        Cell(0, "1a2b3c4d", "code", "import os"),
        markdown("# Load the *Größen* (part 1)\n\ntext", 1),
        Cell(2, "fae12f90-4c0a-4b41", "code", "x = 1"),
        markdown("no heading\n```\n# a comment\n```", 3),
        code("%%step train\ny = 2", index=4),
        code("z = 3", index=5),
    ]
    assert names(cells) == ["cell@1a2b3c4d", "load-the-größen-part-1@fae12f90", "train", "load-the-größen-part-1@c5"]
    assert [step.spec.named for step in all_steps_of(cells)[0]] == [False, False, True, False]


@pytest.mark.parametrize("source", ["", "\n  \n", "# only a comment", "# a\n\n  # b\n"])
def test_a_cell_with_nothing_to_run_is_no_step(source: str) -> None:
    assert names([code(source)]) == []


@pytest.mark.parametrize("source", ['"text"', "%matplotlib inline", "!ls", "%%bash\nls", "x = = 1"])
def test_any_other_code_cell_is_one(source: str) -> None:
    assert names([code(source)]) == ["cell@c0"]


def test_moving_cells_keeps_what_stands_behind_the_sign() -> None:
    cells = [Cell(index, f"{index}bcdef0123", "code", f"x{index} = 1") for index in range(4)]
    moved = [Cell(place, cell.id, cell.kind, cell.source) for place, cell in enumerate(reversed(cells))]
    assert names(moved) == list(reversed(names(cells)))


def test_ids_that_begin_alike_stay_apart() -> None:
    cells = [Cell(index, f"my-long-cell-{index}", "code", "x = 1") for index in range(3)]
    assert len(set(names(cells))) == 3
    twins = [Cell(index, f"00000000-{index}", "code", "x = 1") for index in range(3)]
    assert len(set(names(twins))) == 3


def test_without_ids_cells_are_named_by_what_their_code_means() -> None:
    old = cells_of({"cells": [{"cell_type": "code", "source": text} for text in ("x = 1", "y = 2", "x=1  # again")]})
    first, second, third = names(list(old))
    assert third == f"{first}-2"
    changed = cells_of({"cells": [{"cell_type": "code", "source": text} for text in ("y = 2", "x = 1")]})
    assert names(list(changed)) == [second, first]
    assert cell_key(old[0]) == first.partition("@")[2]


def test_a_cell_that_no_one_named_takes_options_from_its_tags() -> None:
    (step,), problems = all_steps_of([code("x = 1", "ttl:1d", "reads:a.csv")])
    assert (step.spec.ttl, step.spec.reads, problems) == (86400, ("a.csv",), ())
    (step,), problems = all_steps_of([code("x = 1", "ttl:soon")])
    assert step.spec.ttl is None
    assert "not a duration" in problems[0].message


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("# Load", "load"),
        ("### 1. Load & clean ###", "1-load-clean"),
        ("## See [the docs](https://x.y/z)", "see-the-docs"),
        ("# <a id='x'></a> Über_uns", "über-uns"),
        ("# " + "long " * 20, "long-long-long-long-long-long"),
        ("# one\n\n## two", "two"),
        ("# ???", ""),
        ("#no", ""),
    ],
)
def test_a_heading_becomes_one_word(heading: str, slug: str) -> None:
    assert heading_slugs([markdown(heading, 0), code("x", index=1)]).get(1, "") == slug


STEPS = ["load", "train", "trial", "load-data@1a2b3c4d", "load-data@5e6f7a8b"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("load", "load"),
        ("tra", "train"),
        ("load-data@1", "load-data@1a2b3c4d"),
        ("1a2b3c4d", "load-data@1a2b3c4d"),
        ("3c4d", "load-data@1a2b3c4d"),
        ("5e", "load-data@5e6f7a8b"),
        ("rial", "trial"),
    ],
)
def test_a_step_is_found_by_any_part_that_is_its_alone(given: str, found: str) -> None:
    assert match_step(given, STEPS) == found


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("tr", "'train' or 'trial'", "more of the name"),
        ("load-data", "'load-data@1a2b3c4d' or 'load-data@5e6f7a8b'", "more of the name"),
        ("trane", "no step named 'trane'", "Did you mean 'train'"),
        ("", "no step named ''", "Known: load"),
    ],
)
def test_a_step_that_is_none_or_several_is_told(given: str, message: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=message) as caught:
        match_step(given, STEPS)
    assert hint in caught.value.hint


def test_metadata_names_a_step_as_tags_do() -> None:
    metadata = {"mlops": {"step": "train", "ttl": "1d"}}
    cells = cells_of({"cells": [{"cell_type": "code", "id": "a", "source": "x = 1", "metadata": metadata}]})
    assert checked_steps(cells)[0].spec == StepSpec("train", ttl=86400)

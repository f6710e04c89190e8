"""`diff STEP V1 V2`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.store import open_store
from verbs.projects import add_run, add_step, data_of, filled, text_of


def test_lines_that_went_and_came_are_shown(tmp_path: Path) -> None:
    lines = text_of(filled(tmp_path), "diff train 1 v2").splitlines()
    assert lines[:2] == ["--- train v1", "+++ train v2"]
    assert "-score = 0" in lines
    assert "+score = sum(numbers)" in lines


def test_the_other_way_round_it_is_the_inverse(tmp_path: Path) -> None:
    data = data_of(filled(tmp_path), "diff train 2 1")
    assert (data["before"]["number"], data["after"]["number"]) == (2, 1)
    assert "+score = 0" in data["diff"].splitlines()


def test_a_version_and_itself_are_the_same(tmp_path: Path) -> None:
    assert "The two versions are the same" in text_of(filled(tmp_path), "diff train 1 1")


@pytest.mark.parametrize("version", ["3", "v3", "0", "x", "-1x"])
def test_an_unknown_version_is_told_with_those_there_are(tmp_path: Path, version: str) -> None:
    with pytest.raises((UnknownNameError, InputError)) as caught:
        text_of(filled(tmp_path), f"diff train 1 {version}")
    assert re.search(r"\bv[12]\b|usage", caught.value.hint)


def test_a_step_of_several_notebooks_must_be_told_apart(tmp_path: Path) -> None:
    filled(tmp_path)
    with open_store(tmp_path) as store:
        run = add_run(store, notebook="a.ipynb")
        add_step(store, run, "train", "x = 1")
        add_step(store, run, "train", "x = 2")
    with pytest.raises(InputError, match="Several notebooks") as caught:
        text_of(tmp_path, "diff train 1 2")
    assert "a.ipynb, nb.ipynb" in caught.value.hint
    assert "+x = 2" in text_of(tmp_path, "diff train 1 2 --notebook a.ipynb").splitlines()


def test_source_that_looks_like_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        run = add_run(store)
        add_step(store, run, "s", "x = d['[red]']")
        add_step(store, run, "s", "x = d['[/]']")
    assert "+x = d['[/]']" in text_of(tmp_path, "diff s 1 2").splitlines()

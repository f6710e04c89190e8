"""`why STEP`: the state now, and the reasons of the newest runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store import open_store
from verbs.projects import add_run, add_step, data_of, filled, text_of, write_notebook

CLOCK = Reasons.of([Reason(ReasonCode.CLOCK, "now")])


def test_a_step_that_was_reused_says_why(tmp_path: Path) -> None:
    text = text_of(filled(tmp_path), "why load")
    assert text.startswith("load is stale")
    assert "was reused (v1), because nothing it depends on changed" in text
    assert "ran (v1), because it had not run before" in text


def test_a_step_that_failed_says_with_what_error(tmp_path: Path) -> None:
    text = text_of(filled(tmp_path), "why train")
    assert text.startswith("train is failed: ValueError: no")
    assert "because its code changed" in text


def test_a_step_whose_result_is_not_reused_says_why_not(tmp_path: Path) -> None:
    filled(tmp_path)
    with open_store(tmp_path) as store:
        add_step(
            store,
            add_run(store),
            "load",
            "numbers = [1, 2]",
            unrepeatable=CLOCK,
        )
    assert "its result is not reused, because it reads the clock (now)" in text_of(tmp_path, "why load")


def test_a_step_that_never_ran_says_so(tmp_path: Path) -> None:
    filled(tmp_path)
    write_notebook(tmp_path / "nb.ipynb", {"a": "%%step brandnew\n1"})
    assert text_of(tmp_path, "why brandnew").strip() == "brandnew is never run: it has not run yet"


def test_where_no_notebook_is_clear_the_record_answers(tmp_path: Path) -> None:
    filled(tmp_path)
    write_notebook(tmp_path / "second.ipynb", {})
    data = data_of(tmp_path, "why load")
    assert data["now"] is None
    assert len(data["runs"]) == 2


def test_an_unknown_step_is_told_with_recorded_and_saved_ones(tmp_path: Path) -> None:
    filled(tmp_path)
    write_notebook(tmp_path / "nb.ipynb", {"a": "%%step brandnew\n1"})
    for typed, meant in (("trian", "train"), ("brandnwe", "brandnew")):
        with pytest.raises(UnknownNameError) as caught:
            text_of(tmp_path, f"why {typed}")
        assert caught.value.hint == f"Did you mean '{meant}'?"


def test_a_notebook_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no notebook named"):
        text_of(filled(tmp_path), "why load --notebook nosuch.ipynb")

"""`deps STEP`: the tree."""

from __future__ import annotations

from pathlib import Path

from jupyter_mlops.domain.step import StepInput
from jupyter_mlops.store import open_store
from verbs.projects import add_run, add_step, data_of, filled, text_of, write_notebook


def test_a_step_shows_what_it_reads_and_who_reads_it(tmp_path: Path) -> None:
    lines = text_of(filled(tmp_path), "deps load").splitlines()
    assert lines[0].startswith("load  v1, ran ")
    assert "read by" in lines[1]
    assert lines[2].split()[-2:] == ["train", "numbers"]
    assert "numbers  from load" in text_of(tmp_path, "deps train")


def test_disagreement_between_code_and_record_is_shown_with_a_word(tmp_path: Path) -> None:
    filled(tmp_path)
    with open_store(tmp_path) as store:
        inputs = {"numbers": StepInput("xxh3-128:2:0123456789", "load"), "rate": StepInput("1", "load")}
        add_step(store, add_run(store), "train", "score = sum(numbers)", inputs=inputs)
    text = text_of(tmp_path, "deps train")
    assert "numbers  from load  01234567\n" in text.replace(" \n", "\n")
    assert "(seen while it ran, not in the code)" in text


def test_a_step_that_changed_or_never_ran_says_so(tmp_path: Path) -> None:
    filled(tmp_path)
    write_notebook(tmp_path / "nb.ipynb", {"load": "%%step load\nnumbers = [3]", "new": "%%step new\n1"})
    assert "its code changed since v1 ran" in text_of(tmp_path, "deps load")
    text = text_of(tmp_path, "deps new")
    assert "never ran: this is what its code says" in text
    assert "depends on nothing but its code" in text


def test_as_json_it_is_all_of_it(tmp_path: Path) -> None:
    data = data_of(filled(tmp_path), "deps train")
    assert [use["name"] for use in data["reads"] if use["source"]] == ["numbers"]
    assert {"files", "modules", "libraries", "effects", "environment", "random"} <= set(data)

"""`restore STEP V`: the code of a version, as text, as a file, as a cell; and its values."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.store import open_store
from jupyter_mlops.verbs.framework.verb import MAGIC
from verbs.live import FakeKernel
from verbs.projects import add_run, add_step, data_of, filled, text_of


def test_on_the_command_line_the_code_is_printed_as_it_was(tmp_path: Path) -> None:
    assert text_of(filled(tmp_path), "restore train 1") == "%%step train\nscore = 0\n"
    with open_store(tmp_path) as store:
        add_step(store, add_run(store), "long", f"x = '{'[b] ' * 80}'")
    assert text_of(tmp_path, "restore long v1") == f"%%step long\nx = '{'[b] ' * 80}'\n"


def test_it_can_be_written_to_a_file(tmp_path: Path) -> None:
    assert "train v2 is in" in text_of(filled(tmp_path), "restore train v2 -o old.py")
    assert (tmp_path / "old.py").read_text() == "%%step train\nscore = sum(numbers)\n"


def test_in_a_notebook_it_is_the_cell_below(tmp_path: Path) -> None:
    kernel = FakeKernel()
    text = text_of(filled(tmp_path), "restore train 1", surface=MAGIC, live=kernel)
    assert kernel.cells == ["%%step train\nscore = 0"]
    assert "is in the cell below" in text
    assert kernel.namespace == {}


def test_a_step_that_no_one_named_comes_back_without_a_magic_line(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        add_step(store, add_run(store), "prices@0a1b2c3d", "x = 1")
    assert text_of(tmp_path, "restore prices 1") == "x = 1\n"


def test_values_are_those_of_the_newest_run_of_the_version(tmp_path: Path) -> None:
    from jupyter_mlops.capture import values

    with open_store(tmp_path) as store:
        for number in (1, 2):
            packed = values.pack([{"score": [number]}], {})
            result = values.write(store.objects, packed)
            add_step(store, add_run(store), "train", "score = [n]", result=result, outputs={"score": "d"})
        add_step(store, add_run(store), "train", "score = 3")
    kernel = FakeKernel(score=0)
    text = text_of(tmp_path, "restore train 1 --values", surface=MAGIC, live=kernel)
    assert kernel.namespace["score"] == [2]
    assert "Restored score." in text


def test_of_several_notebooks_the_live_one_is_meant_where_it_has_the_step(tmp_path: Path) -> None:
    filled(tmp_path)
    with open_store(tmp_path) as store:
        add_step(store, add_run(store, notebook="other.ipynb"), "train", "x = 1")
        add_step(store, add_run(store, notebook="other.ipynb"), "alone", "x = 1")
    with pytest.raises(InputError, match="Several notebooks"):
        text_of(tmp_path, "restore train 1")
    kernel, notebook = FakeKernel(), tmp_path / "nb.ipynb"
    for line in ("restore train 1", "restore alone 1", "restore train 1 --notebook other.ipynb"):
        text_of(tmp_path, line, surface=MAGIC, live=kernel, notebook=notebook)
    assert kernel.cells == ["%%step train\nscore = 0", "%%step alone\nx = 1", "%%step train\nx = 1"]


def test_values_that_were_not_kept_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No result of version 1 of step 'train' is stored"):
        text_of(filled(tmp_path), "restore train 1 --values", surface=MAGIC, live=FakeKernel())
    with pytest.raises(InputError, match="only in a kernel"):
        text_of(tmp_path, "restore train 1 --values")


def test_as_json_it_is_version_and_code_and_makes_no_cell(tmp_path: Path) -> None:
    kernel = FakeKernel()
    data = data_of(filled(tmp_path), "restore train 1", surface=MAGIC, live=kernel)
    assert (data["version"]["number"], data["code"]) == (1, "%%step train\nscore = 0")
    assert kernel.cells == []


def test_an_unknown_step_or_version_is_told(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(UnknownNameError) as caught:
        text_of(tmp_path, "restore trian 1")
    assert caught.value.hint == "Did you mean 'train'?"
    with pytest.raises(UnknownNameError, match="no version of 'train' named 'v9'"):
        text_of(tmp_path, "restore train v9")

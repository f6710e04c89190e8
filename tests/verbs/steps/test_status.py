"""`status`: which notebook is meant, and what is shown of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, NotebookError, UnknownNameError
from jupyter_mlops.store import open_store
from jupyter_mlops.verbs.framework.verb import MAGIC
from verbs.projects import add_run, add_step, data_of, filled, rows, text_of, write_notebook


def test_the_only_notebook_of_the_folder_is_meant(tmp_path: Path) -> None:
    filled(tmp_path)
    found = rows(text_of(tmp_path, "status"))
    assert [row[0] for row in found] == ["step", "load", "train"]
    assert found[1][1] == "stale"
    assert found[2][1] == "failed"
    assert "ValueError: no" in " ".join(found[2])


def test_a_named_notebook_is_meant_relative_to_where_one_is_or_absolute(tmp_path: Path) -> None:
    filled(tmp_path)
    write_notebook(tmp_path / "other.ipynb", {"x": "%%step x\n1"})
    assert data_of(tmp_path, "status other.ipynb")["steps"][0]["name"] == "x"
    assert data_of(Path("/"), f"status {tmp_path / 'nb.ipynb'}")["steps"][0]["name"] == "load"


def test_the_live_notebook_is_meant_in_a_kernel(tmp_path: Path) -> None:
    filled(tmp_path)
    write_notebook(tmp_path / "other.ipynb", {"x": "%%step x\n1"})
    data = data_of(tmp_path, "status", surface=MAGIC, notebook=tmp_path / "other.ipynb")
    assert data["notebook"] == "other.ipynb"


def test_several_notebooks_or_none_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Which notebook\? There is none in this folder"):
        text_of(tmp_path, "status")
    write_notebook(tmp_path / "a.ipynb")
    write_notebook(tmp_path / "b.ipynb")
    write_notebook(tmp_path / ".hidden.ipynb")
    with pytest.raises(InputError, match=r"There are 2 in this folder: a.ipynb, b.ipynb") as caught:
        text_of(tmp_path, "status")
    assert "Give one" in caught.value.hint


def test_an_unknown_notebook_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    write_notebook(tmp_path / "study.ipynb")
    with pytest.raises(UnknownNameError, match="no notebook named") as caught:
        text_of(tmp_path, "status stdy.ipynb")
    assert caught.value.hint == "Did you mean 'study.ipynb'?"


def test_a_notebook_that_is_no_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "nb.ipynb").write_text("{")
    with pytest.raises(NotebookError, match="not valid JSON"):
        text_of(tmp_path, "status")


def test_looking_makes_no_project(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb")
    assert [step["state"] for step in data_of(tmp_path, "status")["steps"]] == ["never_run", "never_run"]
    assert not (tmp_path / ".mlops").exists()


def test_a_notebook_without_code_says_so(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", {"a": "# nothing"})
    assert "no code yet" in text_of(tmp_path, "status")


def test_cells_that_no_one_named_are_shown_where_none_has_a_name_or_all_are_asked_for(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", {"a": "x = 1"})
    assert [row[:4] for row in rows(text_of(tmp_path, "status"))[1:]] == [["x", "=", "1", "@a"]]
    write_notebook(tmp_path / "nb.ipynb", {"a": "x = 1", "b": "%%step named\ny = x"})
    assert [row[0] for row in rows(text_of(tmp_path, "status"))[1:]] == ["named", "and"]
    assert "and 1 cell without a name: status --all" in text_of(tmp_path, "status")
    assert [row[0] for row in rows(text_of(tmp_path, "status --all"))[1:]] == ["x", "named"]


def test_a_cell_that_no_one_named_is_known_by_its_first_line_of_code(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", {"load": "# the data\n\nrows = [1]\nmore = 2", "use": "rows[0]"})
    assert [step["label"] for step in data_of(tmp_path, "status")["steps"]] == ["rows = [1]", "rows[0]"]
    assert "rows = [1]  @" in text_of(tmp_path, "status").splitlines()[2]  # what the second takes from


def test_a_reused_step_tells_how_long_its_result_took_to_compute(tmp_path: Path) -> None:
    filled(tmp_path)
    with open_store(tmp_path) as store:
        computed = store.steps.runs(step="load")[-1]
        run = add_run(store, kind="session")
        add_step(store, run, "load", "numbers = [1, 2]", status=Status.REUSED, reused_from=computed.id, duration=0.008)
    assert "restored in 8 ms (ran 500 ms)" in text_of(tmp_path, "status")
    (step, other) = data_of(tmp_path, "status")["steps"]
    assert (step["duration"], step["computed"], other["computed"]) == (0.008, 0.5, None)


def test_problems_are_shown_with_their_mend(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", {"a": "%%step twin\n1", "b": "%%step twin\n2", "c": "%%step [1]\n3"})
    text = text_of(tmp_path, "status")
    assert "Two steps are named 'twin'. Step names must be unique in a notebook" in text
    assert "'[1]' is not a valid step name." in text


def test_problems_alone_are_shown_too(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", {"a": "%%step 1st\n1"})
    assert "'1st' is not a valid step name." in text_of(tmp_path, "status")

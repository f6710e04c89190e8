"""`log STEP`: versions and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.store import open_store
from verbs.projects import add_run, add_step, data_of, filled, text_of


def test_versions_and_runs_stand_newest_first(tmp_path: Path) -> None:
    filled(tmp_path)
    lines = text_of(tmp_path, "log train").splitlines()
    versions = [line.split()[0] for line in lines if line.lstrip().startswith("v") and "nb.ipynb" in line]
    assert versions == ["v2", "v1"]
    runs = [line.split()[0] for line in lines if line.lstrip().startswith("#")]
    assert runs == ["#2", "#1"]
    text = "\n".join(lines)
    assert "score = sum(numbers)" in text
    assert "auc=0.5" in text
    assert "ValueError: no" in text


def test_as_json_it_is_both_lists(tmp_path: Path) -> None:
    filled(tmp_path)
    data = data_of(tmp_path, "log train")
    assert [version["number"] for version in data["versions"]] == [1, 2]
    assert [run["status"] for run in data["runs"]] == ["failed", "completed"]
    assert data["versions"][1]["source"] == "score = sum(numbers)"
    assert len(data_of(tmp_path, "log train --limit 1")["runs"]) == 1


def test_one_notebook_can_be_asked_for(tmp_path: Path) -> None:
    filled(tmp_path)
    with open_store(tmp_path) as store:
        add_step(store, add_run(store, notebook="a.ipynb"), "load", "x = 1")
    assert len(data_of(tmp_path, "log load")["versions"]) == 2
    only = data_of(tmp_path, "log load --notebook a.ipynb")
    assert [run["notebook"] for run in only["runs"]] == ["a.ipynb"]


def test_an_unknown_step_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(UnknownNameError, match="no step named 'laod'") as caught:
        text_of(tmp_path, "log laod")
    assert caught.value.hint == "Did you mean 'load'?"


@pytest.mark.parametrize("line", ["log", "log a b", "log load --limit x", "log load --nosuch"])
def test_bad_arguments_are_usage_errors_with_the_usage(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError) as caught:
        text_of(filled(tmp_path), line)
    assert caught.value.hint.startswith("usage: jupyter mlops log")
    assert caught.value.exit_code == 2


def test_the_same_content_elsewhere_in_the_project_is_told(tmp_path: Path) -> None:
    """A notebook that was copied or renamed, and a step under its earlier name."""
    filled(tmp_path)
    with open_store(tmp_path) as store:
        run = add_run(store, notebook="copy.ipynb")
        add_step(store, run, "train", "score = 1")
        add_step(store, run, "train", "score = sum( numbers )  # the same")
        add_step(store, run, "fit", "score = 0")
    found = {(item["notebook"], item["number"]): item["also"] for item in data_of(tmp_path, "log train")["versions"]}
    assert found[("nb.ipynb", 1)] == ["copy.ipynb fit v1"]
    assert found[("nb.ipynb", 2)] == []  # both are listed
    only = data_of(tmp_path, "log train --notebook nb.ipynb")["versions"]
    assert only[1]["also"] == ["copy.ipynb v2"]
    assert "copy.ipynb v2" in text_of(tmp_path, "log train --notebook nb.ipynb")


def test_the_beginning_of_a_name_is_enough(tmp_path: Path) -> None:
    assert data_of(filled(tmp_path), "log tr") == data_of(tmp_path, "log train")

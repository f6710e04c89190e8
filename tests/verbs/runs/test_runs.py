"""`runs` and `runs compare`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.domain.run import RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.store import open_store
from verbs.projects import add_run, data_of, filled, rows, text_of


def test_runs_stand_newest_first_with_steps_parameters_and_metrics(tmp_path: Path) -> None:
    text = text_of(filled(tmp_path), "runs")
    found = rows(text)
    assert [row[0] for row in found[1:]] == ["#2", "#1"]
    assert found[1][1:4] == ["failed", "session", "nb.ipynb"]
    assert "1 run, 1 reused" in text
    assert "rate=0.5  name=[b]" in text
    assert "auc=0.75" in text


def test_as_json_they_are_the_runs(tmp_path: Path) -> None:
    data = data_of(filled(tmp_path), "runs")
    assert [(run["number"], run["status"], run["steps_executed"]) for run in data] == [
        (2, "failed", 1),
        (1, "completed", 2),
    ]
    assert data[1]["parameters"] == {"rate": 0.5, "name": "[b]"}
    assert len(data_of(tmp_path, "runs --limit 1")) == 1
    assert data_of(tmp_path, "runs --notebook other.ipynb") == []


def test_older_runs_are_reached_by_what_the_list_says(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for _ in range(5):
            add_run(store)
    seen, line = [], "runs -n 2"
    while line:
        text = text_of(tmp_path, line)
        seen += [row[0] for row in rows(text) if row[0].startswith("#")]
        _, _, line = text.partition("Older ones: ")
    assert seen == ["#5", "#4", "#3", "#2", "#1"]
    assert "no runs before #1" in text_of(tmp_path, "runs --before 1")
    assert [run["number"] for run in data_of(tmp_path, "runs --before 3")] == [2, 1]


def test_a_long_text_is_cut_in_the_list(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        add_run(store, parameters={"text": "a" * 4_000_000})
    text = text_of(tmp_path, "runs")
    assert len(text) < 20_000
    assert "4,000,000" in "".join(text.split())


def test_a_project_without_runs_says_how_to_make_one(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    assert "jupyter mlops run NOTEBOOK" in text_of(tmp_path, "runs")


def test_a_run_whose_process_is_gone_is_shown_as_lost_with_the_cause(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with open_store(tmp_path) as store:
        add_run(store, status=Status.RUNNING, pid=gone.pid, pid_started=1.0)
    text = text_of(tmp_path, "runs")
    assert "lost" in text
    assert "is gone" in text


def test_an_error_with_marks_in_it_is_shown_as_it_is(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        add_run(store, status=Status.FAILED, error=RunFailure("cell_error", "[/] is [red]no[/red] tag"))
    assert "[/] is [red]no[/red] tag" in text_of(tmp_path, "runs")


def test_two_runs_are_compared(tmp_path: Path) -> None:
    data = data_of(filled(tmp_path), "runs compare 1 2")
    assert (data["a"]["number"], data["b"]["number"]) == (1, 2)
    assert [step["name"] for step in data["steps"]] == ["load", "train"]
    assert "train" in text_of(tmp_path, "runs compare 1 2")


def test_an_unknown_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no run named '9'"):
        text_of(filled(tmp_path), "runs compare 1 9")


@pytest.mark.parametrize(
    "line", ["runs compare 1", "runs comprae 1 2", "runs --limit x", "runs --before 0", "runs -n -1"]
)
def test_bad_arguments_are_usage_errors(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError) as caught:
        text_of(filled(tmp_path), line)
    assert "usage: jupyter mlops runs" in caught.value.hint


def test_the_notebook_of_a_run_comes_back_byte_for_byte(tmp_path: Path) -> None:
    data = b'{"cells": [], "metadata": {"a": "\xc3\xa9"}, "nbformat": 4, "nbformat_minor": 5}'
    with open_store(tmp_path) as store:
        add_run(store, notebook="sub/nb.ipynb", notebook_object=store.objects.put(data))
        add_run(store, notebook="sub/nb.ipynb")
    assert "nb-run1.ipynb" in text_of(tmp_path, "runs notebook 1")
    assert (tmp_path / "nb-run1.ipynb").read_bytes() == data
    assert data_of(tmp_path, "runs notebook 1 -o old.ipynb")["run"] == 1
    assert (tmp_path / "old.ipynb").read_bytes() == data
    with pytest.raises(InputError, match="notebook of run 2 was not stored"):
        text_of(tmp_path, "runs notebook 2")


def test_another_file_is_replaced_only_where_it_is_named(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        add_run(store, notebook_object=store.objects.put(b"{}"))
    file = tmp_path / "nb-run1.ipynb"
    file.write_text("mine")
    with pytest.raises(InputError, match=r"A different 'nb-run1\.ipynb' already exists"):
        text_of(tmp_path, "runs notebook 1")
    assert file.read_text() == "mine"
    text_of(tmp_path, "runs notebook 1 -o nb-run1.ipynb")
    text_of(tmp_path, "runs notebook 1")
    assert file.read_text() == "{}"

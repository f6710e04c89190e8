"""The verbs submit and jobs, as they are typed; no worker is started."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.cli.main import main
from jupyter_mlops.domain.run import RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.detached import log_path
from jupyter_mlops.operations.runs import jobs, submit
from jupyter_mlops.store.store import Store


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """`call("jobs", "list")` gives the exit code and all that was printed."""
    write_notebook(tmp_path / "a.ipynb", code("n = 1", "parameters"), code("%%step s\npass"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for module in (jobs, submit):
        monkeypatch.setattr(module, "ensure_worker", lambda _store: None)

    def call(*words: str) -> tuple[int, str]:
        exit_code = main(list(words))
        captured = capsys.readouterr()
        return exit_code, captured.out + captured.err

    return call


Call = Callable[..., tuple[int, str]]


def as_json(call: Call, *words: str) -> Any:
    exit_code, text = call(*words, "--json")
    assert exit_code == 0, text
    return json.loads(text)


def test_a_submitted_run_has_what_was_asked_for(call: Call, tmp_path: Path) -> None:
    words = "-p n 5 --priority 3 --max-at-once 2 --attempts 0 --run-timeout 1h --step-timeout 90s --memory 4G --until s"
    run = as_json(call, "submit", "a.ipynb", *words.split(), "-o", "out/b.ipynb")
    assert (run["status"], run["priority"], run["parameters"]) == ("pending", 3, {"n": 5})
    options = run["options"]
    assert (options["most_at_once"], options["attempts"], options["run_seconds"]) == (2, 0, 3600)
    assert (options["cell_seconds"], options["memory"], options["last"]) == (90, 4_000_000_000, "s")
    assert options["output"] == str(tmp_path / "out" / "b.ipynb")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-p", "m", "5"], "m"),
        (["--max-at-once", "0"], "a number of 1 or more"),
        (["--until", "t"], "t"),
        (["-o", "a.ipynb"], "the notebook itself"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_run(call: Call, words: list[str], told: str) -> None:
    exit_code, text = call("submit", "a.ipynb", *words)
    assert exit_code == 2
    assert told in text
    call("submit", "a.ipynb")
    assert [run["number"] for run in as_json(call, "jobs")["jobs"]] == [1]


def test_jobs_lists_what_waits_and_says_that_no_worker_lives(call: Call) -> None:
    call("submit", "a.ipynb", "-p", "n", "7")
    exit_code, text = call("jobs")
    assert exit_code == 0
    assert "#1" in text
    assert "n=7" in text
    assert "No worker is alive; runs waiting: 1" in text
    assert "There are no such jobs" in call("jobs", "list", "--status", "failed")[1]


def test_a_job_is_shown_with_its_error_and_what_was_edited(call: Call, tmp_path: Path) -> None:
    call("submit", "a.ipynb", "--id", "nightly")
    write_notebook(tmp_path / "a.ipynb", code("n = 2", "parameters"))
    with Store.open(tmp_path) as store:
        run = store.runs.get(1)
        store.runs.finish(run.id, Status.FAILED, now=store.now(), error=RunFailure("cell_error", "boom"))
    _, text = call("jobs", "show", "1")
    for told in ("failed", "cell_error: boom", "source has changed", "a.ipynb", run.id):
        assert told in text


def test_logs_are_printed_and_followed_to_the_end(call: Call, tmp_path: Path) -> None:
    call("submit", "a.ipynb")
    with Store.open(tmp_path) as store:
        run = store.runs.get(1)
        log_path(store, run).parent.mkdir(exist_ok=True)
        log_path(store, run).write_text("one\ntwo")
        assert call("jobs", "logs", "1") == (0, "one\ntwo\n")
        store.runs.finish(run.id, Status.COMPLETED, now=store.now())
    exit_code, text = call("jobs", "logs", "-f", "1")
    assert exit_code == 0
    assert text.startswith("one\ntwo\n")
    assert "completed" in text


def test_jobs_are_canceled_asked_for_again_and_forgotten(call: Call) -> None:
    call("submit", "a.ipynb")
    assert as_json(call, "jobs", "cancel", "1")["status"] == "canceled"
    again = as_json(call, "jobs", "retry", "1")
    assert (again["number"], again["status"]) == (2, "pending")
    assert call("jobs", "remove", "1")[0] == 2
    call("cancel", "2")
    assert as_json(call, "jobs", "remove", "2")["number"] == 2
    assert as_json(call, "jobs", "remove", "1")["number"] == 1
    assert as_json(call, "jobs")["jobs"] == []


def test_service_prints_its_units_where_it_is_asked_to(call: Call, tmp_path: Path) -> None:
    exit_code, text = call("service", "install", "--print")
    assert exit_code == 0
    assert "ExecStart=" in text
    assert "systemctl --user enable --now" in text
    assert [unit["state"] for unit in as_json(call, "service", "status")] == ["not installed"] * 2

"""`jupyter mlops run|cancel|schedule`, as typed: output, exit code."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, write_notebook
from rich.console import Console

from jupyter_mlops.cli.main import main
from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import CanceledError
from jupyter_mlops.verbs.runs.run import failure


class Terminal:
    """Calls the command line in a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = main(list(words))
        out, err = self._capsys.readouterr()
        return code, out, err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json")[1])


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    write_notebook(
        tmp_path / "a.ipynb",
        code("n = 1\nname = 'x'", "parameters"),
        code("%%step load\nx = n"),
        code("%%step score --metrics auc\nauc = 0.5 + x / 10\nassert name != 'bad', 'a bad name'"),
    )
    return Terminal(tmp_path, capsys)


@pytest.mark.kernel
def test_a_run_shows_its_steps_and_how_it_ended(terminal: Terminal) -> None:
    exit_code, out, err = terminal("run", "a.ipynb", "-p", "n", "3", "-o", "done/b.ipynb")
    assert exit_code == 0
    assert re.search(r"load +executed +\d", err)
    assert re.search(r"score +executed +\d", err)
    assert re.search(r"Run 1 completed in [\d.]+ m?s: 4 steps executed, 0 reused", out)
    assert "n=3" in out
    assert "auc=0.8" in out
    assert "done/b.ipynb" in out
    assert (terminal.folder / "done" / "b.ipynb").is_file()
    exit_code, out, err = terminal("run", "a.ipynb", "-p", "n", "3", "-p", "name", "bad")
    assert exit_code == 1
    assert re.search(r"load +reused", err)
    assert re.search(r"score +failed", err)
    assert "Error: Step 'score' failed: AssertionError: a bad name" in out
    assert "auc = 0.5 + x / 10" in out
    assert "runs/a-2.ipynb" in out
    assert "Hint:" in out


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (["run"], 2, "notebook"),
        (["run", "b.ipynb"], 2, "Did you mean 'a.ipynb'"),
        (["run", "a.ipynb", "-p", "nam", "1"], 2, "Did you mean 'name'"),
        (["run", "a.ipynb", "-p", "n", "x"], 2, "whole number"),
        (["run", "a.ipynb", "-p", "n"], 2, "expected 2 arguments"),
        (["run", "a.ipynb", "--kernel", "pyton3"], 2, "Did you mean 'python3'"),
        (["run", "a.ipynb", "-o", "a.ipynb"], 2, "never overwritten"),
        (["run", "a.ipynb", "-o", "/proc/none/b.ipynb"], 1, "cannot be made"),
        (["run", "a.ipynb", "-o", "s3://bucket/b.ipynb"], 2, "papermill --engine mlops NOTEBOOK s3://bucket/b.ipynb"),
        (["schedule", "add", "a.ipynb", "--cron", "x"], 2, "Five fields"),
        (["schedule", "add", "a.ipynb"], 2, "--cron"),
        (["schedule", "add", "a.ipynb", "--cron", "* * * * *", "--tz", "Europe/Pariss"], 2, "Europe/Paris"),
        (["schedule", "add", "b.ipynb", "--cron", "* * * * *"], 2, "Did you mean 'a.ipynb'"),
        (["schedule", "add", "a.ipynb", "--cron", "* * * * *", "-p", "nam", "1"], 2, "Did you mean 'name'"),
        (["schedule"], 2, "schedule"),
    ],
)
def test_bad_input_is_named_with_its_mend(terminal: Terminal, words: list[str], exit_code: int, said: str) -> None:
    code, _, err = terminal(*words)
    assert code == exit_code
    assert "Error:" in err
    assert said in err
    if words[0] == "run":
        assert not (terminal.folder / ".mlops").exists()


def test_schedules_from_the_first_to_none(terminal: Terminal) -> None:
    words = ("schedule", "add", "a.ipynb", "--cron", "0 6 * * *", "--tz", "Europe/Berlin", "-p", "name", "007")
    exit_code, out, _ = terminal(*words)
    assert exit_code == 0
    assert "Schedule 1 runs a.ipynb at '0 6 * * *' (Europe/Berlin)." in out
    assert "06:00" in out
    assert "No scheduler is running" in out
    listed = terminal.json("schedule", "list")
    assert listed["schedules"][0]["parameters"] == {"name": "007"}
    assert listed["scheduler"] == {"alive": False, "beat_at": None, "host": None}
    assert "a.ipynb" in terminal("schedule", "list")[1]
    assert terminal("schedule", "remove", "7")[0] == 2
    assert terminal("schedule", "remove", "1")[0] == 0
    assert "no schedules yet" in terminal("schedule", "list")[1]


def test_what_is_not_there_cannot_be_canceled(terminal: Terminal) -> None:
    assert terminal("cancel", "1")[0] == 2
    terminal("schedule", "add", "a.ipynb", "--cron", "0 6 * * *")
    code, _, err = terminal("cancel", "1")
    assert code == 2
    assert "no run" in err


@pytest.mark.kernel
def test_a_step_can_be_forced_and_what_follows_from_it_is_reused(terminal: Terminal) -> None:
    assert terminal("run", "a.ipynb")[0] == 0
    exit_code, _, err = terminal("run", "a.ipynb", "--force", "load")
    assert exit_code == 0
    assert re.search(r"load +executed", err)
    assert re.search(r"score +reused", err)
    assert "MLOPS_FORCE" not in os.environ
    assert terminal.json("log", "load")["runs"][0]["why"] == "it is forced"
    exit_code, _, err = terminal("run", "a.ipynb", "--force", "laod")
    assert exit_code == 2
    assert "Did you mean 'load'?" in err


@pytest.mark.parametrize(("status", "word"), [(Status.CANCELED, ""), (Status.FAILED, "Error: ")])
def test_a_canceled_run_is_no_error(status: Status, word: str) -> None:
    console = Console(width=100)
    with console.capture() as shown:
        console.print(failure(Run("a", 7, RunKind.JOB, "a.ipynb", status), CanceledError("It was stopped.", "Go on.")))
    assert f"\n{word}It was stopped.\nHint: Go on.\n" in shown.get()

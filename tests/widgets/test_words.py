from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from jupyter_mlops.domain.run import Progress, Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.widgets.words import duration, error_of, outcome, status_line

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def run_with(**values: object) -> Run:
    return Run(**({"id": "1" * 32, "number": 7, "kind": "job", "notebook": "a.ipynb"} | values))  # type: ignore[arg-type]


def test_a_running_run_tells_its_step_and_time() -> None:
    run = run_with(status=Status.RUNNING, started_at=START, progress=Progress(1, 4, "<load>"), steps_reused=1)
    line = status_line(run, START + timedelta(seconds=75))
    assert "Run 7" in line
    assert "Running" in line
    assert "&lt;load&gt;" in line
    assert "1 min 15 s" in line
    assert "1 of 1 steps reused" in line


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.REUSED])
def test_every_status_has_a_word(status: Status) -> None:
    assert f">{status.value.capitalize().replace('Pending', 'Waiting')}<" in status_line(run_with(status=status), START)


def test_what_came_of_a_run_is_told_and_escaped() -> None:
    text = outcome(
        run_with(
            status=Status.COMPLETED, metrics={"<auc>": 0.98765432, "loss": float("nan")}, output_path="r/<o>.ipynb"
        )
    )
    assert "&lt;auc&gt;" in text
    assert "0.987654" in text
    assert "nan" in text
    assert "r/&lt;o&gt;.ipynb" in text


@pytest.mark.parametrize("cause", ["cell_error", "kernel_died", "canceled", "runner_lost"])
def test_every_cause_comes_with_what_to_do_next(cause: str) -> None:
    text = outcome(run_with(status=Status.FAILED, error=RunFailure(cause, "It <went> wrong.", 3)))
    assert "It &lt;went&gt; wrong. (in cell 4)" in text
    assert "again" in text


def test_an_exception_is_told_by_its_name_and_where() -> None:
    error = RunFailure("cell_error", "m", 3, "train", "ValueError", "no <x>")
    assert "ValueError: no &lt;x&gt; (in step &#x27;train&#x27;)" in outcome(
        run_with(status=Status.FAILED, error=error)
    )


def test_errors_of_ours_show_their_hint_and_others_their_kind() -> None:
    assert "do &lt;this&gt;" in error_of(InputError("no", "do <this>"))
    assert "ZeroDivisionError" in error_of(ZeroDivisionError("x"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0.0 s"), (0.25, "0.2 s"), (12.9, "12 s"), (61, "1 min 1 s"), (7320, "2 h 2 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text

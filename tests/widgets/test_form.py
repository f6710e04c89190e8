from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.domain.run import Progress, Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, NotebookError, UnknownNameError
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store
from jupyter_mlops.widgets import form as form_module
from jupyter_mlops.widgets.form import ParameterForm, parameter_form, show_form

PATIENCE = 20.0


def write_notebook(path: Path, *cells: tuple[str, list[str]]) -> Path:
    code = [
        {
            "cell_type": "code",
            "id": f"cell-{index}",
            "metadata": {"tags": tags},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for index, (source, tags) in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": code, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(
        tmp_path / "study.ipynb",
        ("rate: float = 0.5  # learning rate\nname: str = 'a'", ["parameters"]),
        ("%%step load\ndata = [rate]", []),
    )


class Runner:
    """Stands in for the job: `submit` makes the run, the test moves it on as the runner would."""

    def __init__(self, notebook: Path) -> None:
        self.notebook = notebook
        self.given: list[Mapping[str, Any]] = []
        self.canceled: list[int] = []
        self.run_id = ""

    def submit(self, store: Store, notebook: Path, parameters: Mapping[str, Any]) -> Run:
        self.given.append(parameters)
        run = Run(store.new_id(), 0, "job", notebook.name, Status.PENDING, dict(parameters), created_at=store.now())
        self.run_id = run.id
        return store.runs.create(run)

    def cancel(self, store: Store, run: Run) -> Run:
        self.canceled.append(run.number)
        store.runs.finish(run.id, Status.CANCELED, now=store.now(), error=RunFailure("canceled", "It was canceled."))
        return store.runs.get(run.id)

    def move(self, change: Callable[[Store], object]) -> None:
        with open_store(self.notebook) as store:
            change(store)

    def start(self) -> None:
        self.move(lambda store: store.runs.start(self.run_id, now=store.now()))

    def progress(self, *values: Any) -> None:
        self.move(lambda store: store.runs.update(self.run_id, progress=Progress(*values)))

    def finish(self, status: Status, **values: Any) -> None:
        self.move(lambda store: store.runs.finish(self.run_id, status, now=store.now(), **values))


@pytest.fixture
def runner(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setattr(form_module, "INTERVAL", 0.02)
    monkeypatch.setattr(form_module, "RECONCILE_EVERY", 0.1)
    return Runner(notebook)


@pytest.fixture
def form(notebook: Path, runner: Runner) -> ParameterForm:
    return parameter_form(notebook, submit=runner.submit, cancel=runner.cancel)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def test_the_form_has_a_field_for_each_parameter(form: ParameterForm) -> None:
    assert [field.widget.description for field in form.fields] == ["rate", "name"]
    assert [field.widget.value for field in form.fields] == [0.5, "a"]
    assert form.cancel_button.disabled
    assert not form.start_button.disabled


def test_a_click_starts_a_job_and_shows_it_live_to_its_end(form: ParameterForm, runner: Runner) -> None:
    form.fields[0].widget.value = 0.25
    form.start_button.click()
    until(lambda: "Waiting" in form.status.value)
    assert runner.given == [{"rate": 0.25}]
    assert form.start_button.disabled
    until(lambda: not form.cancel_button.disabled)
    runner.start()
    runner.progress(1, 4, "load")
    until(lambda: "load" in form.status.value)
    assert (form.bar.value, form.bar.max) == (1, 4)
    runner.finish(Status.COMPLETED, metrics={"auc": 0.9}, output_path="runs/study-1.ipynb")
    assert form.wait(PATIENCE)
    assert "Completed" in form.status.value
    assert "auc" in form.result.value
    assert "runs/study-1.ipynb" in form.result.value
    assert (form.bar.value, form.bar.bar_style) == (4, "success")
    assert form.cancel_button.disabled
    assert not form.start_button.disabled


def test_the_click_returns_at_once_and_the_form_moves_while_the_kernel_is_busy(notebook: Path, runner: Runner) -> None:
    may_go_on = threading.Event()

    def slow(store: Store, path: Path, parameters: Mapping[str, Any]) -> Run:
        assert may_go_on.wait(PATIENCE)
        return runner.submit(store, path, parameters)

    form = parameter_form(notebook, submit=slow, cancel=runner.cancel)
    begun = time.monotonic()
    form.start_button.click()
    form.start_button.click()
    assert time.monotonic() - begun < 1
    may_go_on.set()
    until(lambda: form.run is not None)
    assert len(runner.given) == 1
    runner.finish(Status.COMPLETED)
    # This thread, as a busy kernel, hands the form nothing: it goes on by itself.
    assert form.wait(PATIENCE)
    assert "Completed" in form.status.value


def test_nothing_goes_on_after_the_end_and_the_next_run_starts_clean(form: ParameterForm, runner: Runner) -> None:
    for number in (1, 2):
        form.start_button.click()
        until(lambda: form.run is not None and form.run.number == number)  # noqa: B023 - called within this turn
        runner.finish(Status.FAILED, error=RunFailure("cell_error", "m", 1, "load", "ValueError", "no"))
        assert form.wait(PATIENCE)
        assert "ValueError: no" in form.result.value
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("mlops-form")] == []


def test_cancel_ends_the_run(form: ParameterForm, runner: Runner) -> None:
    form.start_button.click()
    until(lambda: not form.cancel_button.disabled)
    form.cancel_button.click()
    assert form.cancel_button.disabled
    assert form.wait(PATIENCE)
    assert runner.canceled == [1]
    assert "Canceled" in form.status.value
    assert "again" in form.result.value


def test_a_cancel_that_fails_is_told_and_may_be_tried_again(notebook: Path, runner: Runner) -> None:
    def fail(store: Store, run: Run) -> Run:
        raise InputError("It cannot be canceled.", "Wait.")

    form = parameter_form(notebook, submit=runner.submit, cancel=fail)
    form.start_button.click()
    until(lambda: not form.cancel_button.disabled)
    form.cancel_button.click()
    until(lambda: "Wait." in form.result.value and not form.cancel_button.disabled)
    runner.finish(Status.COMPLETED)
    assert form.wait(PATIENCE)


def test_a_run_whose_process_is_gone_is_shown_as_lost(
    form: ParameterForm, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Path] = []
    monkeypatch.setattr("jupyter_mlops.tracking.wake", told.append)
    form.start_button.click()
    until(lambda: form.run is not None)
    runner.start()
    runner.move(lambda store: store.runs.update(runner.run_id, pid=2**22 - 1, pid_started=0.0))
    assert form.wait(PATIENCE)
    assert told == [form.notebook.parent]
    assert "Lost" in form.status.value
    assert "again" in form.result.value


def test_a_value_that_does_not_fit_starts_nothing(tmp_path: Path, runner: Runner) -> None:
    path = write_notebook(tmp_path / "b.ipynb", ("n: int", ["parameters"]))
    form = parameter_form(path, submit=runner.submit)
    form.fields[0].widget.value = "many"
    form.start_button.click()
    assert "many" in form.result.value
    assert runner.given == []
    assert not form.start_button.disabled


@pytest.mark.parametrize("error", [InputError("Not so.", "But so."), ZeroDivisionError("odd")])
def test_a_job_that_cannot_be_started_is_told_with_the_mend(notebook: Path, error: Exception) -> None:
    def fail(*_: Any) -> Run:
        raise error

    form = parameter_form(notebook, submit=fail)
    form.start_button.click()
    assert form.wait(PATIENCE)
    assert ("But so." if isinstance(error, InputError) else "ZeroDivisionError") in form.result.value
    assert form.status.value == ""
    assert not form.start_button.disabled


def test_a_notebook_without_parameters_can_be_run_all_the_same(tmp_path: Path, runner: Runner) -> None:
    path = write_notebook(tmp_path / "b.ipynb", ("x = 1", []))
    form = parameter_form(path, submit=runner.submit)
    assert "no parameters" in form.view.children[0].value
    assert form.parameters() == {}


def test_a_form_makes_no_project(notebook: Path) -> None:
    parameter_form(notebook)
    assert not (notebook.parent / ".mlops").exists()


def test_what_is_no_notebook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        parameter_form(tmp_path / "none.ipynb")
    (tmp_path / "bad.ipynb").write_text("{")
    with pytest.raises(NotebookError):
        parameter_form(tmp_path / "bad.ipynb")
    with pytest.raises(NotebookError):
        parameter_form(write_notebook(tmp_path / "b.ipynb", ("n: int = (", ["parameters"])))


def test_show_form_displays_it(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show_form(notebook)
    [view] = shown
    assert "application/vnd.jupyter.widget-view+json" in view._repr_mimebundle_()


@pytest.mark.kernel
def test_a_click_runs_a_real_job(notebook: Path) -> None:
    form = parameter_form(notebook)
    form.fields[0].widget.value = 0.25
    form.start_button.click()
    assert form.wait(120)
    assert form.run is not None
    assert form.run.status is Status.COMPLETED, form.result.value
    assert form.run.parameters["rate"] == 0.25
    assert "Completed" in form.status.value
    assert str(form.run.output_path) in form.result.value

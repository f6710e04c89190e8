"""What MLflow shows of runs and steps, as the real writer process told it."""

from __future__ import annotations

import json
import math

import nbformat
import pytest
from tracked_project import TrackedProject

from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.run import RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.tracking.uri import experiment_name, local_folder

CLOCK = Reasons.of([Reason(ReasonCode.CLOCK)])


def test_a_run_shows_its_parameters_metrics_source_and_files(project: TrackedProject) -> None:
    store = project.store
    notebook = store.objects.put(b'{"cells": []}')
    environment = store.objects.put(b'{"python": "3.11"}')
    output = project.root / "churn-out.ipynb"
    output.write_text(json.dumps(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# All is *well*")])))
    run = project.run(
        parameters={"trees": 100, "rate": 0.1, "columns": ["a", "b"], "name": "007", "on": True, "none": None},
        tags={"git.commit": "d" * 40, "git.branch": "main", "git.dirty": "true", "note": "first"},
        notebook_object=notebook,
        environment=environment,
    )
    store.runs.add_metrics(run.id, {"auc": 0.97}, now=store.now())
    run = project.finish(run, output_path="churn-out.ipynb")
    project.deliver()

    found = project.mlflow_run(run)
    assert found.info.run_name == f"churn #{run.number}"
    assert project.client.get_experiment(found.info.experiment_id).name == experiment_name(project.root)
    assert found.data.params == {
        "trees": "100",
        "rate": "0.1",
        "columns": '["a", "b"]',
        "name": "007",
        "on": "True",
        "none": "None",
    }
    assert found.data.metrics == {"auc": 0.97}
    expected = {
        "mlflow.source.name": "notebooks/churn.ipynb",
        "mlflow.source.type": "NOTEBOOK",
        "mlflow.source.git.commit": "d" * 40,
        "mlflow.source.git.branch": "main",
        "mlops.git_dirty": "true",
        "mlops.note": "first",
        "mlops.id": run.id,
        "mlops.number": str(run.number),
        "mlops.kind": "job",
        "mlops.status": "completed",
        "mlops.notebook_digest": notebook,
        "mlops.environment_digest": environment,
    }
    assert expected.items() <= found.data.tags.items()
    assert project.artifact(found, "notebook/churn.ipynb") == b'{"cells": []}'
    assert project.artifact(found, "environment.json") == b'{"python": "3.11"}'
    assert project.artifact(found, "executed/churn-out.ipynb") == output.read_bytes()
    assert b"All is <em>well</em>" in project.artifact(found, "executed/churn-out.html")
    assert store.runs.get(run.id).mlflow_run_id == found.info.run_id


def test_a_file_that_tags_tell_of_and_is_not_there_is_written(project: TrackedProject) -> None:
    """A run is made with all its tags, then its files are written: the writer may be killed between the two."""
    output = project.root / "out.ipynb"
    output.write_text(json.dumps(nbformat.v4.new_notebook()))
    run = project.run(notebook_object=project.store.objects.put(b'{"cells": []}'))
    project.finish(run, output_path="out.ipynb")
    project.deliver()
    before = project.mlflow_run(run)
    folder = local_folder(before.info.artifact_uri)
    assert folder is not None
    files = [folder / name for name in ("notebook/churn.ipynb", "executed/out.ipynb", "executed/out.html")]
    contents = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    project.store.outbox.post(run.id, "run", {"id": run.id}, now=project.store.now())
    project.deliver()
    assert [file.read_bytes() for file in files] == contents
    assert project.mlflow_run(run).data.tags == before.data.tags


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.COMPLETED, "FINISHED"),
        (Status.FAILED, "FAILED"),
        (Status.CANCELED, "KILLED"),
        (Status.LOST, "FAILED"),
    ],
)
def test_the_end_of_a_run_is_told_truthfully(project: TrackedProject, status: Status, word: str) -> None:
    error = None if status is Status.COMPLETED else RunFailure("cell_error", "no such column", step="load")
    run = project.run()
    project.deliver()
    assert project.mlflow_run(run).info.status == "RUNNING"
    run = project.finish(run, status, error=error)
    project.deliver()
    found = project.mlflow_run(run)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert (found.info.status, found.data.tags["mlops.status"]) == (word, status.value)
    assert found.info.start_time == int(run.started_at.timestamp() * 1000)
    assert found.info.end_time == int(run.ended_at.timestamp() * 1000)
    if error is not None:
        assert found.data.tags["mlops.ended"] == "cell_error"
        assert found.data.tags["mlops.error"] == "no such column"
        assert "no such column" in found.data.tags["mlflow.note.content"]


def test_a_pending_run_is_told_when_it_starts_or_ends(project: TrackedProject) -> None:
    waiting, dropped = project.run(start=False), project.run(start=False)
    project.finish(dropped, Status.CANCELED)
    project.deliver()
    assert project.all_of(waiting) == []
    assert project.mlflow_run(dropped).info.status == "KILLED"
    project.store.runs.start(waiting.id, now=project.store.now())
    project.deliver()
    assert project.mlflow_run(waiting).info.status == "RUNNING"


def test_an_executed_step_is_a_nested_run(project: TrackedProject) -> None:
    run = project.run()
    step_run = project.step(run, "train", metrics={"loss": 0.5, "odd": math.nan, "ratio": -math.inf})
    failed = project.step(run, "check", status=Status.FAILED, error="ValueError: empty", unrepeatable=CLOCK)
    project.deliver()

    parent, found, other = (project.mlflow_run(entity) for entity in (run, step_run, failed))
    assert {child.info.run_name for child in project.children(parent)} == {"train", "check"}
    assert (found.info.status, other.info.status) == ("FINISHED", "FAILED")
    assert found.data.metrics["loss"] == 0.5
    assert math.isnan(found.data.metrics["odd"])
    assert found.data.metrics["ratio"] < -1e308
    assert found.data.tags["mlops.infinite.ratio"] == "-inf; MLflow shows -1.8e+308"
    expected = {
        "mlops.step": "train",
        "mlops.version": "1",
        "mlops.version_digest": "c" * 64,
        "mlops.why": "it had not run before",
        "mlops.duration": "0.500",
        "mlops.inputs": "frame " + "a" * 12,
        "mlops.outputs": "result " + "b" * 12,
        "mlflow.source.name": "notebooks/churn.ipynb",
    }
    assert expected.items() <= found.data.tags.items()
    assert other.data.tags["mlops.error"] == "ValueError: empty"
    assert other.data.tags["mlops.unrepeatable"] == "reads the clock"
    data = json.loads(project.artifact(found, "data.json"))
    assert data["inputs"]["frame"] == {"digest": "a" * 64, "producer": "load"}


def test_a_reused_step_is_a_link_and_its_metrics_are_the_runs(project: TrackedProject) -> None:
    first, second = project.run(), project.run()
    origin = project.step(first, "evaluate", metrics={"auc": 0.9})
    project.deliver()
    project.client.log_metric(project.mlflow_run(origin).info.run_id, "logged_by_the_cell", 7.0)
    reused = project.reuse(second, origin)
    project.finish(second)
    project.deliver()

    found = project.mlflow_run(second)
    assert found.data.tags["mlops.reused.evaluate"] == project.mlflow_run(origin).info.run_id
    assert found.data.metrics == {"auc": 0.9, "logged_by_the_cell": 7.0}
    assert project.children(found) == []
    assert project.all_of(reused) == []
    made = project.mlflow_run(origin).info
    page = f"#/experiments/{made.experiment_id}/runs/{made.run_id}"
    assert f"| evaluate | 1 | [reused]({page}) |" in found.data.tags["mlflow.note.content"]


def test_a_value_that_is_too_long_is_cut_and_said_to_be(project: TrackedProject) -> None:
    run = project.run(parameters={"query": "x" * 7000}, tags={"note": "y" * 9000})
    project.deliver()
    found = project.mlflow_run(run)
    assert found.data.params["query"] == "x" * 6000
    assert found.data.tags["mlops.cut.query"] == "the first 6000 of 7000 characters; in full in parameters.json"
    assert json.loads(project.artifact(found, "parameters.json")) == {"query": "x" * 7000}
    assert found.data.tags["mlops.note"].endswith("(9000 characters)")


def test_a_parameter_that_a_session_changes_is_told_in_a_tag(project: TrackedProject) -> None:
    run = project.run(kind="session", parameters={"rate": 0.1})
    project.deliver()
    project.store.runs.update(run.id, told_at=project.store.now(), parameters={"rate": 0.2})
    project.deliver()
    found = project.mlflow_run(run)
    assert (found.data.params["rate"], found.data.tags["mlops.now.rate"]) == ("0.1", "0.2")


def test_a_metric_told_twice_is_one_point(project: TrackedProject) -> None:
    run = project.run()
    for value in (0.5, 0.5, 0.6):
        project.store.runs.add_metrics(run.id, {"auc": value}, now=project.store.now())
        project.deliver()
    history = project.client.get_metric_history(project.mlflow_run(run).info.run_id, "auc")
    assert [point.value for point in history] == [0.5, 0.6]


def test_a_description_that_a_person_edited_stays(project: TrackedProject) -> None:
    run = project.run()
    project.deliver()
    project.client.set_tag(project.mlflow_run(run).info.run_id, "mlflow.note.content", "The good one.")
    project.finish(run)
    project.deliver()
    assert project.mlflow_run(run).data.tags["mlflow.note.content"] == "The good one."


def test_a_run_deleted_in_mlflow_stays_deleted(project: TrackedProject) -> None:
    run = project.run()
    project.deliver()
    project.client.delete_run(project.mlflow_run(run).info.run_id)
    project.finish(run)
    project.deliver()
    assert project.all_of(run) == []


def test_a_lost_run_takes_its_open_steps_along(project: TrackedProject) -> None:
    run = project.run()
    step_run = project.begin(run, "train")
    project.store.runs.update(run.id, pid=2**22 + 1, pid_started=1.0)
    project.deliver()
    project.store.runs.reconcile(now=project.store.now())
    project.deliver()
    for entity in (run, step_run):
        found = project.mlflow_run(entity)
        assert (found.info.status, found.data.tags["mlops.status"]) == ("FAILED", "lost")


def test_a_damaged_object_is_told_and_the_run_goes_on(project: TrackedProject) -> None:
    run = project.run(environment="e" * 64)
    project.finish(run)
    project.deliver()
    found = project.mlflow_run(run)
    assert found.info.status == "FINISHED"
    assert "environment.json" in found.data.tags["mlops.artifact_error"]


def test_a_tracking_store_that_was_removed_is_made_and_filled_again(other_project: TrackedProject) -> None:
    project = other_project
    run = project.run()
    step_run = project.step(run, "load")
    project.deliver()
    for file in (project.root / ".mlops").glob("mlflow.db*"):
        file.unlink()
    project.stop_writers()
    later = project.step(run, "train")
    project.end(step_run)
    project.store.runs.add_metrics(run.id, {"auc": 1.0}, now=project.store.now())
    project.deliver()
    found = project.mlflow_run(run)
    assert found.data.metrics == {"auc": 1.0}
    assert {child.info.run_id for child in project.children(found)} == {
        project.mlflow_run(entity).info.run_id for entity in (step_run, later)
    }


def test_a_step_that_was_forgotten_holds_up_nothing(project: TrackedProject) -> None:
    run = project.run()
    early, late = project.begin(run, "early"), project.begin(run, "late")
    project.deliver()
    project.store.steps.forget_failed(run.id, "early")
    project.store.outbox.post(run.id, "step", {"id": early.id}, now=project.store.now())
    project.store.outbox.post(run.id, "step", {"id": "never there"}, now=project.store.now())
    project.deliver()
    assert project.store.outbox.size() == 0
    assert project.mlflow_run(early).info.status == "KILLED"
    assert project.mlflow_run(late).info.status == "RUNNING"

"""A project's folder is renamed, moved, copied: its MLflow store names the artifacts where they are now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
from tracked_project import TrackedProject

from jupyter_mlops.domain.run import Run
from jupyter_mlops.tracking.database import ensure_database
from jupyter_mlops.tracking.uri import artifacts_folder, local_folder, own_uri


def logged_model(project: TrackedProject) -> Run:
    """A run whose one step logged a model; all of it told to MLflow."""
    run = project.run()
    project.model(project.step(run, "train"), "model", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    run = project.finish(run)
    project.deliver()
    return run


def model_folder(project: TrackedProject, run: Run) -> Path:
    """Where MLflow says that the files of the run's model are."""
    (output,) = project.mlflow_run(run).outputs.model_outputs
    folder = local_folder(project.client.get_logged_model(output.model_id).artifact_location)
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    root = tmp_path_factory.mktemp("projects") / "chürn 1"
    project = TrackedProject(root)
    run = logged_model(project)
    project.close()
    return root, run


def test_a_copy_has_its_own_artifacts_and_leaves_those_of_the_original_alone(
    original: tuple[Path, Run], tmp_path: Path
) -> None:
    root, run = original
    before = sorted(artifacts_folder(root).rglob("*"))
    shutil.copytree(root, tmp_path / "copy")
    copy = TrackedProject(tmp_path / "copy")
    later = logged_model(copy)
    for made in (run, later):
        assert model_folder(copy, made).is_relative_to(artifacts_folder(copy.root))
        assert (model_folder(copy, made) / "MLmodel").is_file()
        folder = local_folder(copy.mlflow_run(made).info.artifact_uri)
        assert folder is not None
        assert folder.is_relative_to(artifacts_folder(copy.root))
    copy.close()
    assert sorted(artifacts_folder(root).rglob("*")) == before


def test_by_another_way_to_the_same_folder_nothing_is_changed(original: tuple[Path, Run], tmp_path: Path) -> None:
    root, _ = original
    (tmp_path / "link").symlink_to(root)
    ensure_database(tmp_path / "link", own_uri(tmp_path / "link"))
    (experiment,) = MlflowClient(own_uri(root)).search_experiments(filter_string="name = 'Default'")
    assert experiment.artifact_location == f"{artifacts_folder(root).as_uri()}/0"


def test_without_its_artifacts_a_database_still_names_where_they_were(
    original: tuple[Path, Run], tmp_path: Path
) -> None:
    root, run = original
    shutil.copytree(root, tmp_path / "copy", ignore=shutil.ignore_patterns("mlartifacts"))
    copy = TrackedProject(tmp_path / "copy")
    ensure_database(copy.root, own_uri(copy.root))
    assert (model_folder(copy, run) / "MLmodel").is_file()
    later = logged_model(copy)
    assert model_folder(copy, later).is_relative_to(artifacts_folder(copy.root))
    copy.close()


def test_addresses_elsewhere_stay(original: tuple[Path, Run], tmp_path: Path) -> None:
    root, _ = original
    shutil.copytree(root, tmp_path / "copy")
    client = MlflowClient(own_uri(tmp_path / "copy"))
    client.create_experiment("in a bucket", "s3://bucket/.mlops/mlartifacts/0")
    ensure_database(tmp_path / "copy", own_uri(tmp_path / "copy"))
    found = client.get_experiment_by_name("in a bucket")
    assert found.artifact_location == "s3://bucket/.mlops/mlartifacts/0"

"""Models of steps, logged by the real writer and loaded back by MLflow."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.entities import LoggedModel, LoggedModelStatus
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tracked_project import TrackedProject

from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.tracking import models
from jupyter_mlops.tracking.uri import own_uri

X, y = load_breast_cancer(return_X_y=True, as_frame=True)


def logged(project: TrackedProject, step_run: StepRun) -> LoggedModel:
    """The one model of a step's MLflow run."""
    outputs = project.mlflow_run(step_run).outputs
    assert outputs is not None
    (output,) = outputs.model_outputs
    return project.client.get_logged_model(output.model_id)


def load(project: TrackedProject, model: LoggedModel) -> Any:
    mlflow.set_tracking_uri(own_uri(project.root))
    try:
        return mlflow.pyfunc.load_model(model.model_uri)
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("estimator", "saved_as"),
    [
        (RandomForestClassifier(10, random_state=0), "skops"),
        (HistGradientBoostingClassifier(max_iter=10, random_state=0), "skops"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "skops"),
        (
            make_pipeline(FunctionTransformer(lambda frame: frame * 2), StandardScaler(), LogisticRegression()),
            "cloudpickle",
        ),
    ],
    ids=["forest", "boosting", "pipeline", "lambda"],
)
def test_a_model_loads_back_and_predicts_the_same(project: TrackedProject, estimator: Any, saved_as: str) -> None:
    fitted = estimator.fit(X, y)
    run = project.run(parameters={"trees": 10})
    step_run = project.step(run, "train")
    project.model(step_run, "classifier", fitted, X.head())
    project.finish(run, status=run.status.COMPLETED)
    project.store.runs.add_metrics(run.id, {"auc": 0.9}, now=project.store.now())
    project.deliver()

    model = logged(project, step_run)
    assert (model.name, model.status) == ("classifier", LoggedModelStatus.READY)
    loaded = load(project, model)
    assert np.array_equal(loaded.predict(X), fitted.predict(X))
    assert [column.name for column in loaded.metadata.signature.inputs] == list(X.columns)
    assert loaded.metadata.saved_input_example_info is not None

    tags = project.mlflow_run(step_run).data.tags
    assert (tags["mlops.model"], tags["mlops.model_flavour"], tags["mlops.model_format"]) == (
        "classifier",
        "sklearn",
        saved_as,
    )
    assert ("mlops.model_format_reason" in tags) == (saved_as == "cloudpickle")
    lines = requirements_of(model)
    assert {f"{name}=={metadata.version(name)}" for name in ("scikit-learn", "numpy", "pandas", saved_as)} <= lines
    assert not any(line.startswith(("jupyter", "matplotlib")) for line in lines)


def requirements_of(model: LoggedModel) -> set[str]:
    path = mlflow.artifacts.download_artifacts(artifact_uri=f"{model.artifact_location}/requirements.txt")
    return set(Path(path).read_text().split())


def test_the_model_shows_in_the_pipelines_run_with_its_parameters_and_metrics(project: TrackedProject) -> None:
    first, second = project.run(parameters={"trees": 10}), project.run()
    step_run = project.step(first, "train")
    project.model(step_run, "classifier", make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X.head())
    project.store.runs.add_metrics(first.id, {"auc": 0.9}, now=project.store.now())
    project.deliver()
    project.reuse(second, step_run)
    project.deliver()

    model = logged(project, step_run)
    for run in (first, second):
        outputs = project.mlflow_run(run).outputs
        assert outputs is not None
        assert [output.model_id for output in outputs.model_outputs] == [model.model_id]
    assert model.params == {"trees": "10"}
    assert {metric.key: metric.value for metric in model.metrics or []}["auc"] == 0.9
    assert model.experiment_id == project.mlflow_run(first).info.experiment_id
    assert model.tags["mlflow.source.name"] == "notebooks/churn.ipynb"


def test_what_is_no_model_is_told_in_a_tag_and_holds_up_nothing(project: TrackedProject) -> None:
    run = project.run()
    step_run = project.step(run, "train")
    project.model(step_run, "thing", {"not": "a model"})
    later = project.step(run, "evaluate")
    project.finish(run)
    project.deliver()
    assert (
        "thing: MLflow has no flavour for builtins.dict" in project.mlflow_run(step_run).data.tags["mlops.model_error"]
    )
    assert project.mlflow_run(later).info.status == "FINISHED"


def test_a_model_that_cannot_be_loaded_is_told_in_a_tag(project: TrackedProject) -> None:
    run = project.run()
    step_run = project.step(run, "train")
    damaged = project.store.objects.put(b"no pickle", signed=True)
    unsigned = project.store.objects.put(pickle.dumps(LogisticRegression()))
    for name, item in (("damaged", damaged), ("unsigned", unsigned)):
        body = {"step_run_id": step_run.id, "name": name, "object": item, "input_object": None}
        project.store.outbox.post(run.id, "model", body, now=project.store.now())
        project.deliver()
        error = project.mlflow_run(step_run).data.tags["mlops.model_error"]
        assert error.startswith(f"{name}: ")
    assert "signature" in error


def test_a_class_of_the_projects_own_module_goes_with_the_model(project: TrackedProject) -> None:
    (project.root / "our_estimator.py").write_text(
        "from sklearn.base import BaseEstimator, ClassifierMixin\n"
        "class Ours(ClassifierMixin, BaseEstimator):\n"
        "    def fit(self, X, y): return self\n"
        "    def predict(self, X): return [3] * len(X)\n"
    )
    code = (
        "import sys; sys.path.insert(0, '.'); import cloudpickle, our_estimator;"
        "sys.stdout.buffer.write(cloudpickle.dumps(our_estimator.Ours()))"
    )
    data = subprocess.run([sys.executable, "-c", code], cwd=project.root, capture_output=True, check=True).stdout
    run = project.run()
    step_run = project.step(run, "train")
    body = {
        "step_run_id": step_run.id,
        "name": "ours",
        "object": project.store.objects.put(data, signed=True),
        "input_object": None,
    }
    project.store.outbox.post(run.id, "model", body, now=project.store.now())
    project.deliver()
    assert list(load(project, logged(project, step_run)).predict(X.head(2))) == [3, 3]


def test_every_flavour_names_a_part_of_mlflow_that_takes_requirements_and_a_signature() -> None:
    import importlib
    import inspect

    for flavour in set(models.FLAVOURS.values()):
        try:
            module = importlib.import_module(f"mlflow.{flavour}")
        except ImportError:
            continue  # a flavour that needs its library on import
        taken = set(inspect.signature(module.save_model).parameters)
        needed = {"path", "mlflow_model", "pip_requirements", "code_paths", "signature", "input_example"}
        assert needed <= taken, flavour


def test_the_flavour_is_that_of_the_nearest_class() -> None:
    class Booster(LogisticRegression):
        pass

    Booster.__module__ = "xgboost.sklearn"
    assert models.flavour_of(Booster()) == "xgboost"
    assert models.flavour_of(LogisticRegression()) == "sklearn"

"""What is told to MLflow by the notebook's own code, or for it, holds the name in the place of the secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import canary
import mlflow
import pytest
from mlflow.entities import Metric, Param, RunTag
from sklearn.linear_model import LogisticRegression

from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.tracking.secrecy import guard

TOKEN = canary.TOKEN


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A tracking store of the test's own."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("own", artifact_location=str(tmp_path / "artifacts")))
    guard()
    guard()
    KNOWN.add("TOKEN", TOKEN)
    yield tmp_path
    mlflow.set_tracking_uri(before)


def test_parameters_tags_texts_traces_and_what_is_logged_by_itself_hold_the_name(store: Path) -> None:
    with mlflow.start_run(run_name=f"run of {TOKEN}", tags={"first": TOKEN}, description=TOKEN) as run:
        mlflow.log_param("a", TOKEN)
        mlflow.log_params({"b": f"x {TOKEN}", "c": 1})
        mlflow.set_tags({"d": TOKEN})
        mlflow.set_tag(f"key {TOKEN[:8]}", "harmless")
        mlflow.log_text(TOKEN, "text.txt")
        mlflow.log_dict({"deep": [{TOKEN: TOKEN}]}, "dict.json")
        mlflow.log_metric("m", 0.5)
        client = mlflow.MlflowClient()
        client.log_batch(run.info.run_id, [Metric("n", 1.5, 1, 1)], [Param("e", TOKEN)], [RunTag("f", TOKEN)])
        client.update_run(run.info.run_id, name=f"again {TOKEN}")
        client.set_experiment_tag(run.info.experiment_id, "g", TOKEN)
        mlflow.sklearn.autolog(log_models=False, log_datasets=False)
        LogisticRegression(class_weight=None, solver="lbfgs", verbose=0).fit([[0.0], [1.0]], [0, 1])
        mlflow.sklearn.autolog(disable=True)

    @mlflow.trace
    def ask(key: str) -> str:
        with mlflow.start_span(f"inner {key[:3]}", attributes={"key": key}):
            return f"answer with {key}"

    ask(TOKEN)
    with pytest.raises(ValueError, match="failed"), mlflow.start_span("failing"):
        raise ValueError(f"failed with {TOKEN}")
    mlflow.flush_trace_async_logging()
    assert canary.leaks(store) == []
    with sqlite3.connect(store / "mlflow.db") as database:
        params = dict(database.execute("select key, value from params"))
        names = [name for (name,) in database.execute("select name from runs")]
        metrics = dict(database.execute("select key, value from metrics"))
    assert params.items() >= {"a": "<secret TOKEN>", "b": "x <secret TOKEN>", "c": "1", "e": "<secret TOKEN>"}.items()
    assert metrics.items() >= {"m": 0.5, "n": 1.5}.items()
    assert names == ["again <secret TOKEN>"]

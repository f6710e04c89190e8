"""Where runs are tracked."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.domain.run import TrackedAt
from jupyter_mlops.tracking import uri

ROOT = Path("/data/churn")


@pytest.mark.parametrize(
    ("given", "absolute"),
    [
        ("sqlite:///mlflow.db", "sqlite:////data/churn/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("databricks", "databricks"),
        ("databricks://profile", "databricks://profile"),
        ("postgresql://u:p@host/db", "postgresql://u:p@host/db"),
        ("./mlruns", "file:///data/churn/mlruns"),
        ("file:///data/mlruns", "file:///data/mlruns"),
    ],
)
def test_a_uri_means_the_same_in_every_folder(given: str, absolute: str) -> None:
    assert uri.absolute_uri(given, ROOT) == absolute


def test_without_a_choice_the_store_is_in_the_project() -> None:
    assert uri.tracking_uri(ROOT, {}) == "sqlite:////data/churn/.mlops/mlflow.db"
    assert uri.tracking_uri(ROOT, {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}) == "http://mlflow:5000"
    assert uri.experiment_name(ROOT) == "churn"
    assert uri.experiment_name(Path("/")) == "notebooks"


def test_a_run_remembers_a_choice_and_only_a_choice() -> None:
    assert uri.place_of(ROOT, {}) == TrackedAt()
    assert uri.place_of(ROOT, {"MLFLOW_TRACKING_URI": uri.own_uri(ROOT)}) == TrackedAt()
    assert uri.place_of(ROOT, {"MLFLOW_TRACKING_URI": "sqlite:///a.db"}, ROOT / "notebooks") == TrackedAt(
        "sqlite:////data/churn/notebooks/a.db"
    )
    assert uri.place_of(ROOT, {"MLFLOW_EXPERIMENT_NAME": "ours"}) == TrackedAt(experiment="ours")
    assert uri.place_of(ROOT, {"MLFLOW_EXPERIMENT_ID": "7"}) == TrackedAt(experiment_id="7")


def test_a_password_is_not_shown() -> None:
    assert uri.shown_uri("https://ana:secret@mlflow:5000/x") == "https://mlflow:5000/x"
    assert uri.shown_uri("sqlite:////a/b.db") == "sqlite:////a/b.db"

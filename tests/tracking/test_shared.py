"""MLflow where machines share an index: a file of one machine is not written by another."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from postgresql import Cluster

from jupyter_mlops.domain.run import Run, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store
from jupyter_mlops.tracking.delivery import Delivery


def test_runs_of_another_machine_are_left_to_it_where_mlflow_is_a_file(
    tmp_path: Path, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_STORE", postgresql.url())
    with open_store(tmp_path) as store:
        before = store.now() - timedelta(minutes=1)
        made = Run(store.new_id(), 0, "job", "nb.ipynb", Status.RUNNING, host="elsewhere", created_at=before)
        store.runs.create(made)
        assert Delivery(store).round(0.0) is False
        store.runs.update(made.id, tracked_at=TrackedAt("http://127.0.0.1:9"))
        assert Delivery(store).round(0.0) is True, "a server is told by whoever comes first"
        assert store.outbox.size() == 1
    assert not (tmp_path / ".mlops" / "mlflow.db").exists()

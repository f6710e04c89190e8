"""A project whose runs and steps a test writes into the index as a kernel does, and what MLflow then shows of them."""

from __future__ import annotations

import os
import pickle
import re
import signal
import time
from pathlib import Path
from typing import Any

import cloudpickle
from mlflow import MlflowClient
from mlflow.entities import Run as MLflowRun

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepInput, StepRun
from jupyter_mlops.store import open_store
from jupyter_mlops.store.files.processes import is_alive
from jupyter_mlops.tracking import drain, log_path
from jupyter_mlops.tracking.uri import own_uri

PATIENCE = 60.0


class TrackedProject:
    """Writes through the store's own ways; reads through MLflow's client."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        (root / ".mlops").mkdir(exist_ok=True)
        self.store = open_store(root)
        self._position = 0

    def close(self) -> None:
        self.store.close()

    def run(self, *, start: bool = True, **values: Any) -> Run:
        """A run of `notebooks/churn.ipynb`; started unless told otherwise."""
        store = self.store
        given = {
            "kind": "job",
            "notebook": "notebooks/churn.ipynb",
            "status": Status.PENDING,
            "created_at": store.now(),
        }
        run = store.runs.create(Run(id=store.new_id(), number=0, **{**given, **values}))
        if start:
            store.runs.start(run.id, now=store.now())
        return store.runs.get(run.id)

    def begin(self, run: Run, name: str, **values: Any) -> StepRun:
        """A step that has begun."""
        self._position += 1
        given = {
            "inputs": {"frame": StepInput("a" * 64, "load")},
            "outputs": {"result": "b" * 64},
            "why": Reason(ReasonCode.HAD_NOT_RUN),
            "started_at": self.store.now(),
            "status": Status.RUNNING,
            "version": 1,
            "version_digest": "c" * 64,
        }
        step_run = StepRun(
            id=self.store.new_id(),
            run_id=run.id,
            notebook=run.notebook,
            step=name,
            position=self._position,
            **{**given, **values},
        )
        self.store.steps.start_run(step_run)
        return step_run

    def end(self, step_run: StepRun, status: Status = Status.COMPLETED, **values: Any) -> StepRun:
        """The same step, ended."""
        now = self.store.now()
        self.store.steps.update_run(step_run.id, told_at=now, status=status, ended_at=now, duration=0.5, **values)
        return self.store.steps.run(step_run.id)

    def step(self, run: Run, name: str, **values: Any) -> StepRun:
        """A step, from begin to end; `values` are set at the end."""
        return self.end(self.begin(run, name), **values)

    def reuse(self, run: Run, origin: StepRun) -> StepRun:
        """A reuse of what `origin` computed."""
        step_run = self.begin(
            run,
            origin.step,
            status=Status.REUSED,
            reused_from=origin.id,
            metrics=origin.metrics,
            ended_at=self.store.now(),
        )
        self.store.runs.add_metrics(run.id, origin.metrics, now=self.store.now())
        return step_run

    def model(self, step_run: StepRun, name: str, model: Any, sample: Any = None) -> None:
        """A model of a step, kept as the kernel keeps it."""
        objects = self.store.objects
        body = {
            "step_run_id": step_run.id,
            "name": name,
            "object": objects.put(cloudpickle.dumps(model), signed=True),
            "input_object": None if sample is None else objects.put(pickle.dumps(sample), signed=True),
        }
        self.store.outbox.post(step_run.run_id, "model", body, now=self.store.now())

    def finish(self, run: Run, status: Status = Status.COMPLETED, **values: Any) -> Run:
        """The run, ended."""
        self.store.runs.finish(run.id, status, now=self.store.now(), **values)
        return self.store.runs.get(run.id)

    def deliver(self) -> None:
        """Wait until the writer has told MLflow all."""
        assert drain(self.store, PATIENCE), log_path(self.root).read_text(encoding="utf-8")

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=own_uri(self.root), registry_uri=own_uri(self.root))

    def all_of(self, entity: Run | StepRun, uri: str | None = None) -> list[MLflowRun]:
        """All MLflow runs that say they stand for this Run or StepRun."""
        client = MlflowClient(tracking_uri=uri) if uri else self.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, f"tags.`mlops.id` = '{entity.id}'"))

    def mlflow_run(self, entity: Run | StepRun, uri: str | None = None) -> MLflowRun:
        """The one MLflow run that stands for it."""
        (found,) = self.all_of(entity, uri)
        return found

    def children(self, parent: MLflowRun) -> list[MLflowRun]:
        """MLflow runs nested in `parent`."""
        query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
        return list(self.client.search_runs([parent.info.experiment_id], query))

    def artifact(self, run: MLflowRun, path: str) -> bytes:
        """The bytes of one artifact."""
        return Path(self.client.download_artifacts(run.info.run_id, path)).read_bytes()

    def writers(self) -> list[int]:
        """Process ids of the writers that got to work, oldest first."""
        path = log_path(self.root)
        told = path.read_text(encoding="utf-8") if path.exists() else ""
        return [int(pid) for pid in re.findall(r"writer (\d+) started", told)]

    def stop_writers(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill the writers of this project and wait until they are gone."""
        for pid in self.writers():
            if is_alive(pid, None):
                os.kill(pid, how)
                while is_alive(pid, None):
                    time.sleep(0.01)

"""Which MLflow run stands for a Run or a StepRun, made where there is none: never two, whoever asks and whoever is killed.

The kernel (when a step uses MLflow itself) and the writer both come here; a file lock puts them in turn. Before a run
is made, the index notes that it is about to be; where that note has no run id, MLflow is searched first.
"""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.store import Store
from jupyter_mlops.tracking import tags, uri
from jupyter_mlops.tracking.database import ensure_database
from jupyter_mlops.tracking.uri import local_folder, sqlite_path

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MLflowRun

log = logging.getLogger(__name__)

Tags = Callable[[], Mapping[str, str]]
UNKNOWN = ""
"""In place of an MLflow run id in the index: one was about to be made."""


_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Models are trained in it; else MLflow's pages guess."""


class _Experiment(NamedTuple):
    id: str
    artifacts: str | None
    """Where its files go; None where the server says so later."""


class Identities:
    """The MLflow runs of one project in one tracking store. Finds and makes; what they hold is the mirror's matter."""

    def __init__(self, store: Store, tracking_uri: str) -> None:
        self.store = store
        self.uri = tracking_uri
        self._experiments: dict[tuple[str | None, str], _Experiment] = {}
        self._made: dict[str, MLflowRun] = {}
        """Runs that were just made, as they are."""

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client for this tracking store, which is made on first use where it is a SQLite file."""
        from mlflow import MlflowClient

        self.prepare()
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def prepare(self) -> None:
        """Make the tracking store where it is a SQLite file and missing."""
        ensure_database(self.store.root, self.uri)

    def run(self, run: Run, begin_with: Tags = dict) -> str:
        """The id of the MLflow run of `run`; one that is made has the tags `begin_with` where that saves a request."""
        tracked = self.store.outbox.tracked_id(run.id, self.uri)
        if tracked:
            if run.mlflow_run_id is None:
                self.store.runs.update(run.id, mlflow_run_id=tracked)
            return tracked
        experiment, artifacts = self._experiment(run)
        return self._make(
            run.id,
            run,
            experiment,
            tags.run_name(run),
            run.started_at or run.created_at,
            begin_with if self._is_here(artifacts) else dict,
        )

    def step(self, step_run: StepRun, run: Run | None = None, begin_with: Tags = dict) -> str:
        """The id of the nested MLflow run of `step_run`, which was executed, not reused."""
        tracked = self.store.outbox.tracked_id(step_run.id, self.uri)
        if tracked:
            return tracked
        whole = run or self.store.runs.get(step_run.run_id)
        parent = self.known(whole.id, lambda: self.run(whole)).info

        def nested() -> dict[str, str]:
            more = begin_with() if self._is_here(parent.artifact_uri) else {}
            return {**more, "mlflow.parentRunId": parent.run_id}

        return self._make(step_run.id, whole, parent.experiment_id, step_run.step, step_run.started_at, nested)

    def _is_here(self, artifacts: str | None) -> bool:
        """Whether runs and their files are on this machine: what tags say of files can then be seen to be so."""
        return sqlite_path(self.uri) is not None and local_folder(artifacts) is not None

    def known(self, entity_id: str, identify: Callable[[], str]) -> MLflowRun:
        """The MLflow run as it is; found or made anew where the one that was noted is gone with its store."""
        from mlflow.exceptions import MlflowException

        try:
            run_id = identify()
            return self._made.pop(run_id, None) or self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        self._experiments.clear()
        self.store.outbox.set_tracked_id(entity_id, self.uri, UNKNOWN)
        return self.client.get_run(identify())

    def experiment(self, run: Run) -> str:
        """The id of the experiment of `run`, made where it is missing."""
        return self._experiment(run).id

    def _experiment(self, run: Run) -> _Experiment:
        chosen = run.tracked_at.experiment_id or None
        name = run.tracked_at.experiment or uri.experiment_name(self.store.root)
        known = self._experiments.get((chosen, name))
        if known is None:
            known = self._experiments[chosen, name] = self._chosen(chosen) or self._named(name)
        return known

    def _make(self, entity_id: str, run: Run, experiment: str, name: str, started: datetime | None, extra: Tags) -> str:
        outbox = self.store.outbox
        with self.store.index.lock("tracking-runs"):
            tracked = outbox.set_tracked_id(entity_id, self.uri, UNKNOWN, only_new=True)
            if tracked == UNKNOWN:
                tracked = self._search(entity_id, experiment)
            if not tracked:
                made = self.client.create_run(
                    experiment,
                    start_time=tags.milliseconds(started),
                    tags={tags.ID: entity_id, **_user(), **tags.source_tags(run), **extra()},
                    run_name=name,
                )
                tracked = made.info.run_id
                self._made[tracked] = made
            outbox.set_tracked_id(entity_id, self.uri, tracked, is_run=entity_id == run.id)
        return tracked

    def _search(self, entity_id: str, experiment: str) -> str | None:
        from mlflow.entities import ViewType

        found = self.client.search_runs(
            [experiment], f"tags.`{tags.ID}` = '{entity_id}'", run_view_type=ViewType.ALL, max_results=1
        )
        return found[0].info.run_id if found else None

    def _chosen(self, experiment_id: str | None) -> _Experiment | None:
        from mlflow.exceptions import MlflowException

        if experiment_id is None:
            return None
        try:
            experiment = self.client.get_experiment(experiment_id)
            return _Experiment(str(experiment.experiment_id), experiment.artifact_location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            log.warning(
                "there is no experiment %s in %s; the project's is used", experiment_id, uri.shown_uri(self.uri)
            )
            return None

    def _named(self, name: str) -> _Experiment:
        """The experiment `name`; where that was deleted in MLflow, the next free `name-2`, as MLflow keeps the name."""
        with self.store.index.lock("tracking-runs"):
            number = 1
            while True:
                full = name if number == 1 else f"{name}-{number}"
                experiment = self.client.get_experiment_by_name(full)
                if experiment is None:
                    artifacts = self._artifacts(full)
                    return _Experiment(str(self.client.create_experiment(full, artifacts, _KIND)), artifacts)
                if experiment.lifecycle_stage == "active":
                    return _Experiment(str(experiment.experiment_id), experiment.artifact_location)
                number += 1

    def _artifacts(self, experiment: str) -> str | None:
        """Where artifacts go: a server knows; for a database MLflow would take whatever folder the process is in."""
        if "sql" not in self.uri.partition(":")[0]:
            return None
        return (uri.artifacts_folder(self.store.root) / experiment.replace("/", "_")).as_uri()


def _user() -> dict[str, str]:
    try:
        return {"mlflow.user": getpass.getuser()}
    except (KeyError, OSError):  # a container's user may have no name
        return {}

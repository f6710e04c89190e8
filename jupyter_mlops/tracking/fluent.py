"""In the kernel: while a step runs, what its code does with `mlflow` lands in the step's MLflow run.

`mlflow.log_*` and autolog go to the step's run, `mlflow.start_run()` makes a child of it, an explicit `run_id` is
respected. MLflow is never imported here: it is joined where the user's code has imported it, be it in the middle of a
step. The MLflow runs are made when they are first looked at, so a step that does not use MLflow costs nothing.
"""

from __future__ import annotations

import importlib
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.run import Run, RunKind, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.tracking import uri
from jupyter_mlops.tracking.attachment import Attachment, tell
from jupyter_mlops.tracking.imports import ImportWatch

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store
    from jupyter_mlops.tracking.identities import Identities


class StepRuns:
    """One kernel's steps, one after the other. Opens the store no sooner than a step uses MLflow."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._store: Store | None = None
        self._identities: dict[str, Identities] = {}
        self._step_run: StepRun | None = None
        self._run_id = ""
        self._thread = 0
        self._attachment: Attachment | None = None
        self._watch = ImportWatch("mlflow", self._attach)

    def before(self, step_run: StepRun) -> None:
        """A step is about to run in this thread. Never raises."""
        if self._step_run is not None:
            self.after(self._step_run)
        self._step_run = step_run
        if self._run_id != step_run.run_id:
            self._run_id = step_run.run_id
            self._place()
        self._thread = threading.get_ident()
        self._watch.install()
        if "mlflow" in sys.modules:
            self._attach()

    def after(self, step_run: StepRun) -> None:
        """The step has ended: end what its code left active, and leave MLflow as it was. Never raises."""
        self._watch.remove()
        attachment, self._attachment, self._step_run = self._attachment, None, None
        if attachment is None:
            return
        try:
            attachment.detach(failed=step_run.status in (Status.FAILED, Status.CANCELED, Status.LOST))
        except Exception as error:  # noqa: BLE001 - MLflow's state is foreign; the cell has ended and must stay so
            tell("MLflow's state was not restored", error)

    def _place(self) -> None:
        """A session's run remembers what this kernel's environment says of MLflow; a job's was told when it was made."""
        try:
            place, run = uri.place_of(self.root), self.run()
            if place != TrackedAt() and run.kind is RunKind.SESSION:
                said = {name: text for name, text in vars(place).items() if text}
                self.store.runs.update(run.id, tracked_at=replace(run.tracked_at, **said), told_at=self.store.now())
        except MLOpsError as error:
            tell("the run's tracking location was not recorded", error)

    def _attach(self) -> None:
        """MLflow is there: join it, once per step, in the thread of the step."""
        if self._step_run is None or self._attachment is not None or threading.get_ident() != self._thread:
            return
        try:
            importlib.import_module("mlflow")  # waits where another thread is still at importing it
            attachment = Attachment(self, self._step_run)
            _register_providers()
            attachment.attach()
            self._attachment = attachment
        except Exception as error:  # noqa: BLE001 - MLflow is foreign, in any version; the cell must run
            tell("what this step logs with mlflow is not in its own run", error)

    def identities(self, address: str) -> Identities:
        """The project's MLflow runs in the tracking store at `address`."""
        from jupyter_mlops.tracking.identities import Identities

        if address not in self._identities:
            self._identities[address] = Identities(self.store, address)
        return self._identities[address]

    def run(self) -> Run:
        """The Run of the step that runs, or ran last."""
        return self.store.runs.get(self._run_id)

    def experiment(self, address: str) -> str:
        """The id of the experiment that this Run goes to in the tracking store at `address`."""
        return self.identities(address).experiment(self.run())

    @property
    def store(self) -> Store:
        """The project's store, opened on first use."""
        from jupyter_mlops.store import open_store

        if self._store is None:
            self._store = open_store(self.root)
        return self._store


def _register_providers() -> None:
    """Tell MLflow, by its own plugin classes, whose child a new run is and which experiment is the default."""
    from mlflow.tracking.context import registry as contexts
    from mlflow.tracking.default_experiment import registry as experiments

    from jupyter_mlops.tracking.providers import DefaultExperiment, StepContext

    places: list[tuple[Any, type]] = [
        (contexts._run_context_provider_registry, StepContext),
        (experiments._default_experiment_provider_registry, DefaultExperiment),
    ]
    for registry, provider in places:
        if not any(isinstance(known, provider) for known in registry):
            registry.register(provider)

"""In the kernel: while a step runs, what its code does with `mlflow` lands in the step's MLflow run.

`mlflow.log_*` and autolog go to the step's run, `mlflow.start_run()` makes a child of it, an explicit `run_id` is
respected. MLflow is never imported here: it is joined where the user's code has imported it, be it in the middle of a
step. The MLflow runs are made when they are first looked at, so a step that does not use MLflow costs nothing.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from jupyter_mlops.domain.run import Run, RunKind, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.tracking import secrecy, uri
from jupyter_mlops.tracking.imports import ImportWatch

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store
    from jupyter_mlops.tracking.identities import Identities

log = logging.getLogger(__name__)


class TrackingWarning(UserWarning):
    """Something of MLflow did not work; the cell went on."""


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


class StepStack(list[Any]):
    """MLflow's list of active runs, which puts the step's run in when it is first looked at.

    The user's code may set another tracking URI before it uses MLflow, so the step's run is made there and then.
    """

    def __init__(self, active: Iterable[Any], make: Callable[[Any], Any]) -> None:
        super().__init__(active)
        self._make = make
        self._settling = threading.RLock()
        self._busy = False
        self.base: Any = None
        self.ended = False

    def settle(self) -> None:
        """Make sure of the step's run, unless the user's code has ended it."""
        with self._settling:
            if self._busy or self.ended:
                return
            self._busy = True
            try:
                position = self._position()
                made = self._make(self.base) if position is None or position == super().__len__() - 1 else self.base
                if made is not self.base:
                    self[position if position is not None else super().__len__() :] = [made] if made else []
                    self.base = made
            finally:
                self._busy = False

    def _position(self) -> int | None:
        for number, run in enumerate(super().__iter__()):
            if run is self.base:
                return number
        return None

    def __len__(self) -> int:
        self.settle()
        return super().__len__()

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[Any]:
        self.settle()
        return super().__iter__()

    def __getitem__(self, index: Any) -> Any:
        self.settle()
        return super().__getitem__(index)

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Remove and return an active run; the step's own is not put in again, as the user's code has ended it."""
        self.settle()
        run = super().pop(index)
        if run is self.base:
            self.ended = True
        return run

    def plain(self) -> list[Any]:
        """The runs in it now, without looking for the step's."""
        return list(super().__iter__())


class Attachment:
    """What is changed in MLflow while one step runs."""

    current: Attachment | None = None
    runs_of_last: StepRuns | None = None

    def __init__(self, runs: StepRuns, step_run: StepRun) -> None:
        from mlflow.tracking import fluent

        self.runs = runs
        self.step_run = step_run
        self._fluent = fluent
        self._outer = list(fluent._active_run_stack.get())
        self.stack = StepStack(self._outer, self._make)
        self._address = ""
        self._nested = _NestedByDefault(fluent.start_run)
        self._variable = _TrackingVariable(uri.own_uri(runs.root))

    def attach(self) -> None:
        """Join MLflow; touches no tracking store."""
        Attachment.runs_of_last = self.runs
        if KNOWN.patterns is not None:
            secrecy.guard()
        _register_providers()
        self._variable.set()
        self._nested.on()
        self._fluent._active_run_stack.set(self.stack)
        Attachment.current = self

    def detach(self, *, failed: bool) -> None:
        """End what the step left active, but for its own run, whose end the writer tells."""
        Attachment.current = None
        self._nested.off()
        own = self.stack.base
        self.stack.ended = True
        outer = {id(run) for run in self._outer}
        try:
            while (left := self.stack.plain()) and left[-1] is not own and id(left[-1]) not in outer:
                self._fluent.end_run("FAILED" if failed else "FINISHED")
        finally:
            remaining = [run for run in self.stack.plain() if run is not own]
            self._fluent._active_run_stack.set(remaining)
            if own is not None:
                self._fluent._last_active_run_id.set(own.info.run_id)
            self._variable.restore()

    def parent_id(self) -> str | None:
        """The MLflow run of the step."""
        self.stack.settle()
        return None if self.stack.base is None else str(self.stack.base.info.run_id)

    def _make(self, base: Any) -> Any:
        """The step's run in the tracking store that MLflow uses now; None, with a warning, where that fails."""
        address = current_address()
        if address == self._address:
            return base
        self._address = address
        try:
            return self._find(address)
        except Exception as error:  # noqa: BLE001 - servers and databases fail in any way; the user's call goes on
            tell(f"this step has no run in {uri.shown_uri(address)}", error)
            return None

    def _find(self, address: str) -> Any:
        from jupyter_mlops.tracking.reach import problem_with

        if problem := problem_with(address):
            raise ConnectionError(problem)
        store = self.runs.store
        run = store.runs.get(self.step_run.run_id)
        identities = self.runs.identities(address)
        identities.prepare()  # makes the store, before the writer hears of it
        if address != (run.tracked_at.uri or uri.own_uri(self.runs.root)):
            store.runs.update(run.id, tracked_at=replace(run.tracked_at, uri=address), told_at=store.now())
        found = identities.known(self.step_run.id, lambda: identities.step(self.step_run, run))
        return self._fluent.ActiveRun(found)


class _NestedByDefault:
    """Makes `nested=True` the default of `mlflow.start_run`, also where it was imported by name before."""

    def __init__(self, start_run: Any) -> None:
        self._start_run = start_run
        self._defaults = start_run.__defaults__

    def on(self) -> None:
        code = self._start_run.__code__
        names = code.co_varnames[: code.co_argcount]
        values = list(self._defaults)
        values[names.index("nested") - len(names)] = True
        self._start_run.__defaults__ = tuple(values)

    def off(self) -> None:
        self._start_run.__defaults__ = self._defaults


class _TrackingVariable:
    """Points MLflow at the project's store where the user has chosen none, also in processes that the step starts.

    Afterwards the variable goes, as it would follow into other projects; MLflow in this kernel stays pointed, so that
    later cells find what the steps logged.
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._added = False

    def set(self) -> None:
        import mlflow

        there = os.environ.get("MLFLOW_TRACKING_URI")
        if not mlflow.is_tracking_uri_set():
            mlflow.set_tracking_uri(self._own)
        if there is None and mlflow.get_tracking_uri() == self._own:
            os.environ["MLFLOW_TRACKING_URI"] = self._own
            self._added = True

    def restore(self) -> None:
        if self._added and os.environ.get("MLFLOW_TRACKING_URI") == self._own:
            del os.environ["MLFLOW_TRACKING_URI"]


def current_address() -> str:
    """The tracking URI that MLflow uses now, absolute."""
    import mlflow

    return uri.absolute_uri(mlflow.get_tracking_uri(), Path.cwd())


def tell(what: str, error: Exception) -> None:
    """Log a failure of ours and show it as a warning; never raises, also where warnings are made errors."""
    log.warning("%s", what, exc_info=error)
    try:
        warnings.warn(f"jupyter-mlops: {what}: {error}", TrackingWarning, stacklevel=2)
    except TrackingWarning:
        log.debug("warnings are errors here")


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

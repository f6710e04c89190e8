"""What is changed in MLflow while one step runs: its list of active runs, the tracking URI, the default of `nested`."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.tracking import secrecy, uri

if TYPE_CHECKING:
    from jupyter_mlops.domain.run import Run
    from jupyter_mlops.domain.step import StepRun
    from jupyter_mlops.store.store import Store
    from jupyter_mlops.tracking.identities import Identities

log = logging.getLogger(__name__)


class TrackingWarning(UserWarning):
    """Something of MLflow did not work; the cell went on."""


class Runs(Protocol):
    """The steps of one kernel, as the MLflow run of each needs them."""

    root: Path

    @property
    def store(self) -> Store:
        """The project's store."""

    def run(self) -> Run:
        """The Run of the step that runs, or ran last."""

    def identities(self, address: str) -> Identities:
        """The project's MLflow runs in the tracking store at `address`."""

    def experiment(self, address: str) -> str:
        """The id of the experiment that this Run goes to in the tracking store at `address`."""


class StepStack(list[Any]):
    """MLflow's list of active runs, which puts the step's run in when it is first looked at.

    The user's code may set another tracking URI before it uses MLflow, so the step's run is made there and then.
    """

    def __init__(self, active: Iterable[Any], make: Callable[[Any], Any]) -> None:
        super().__init__(active)
        self._make = make
        self._ensuring = threading.RLock()
        self._busy = False
        self.base: Any = None
        self.ended = False

    def ensure_run(self) -> None:
        """Make sure of the step's run, unless the user's code has ended it."""
        with self._ensuring:
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
        self.ensure_run()
        return super().__len__()

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[Any]:
        self.ensure_run()
        return super().__iter__()

    def __getitem__(self, index: Any) -> Any:
        self.ensure_run()
        return super().__getitem__(index)

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Remove and return an active run; the step's own is not put in again, as the user's code has ended it."""
        self.ensure_run()
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
    runs_of_last: Runs | None = None

    def __init__(self, runs: Runs, step_run: StepRun) -> None:
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
        self.stack.ensure_run()
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
        mlflow_id = identities.known(self.step_run.id, lambda: identities.step(self.step_run, run))
        return self._fluent.ActiveRun(mlflow_id)


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
        self._before: str | None = None

    def set(self) -> None:
        import mlflow

        self._before = os.environ.get("MLFLOW_TRACKING_URI")
        if not mlflow.is_tracking_uri_set():
            mlflow.set_tracking_uri(self._own)
        if not self._before and mlflow.get_tracking_uri() == self._own:  # an empty text is no choice, to MLflow too
            os.environ["MLFLOW_TRACKING_URI"] = self._own
            self._added = True

    def restore(self) -> None:
        if not self._added or os.environ.get("MLFLOW_TRACKING_URI") != self._own:
            return
        if self._before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = self._before


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

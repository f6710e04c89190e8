"""`%mlops form`: the notebook's parameters as fields, a button that starts a job with them, and the job's progress.

Nothing here holds up the cell or the kernel: starting, watching and canceling happen on threads of their own, so the
bar moves also while the kernel computes something else. Watching ends when the run has ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from jupyter_mlops.analysis.parameters.declared import checked_parameters
from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store
from jupyter_mlops.store.files.notebooks import read_notebook
from jupyter_mlops.widgets import words
from jupyter_mlops.widgets.fields import UNCHANGED, Field

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

INTERVAL = 0.3
"""Seconds between two looks at the index while a run goes on."""
RECONCILE_EVERY = 3.0
"""Seconds between two looks whether the run's process is still there."""

Submit = Callable[["Store", Path, Mapping[str, Any]], Run]
Cancel = Callable[["Store", Run], Run]

_log = logging.getLogger(__name__)
_COLORS = {Status.COMPLETED: "success", Status.FAILED: "danger", Status.CANCELED: "warning", Status.LOST: "danger"}


def show_form(notebook: Path) -> None:
    """Display the form of a notebook below the current cell. Raises as `parameter_form`."""
    import IPython.display

    display: Any = IPython.display.display
    display(parameter_form(notebook).view)


def parameter_form(notebook: Path, *, submit: Submit | None = None, cancel: Cancel | None = None) -> ParameterForm:
    """The form of the notebook as it is saved.

    Raises `NotebookError` where it cannot be read, `UnknownNameError` where there is none. `submit` and `cancel`
    default to the operations of these names.
    """
    fields = [Field(parameter) for parameter in checked_parameters(cells_of(read_notebook(notebook)))]
    return ParameterForm(notebook, fields, submit or _submit_job, cancel or _cancel_run)


class ParameterForm:
    """`view` is what is displayed; `run` is the run started last."""

    def __init__(self, notebook: Path, fields: list[Field], submit: Submit, cancel: Cancel) -> None:
        self.notebook = notebook
        self.fields = fields
        self.run: Run | None = None
        self._submit = submit
        self._cancel = cancel
        self._thread: threading.Thread | None = None
        self.start_button = ipywidgets.Button(
            description="Run", icon="play", button_style="primary", tooltip="Run the saved notebook as a job"
        )
        self.cancel_button = ipywidgets.Button(description="Cancel", icon="stop", disabled=True)
        self.bar = ipywidgets.IntProgress(layout={"visibility": "hidden"})
        self.status = ipywidgets.HTML()
        self.result = ipywidgets.HTML()
        self.start_button.on_click(lambda _: self.start())
        self.cancel_button.on_click(lambda _: self.cancel())
        rows = [field.view for field in fields]
        if not rows:
            rows = [
                ipywidgets.HTML(
                    "This notebook declares no parameters. To add some, tag a cell <code>parameters</code>."
                )
            ]
        buttons = ipywidgets.HBox([self.start_button, self.cancel_button, self.bar])
        self.view = ipywidgets.VBox([*rows, buttons, self.status, self.result])

    def start(self) -> None:
        """Start a job with what the fields hold, and watch it. Returns at once; errors are shown in the form."""
        if self._thread is not None and self._thread.is_alive():
            return
        self.result.value = ""
        try:
            parameters = self.parameters()
        except Exception as error:  # noqa: BLE001 - nothing may be raised into a button's click
            self.result.value = words.error_of(error)
            return
        self.start_button.disabled = True
        self.status.value = "Starting…"
        self._thread = threading.Thread(target=self._work, args=(parameters,), name="mlops-form", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the run to end. Returns at once."""
        self.cancel_button.disabled = True
        threading.Thread(target=self._end, args=(self.run,), name="mlops-form-cancel", daemon=True).start()

    def parameters(self) -> dict[str, Any]:
        """What was changed from the defaults. Raises `InputError` for a text that does not fit."""
        given = ((field.parameter.name, field.value()) for field in self.fields)
        return {name: value for name, value in given if value is not UNCHANGED}

    def wait(self, timeout: float) -> bool:
        """Wait until the run started last has ended and is shown. For scripts and tests: a cell would be held up."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _work(self, parameters: dict[str, Any]) -> None:
        try:
            with open_store(self.notebook) as store:
                self._watch(store, self._submit(store, self.notebook, parameters))
        except Exception as error:  # noqa: BLE001 - the thread's end is the form's: what went wrong is shown there
            _log.info("The form's job failed", exc_info=True)
            self.status.value = ""
            self.result.value = words.error_of(error)
        finally:
            self.cancel_button.disabled = True
            self.start_button.disabled = False

    def _watch(self, store: Store, run: Run) -> None:
        self._show(run, store)
        self.cancel_button.disabled = False
        token, looked_at = "", time.monotonic()
        while not run.status.ended:
            time.sleep(INTERVAL)
            if time.monotonic() - looked_at > RECONCILE_EVERY:
                looked_at = time.monotonic()
                _reconcile(store)
            seen = store.index.change_token()
            if seen != token:
                token, run = seen, store.runs.get(run.id)
            self._show(run, store)

    def _show(self, run: Run, store: Store) -> None:
        self.run = run
        total = max(run.progress.cells_total, 1)
        self.bar.layout.visibility = "visible"
        self.bar.max = total
        self.bar.value = total if run.status is Status.COMPLETED else min(run.progress.cells_done, total)
        self.bar.bar_style = _COLORS.get(run.status, "info")
        self.status.value = words.status_line(run, store.now())
        if run.status.ended:
            self.result.value = words.outcome(run)

    def _end(self, run: Run | None) -> None:
        if run is None:
            return
        try:
            with open_store(self.notebook) as store:
                self._cancel(store, store.runs.get(run.id))
        except Exception as error:  # noqa: BLE001 - as above
            _log.info("The form's job could not be canceled", exc_info=True)
            self.result.value = words.error_of(error)
            self.cancel_button.disabled = False


def _reconcile(store: Store) -> None:
    from jupyter_mlops.jobs.recovery.reconcile import reconcile
    from jupyter_mlops.tracking import wake

    if reconcile(store, now=store.now()):
        wake(store.root)


def _submit_job(store: Store, notebook: Path, parameters: Mapping[str, Any]) -> Run:
    from jupyter_mlops.operations.runs.submit import submit

    return submit(store, notebook, parameters)


def _cancel_run(store: Store, run: Run) -> Run:
    from jupyter_mlops.operations.runs.cancel import cancel

    return cancel(store, run.id)

"""Whose steps a status shows: those of the kernel that works with the notebook, of the run that left it behind, or,
where there is neither, those of its last live session."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.domain.run import Run
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

KERNEL, RECORD, RUN = "kernel", "record", "run"


@dataclass(frozen=True)
class InView:
    """What is looked at. `run_id` is the run whose step runs count as executed here, None where nothing was yet.

    For a notebook that a run left behind, `left_by` is that run, whatever a kernel did in it since.
    """

    kind: str = RECORD
    run_id: str | None = None
    left_by: Run | None = None


def in_kernel(run_id: str | None) -> InView:
    """The view of the kernel whose run this is."""
    return InView(KERNEL, run_id)


def find_view(store: Store | None, notebook: str, *, kernel: int | None = None, outputs: Iterable[Path] = ()) -> InView:
    """The view of `notebook`, of which `kernel` is the process of its kernel, None where it has none or it is not known.

    `outputs` are the files that a run may have written the notebook to.
    """
    if store is None:
        return InView(RECORD if kernel is None else KERNEL)
    at_work = None if kernel is None else _session_of(store, kernel)
    left_by = _leaver(store, outputs)
    if at_work is not None:
        return InView(KERNEL, at_work, left_by)
    if left_by is not None:
        return InView(RUN, left_by.id, left_by)
    if kernel is not None:
        return InView(KERNEL)
    return InView(RECORD, store.runs.newest_session(notebook))


def _session_of(store: Store, kernel: int) -> str | None:
    """The id of the live session that the process `kernel` has, or one that it started and only waits for."""
    sessions = [run for run in store.runs.at_work() if run.kind == "session"]
    alive = [run for run in sessions if processes.is_alive(run.pid, run.pid_started)]
    own = [run for run in alive if run.pid == kernel] or [
        run for run in alive if run.pid is not None and processes.is_within(run.pid, kernel)
    ]
    return own[0].id if own else None


def _leaver(store: Store, outputs: Iterable[Path]) -> Run | None:
    paths = {store.relative(path) for path in outputs}
    found = store.runs.of_output(paths) if paths else None
    return None if found is None or found.kind == "session" else found


def maybe_outputs(path: Path, told: object) -> list[Path]:
    """Where a run may have written the notebook at `path`, whose metadata have `told` as `papermill`; [] where none did."""
    if not isinstance(told, dict) or not told.get("start_time"):
        return []
    written = told.get("output_path")
    there = Path(written) if isinstance(written, str) and os.path.isabs(written) else path
    return list({path, there})

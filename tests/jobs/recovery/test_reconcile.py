from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from notebooks import code, write_notebook

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.store.store import Store

NO_PROCESS = 2**22 + 1


def pending(store: Store, **options: Any) -> Run:
    path = write_notebook(store.root / "a.ipynb", code("x = 1"))
    return create_run(store, check_request(path, {}), kind="job", now=store.now(), **options)


def test_a_pending_run_whose_process_ended_is_lost(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = pending(store)
        store.runs.update(run.id, pid=NO_PROCESS, pid_started=1.0)
        reconcile(store, now=store.now())
        found = store.runs.get(run.id)
        assert found.status is Status.LOST
        assert found.error is not None
        assert found.error.cause == "not_started"


def test_a_run_that_waits_in_the_queue_or_whose_process_lives_is_not_lost(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        mine, queued = pending(store), pending(store, queued=True)
        reconcile(store, now=store.now() + timedelta(days=5))
        assert store.runs.get(mine.id).status is Status.PENDING
        assert store.runs.get(queued.id).status is Status.PENDING

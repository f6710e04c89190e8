"""Delivers notices: a process of its own, started where some are due, that ends when none is due soon.

`python -m jupyter_mlops.jobs.notices ROOT`. So no run, worker or scheduler ever waits for a receiver. Each attempt is
claimed in the index first, so that several of these processes do not send the same notice at once.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.notice import FAILURE, Notice
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.errors import MLOpsError, StoreError, UnknownNameError
from jupyter_mlops.jobs.detached import start_detached
from jupyter_mlops.jobs.notices.send import NotSentError, send
from jupyter_mlops.jobs.notices.targets import find_target
from jupyter_mlops.store.files.locks import try_file_lock
from jupyter_mlops.store.store import Store

logger = logging.getLogger("jupyter_mlops.notices")

PAUSES = (5.0, 30.0, 120.0, 600.0, 3600.0, 4 * 3600.0)
"""Seconds before each further attempt; then it is given up."""
ATTEMPT = timedelta(seconds=90)
"""An attempt that is not heard of for so long is taken for dead, and made again."""
LINGER_SECONDS = 150.0
"""The process stays for a notice that is due within this time; others wait for whoever comes next."""
AT_ONCE = 8
TOLD = (
    *("id", "number", "kind", "notebook", "status", "parameters", "metrics", "error", "output_path", "schedule_id"),
    *(
        "created_at",
        "started_at",
        "ended_at",
        "duration",
        "steps_executed",
        "steps_reused",
        "attempt",
        "resumes",
        "left_out",
    ),
)
"""What a receiver is told of a run."""


def wake(store: Store) -> None:
    """Where a notice is due and no one is at it, start a process that sends it. Never raises for want of one."""
    try:
        if not store.notices.due(store.now()):
            return
        with try_file_lock(_lock_path(store)) as free:
            pass
        if free:
            start_detached(store, [sys.executable, "-m", "jupyter_mlops.jobs.notices", str(store.root)])
    except StoreError as error:
        logger.warning("Notifications are waiting: %s %s", error.message, error.hint)


def event_of(store: Store, notice: Notice, run: Run) -> dict[str, Any]:
    """What is told, as JSON."""
    told = {name: to_wire(getattr(run, name)) for name in TOLD}
    word = {FAILURE: str(run.status)}.get(notice.event, notice.event)
    summary = f"{run.notebook}: run {run.number} {'completed' if notice.event != FAILURE else word}"
    if notice.event == FAILURE and run.error is not None and run.error.step:
        summary += f" in step {run.error.step}"
    if notice.event != FAILURE and notice.event != "success":
        summary += ", after it had failed before"
    return {"id": notice.id, "event": notice.event, "summary": summary, "project": store.root.name, "run": told}


def deliver(store: Store) -> int:
    """Try all notices that are due, several at once; returns how many were tried."""
    due = store.notices.due(store.now())
    if not due:
        return 0
    with ThreadPoolExecutor(min(AT_ONCE, len(due)), thread_name_prefix="mlops-notice") as pool:
        return sum(pool.map(lambda notice: _try(store, notice), due))


def work(store: Store, *, linger: float = LINGER_SECONDS, sleep: Callable[[float], None] = time.sleep) -> None:
    """Deliver until nothing is due within `linger` seconds."""
    while True:
        deliver(store)
        next_at = store.notices.next_at()
        if next_at is None:
            return
        wait = (next_at - store.now()).total_seconds()
        if wait > linger:
            return
        sleep(min(max(wait, 0.05), 5.0))


def _try(store: Store, notice: Notice) -> bool:
    now = store.now()
    if not store.notices.claim(notice, now=now, until=now + ATTEMPT):
        return False
    try:
        _send(store, notice, now)
    except NotSentError as error:
        _put_off(store, notice, str(error), None if error.final else _next_at(store, notice))
    except MLOpsError as error:
        _put_off(store, notice, f"{error.message} {error.hint}", _next_at(store, notice))
    except Exception as error:
        logger.warning("Notice %s", notice.id, exc_info=True)
        _put_off(store, notice, f"{type(error).__name__}: {error}", _next_at(store, notice))
    else:
        store.notices.sent(notice.id, now=store.now())
        logger.info("Notice %s (%s) is sent to %s.", notice.id[:8], notice.event, notice.target)
    return True


def _send(store: Store, notice: Notice, now: datetime) -> None:
    try:
        run = store.runs.detail(notice.run_id)
    except UnknownNameError:
        raise NotSentError("the run is no longer in the index", final=True) from None
    target = find_target(store.root, notice.target)
    send(target, event_of(store, notice, run), folder=store.root, timestamp=int(now.timestamp()))


def _next_at(store: Store, notice: Notice) -> datetime | None:
    if notice.attempts >= len(PAUSES):
        return None
    return store.now() + timedelta(seconds=PAUSES[notice.attempts])


def _put_off(store: Store, notice: Notice, error: str, next_at: datetime | None) -> None:
    store.notices.failed(notice.id, error, next_at=next_at)
    what = "is tried again later" if next_at else "is given up"
    logger.warning("Notice %s (%s) to %s %s: %s", notice.id[:8], notice.event, notice.target, what, error)


def _lock_path(store: Store) -> Path:
    return store.folder / "notices.lock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Deliver what is due in the project ROOT; another process that does so already is left to it."""
    (root,) = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    with Store.open(Path(root), create=False) as store:
        while True:
            with try_file_lock(_lock_path(store)) as free:
                if not free:
                    return 0
                work(store)
            # One that was made while the lock was still held is this process's, too: its maker saw the lock.
            if not store.notices.due(store.now()):
                return 0

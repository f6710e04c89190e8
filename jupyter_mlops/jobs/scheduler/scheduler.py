"""The scheduler: a foreground loop that puts due runs into the queue, each fire time once. It needs no browser or server.

A fire time is claimed by inserting its row, which only one process can. The run's id follows from schedule and fire
time, and a run is taken by a worker in one transaction; so a scheduler that takes up what another left behind, at
whichever point that one died, cannot start anything twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import islice

from jupyter_mlops import tracking
from jupyter_mlops.domain.run import Run, RunFailure, RunKind, RunOptions
from jupyter_mlops.domain.schedule import Fire, Heartbeat, Schedule
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError, StoreError, UnknownNameError
from jupyter_mlops.execution.notebook.output_file import check_output
from jupyter_mlops.jobs.detached import ensure_worker
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.scheduler.cron import fire_times
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

logger = logging.getLogger(__name__)

TICK_SECONDS = 2.0
"""How late a run may start, and how soon a new schedule is seen."""
BEAT = timedelta(seconds=5)
RECONCILE = timedelta(seconds=30)
TOO_OLD = timedelta(days=1)
LATE = timedelta(minutes=1)
"""Later than this, a fire time counts as missed: such runs wait for one another, those on time do not."""
MISSED_AT_ONCE = max(2, os.cpu_count() or 2)
LEFT_BEHIND = timedelta(minutes=1)
"""A fire time claimed so long ago and still without a run has lost its scheduler."""
MOST_AT_ONCE = 1000

Spawn = Callable[[Store, Run], None]
"""Sees to it that a run of the queue is executed."""


def to_worker(store: Store, _run: Run) -> None:
    """Any worker takes it; where there is none, one is started."""
    ensure_worker(store)


def run_id_of(schedule_id: str, fire_at: datetime) -> str:
    """The id of the run of a fire time: the same whoever starts it."""
    text = f"{schedule_id} {fire_at.astimezone(timezone.utc).isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Scheduler:
    """Fires the schedules of one project. Time and the starting of workers are arguments."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], object],
        spawn: Spawn = to_worker,
    ) -> None:
        self.store = store
        self._now = now
        self._sleep = sleep
        self._spawn = spawn
        pid, started = processes.this_process()
        self._heart = Heartbeat(store.new_id(), socket.gethostname(), pid, started, now(), now())
        self._beaten: datetime | None = None
        self._reconciled: datetime | None = None
        self._waiting = 0

    def run(self, stopped: Callable[[], bool]) -> None:
        """Fire what is due until `stopped`; what was missed comes first."""
        logger.info("Scheduler of '%s' started (process %s).", self.store.root, self._heart.pid)
        try:
            self._attempt(self.take_up, timedelta(0))
            while not stopped():
                self._attempt(self.tick)
                if not stopped():
                    self._sleep(TICK_SECONDS)
        finally:
            with contextlib.suppress(StoreError):
                self.store.schedules.stop_beating(self._heart.id)
            logger.info("Scheduler stopped. Runs it started continue.")

    def _attempt(self, action: Callable[..., None], *arguments: object) -> None:
        """A store that cannot be used for a moment (busy, full) must not end the loop."""
        try:
            action(*arguments)
        except StoreError as error:
            logger.error("%s %s", error.message, error.hint)

    def tick(self) -> None:
        """Do once what is to do now."""
        now = self._now()
        self._beat(now)
        if self._reconciled is None or now - self._reconciled >= RECONCILE:
            self._reconciled = now
            reconcile(self.store, now=now)
            self.take_up(LEFT_BEHIND)
            self._see_to_waiting()
        for schedule in self.store.schedules.list():
            self._fire_due(schedule)

    def _see_to_waiting(self) -> None:
        """Runs of schedules that still wait must not wait for a worker that went."""
        waiting = [run for run in self.store.runs.open() if run.status is Status.PENDING and run.schedule_id]
        if waiting:
            self._spawn(self.store, waiting[-1])

    def take_up(self, age: timedelta) -> None:
        """Start what a scheduler claimed and did not live to start, where the claim is older than `age`."""
        now = self._now()
        known = {schedule.id: schedule for schedule in self.store.schedules.list()}
        for fire in sorted(self.store.schedules.claimed(), key=lambda fire: fire.fire_at):
            if now - fire.fire_at < age:
                continue
            schedule = known.get(fire.schedule_id)
            if schedule is None:
                self._finish_fire(fire, "skipped", "The schedule was removed before its run started.")
                continue
            logger.warning(
                "Schedule %s: starting %s, which another scheduler had left unfinished.",
                schedule.number,
                _shown(fire.fire_at),
            )
            self._start(schedule, fire.fire_at)

    def _fire_due(self, schedule: Schedule) -> None:
        try:
            due = self._due(schedule)
        except MLOpsError as error:
            logger.error("Schedule %s cannot fire: %s %s", schedule.number, error.message, error.hint)
            return
        for fire_at in due:
            if self._now() - fire_at > LATE and self._is_full(schedule, fire_at):
                return
            if self.store.schedules.claim(schedule.id, fire_at, now=self._now()):
                self._start(schedule, fire_at)

    def _due(self, schedule: Schedule) -> list[datetime]:
        """Fire times up to now that no one has claimed, oldest first; those older than a day are skipped here."""
        now = self._now()
        newest = self.store.schedules.fires(schedule.id, limit=1)
        since = newest[0].fire_at if newest else schedule.created_at or now
        if since < now - TOO_OLD:
            self._skip_old(schedule, since, now - TOO_OLD)
            since = now - TOO_OLD - timedelta(microseconds=1)
        due: list[datetime] = []
        for fire_at in islice(fire_times(schedule.cron, schedule.timezone, since), MOST_AT_ONCE):
            if fire_at > now:
                break
            due.append(fire_at)
        return due

    def _skip_old(self, schedule: Schedule, since: datetime, until: datetime) -> None:
        """Record fire times in (since, until) as skipped: one row, for the last of them, that tells of all."""
        first: datetime | None = None
        last: datetime | None = None
        count = 0
        for fire_at in fire_times(schedule.cron, schedule.timezone, since):
            if fire_at >= until:
                break
            first, last, count = first or fire_at, fire_at, count + 1
        if first is None or last is None:
            return
        times = _shown(first) if count == 1 else f"{count} fire times from {_shown(first)} to {_shown(last)}"
        note = f"Skipped {times}: no scheduler was running, and more than a day has passed."
        if self.store.schedules.claim(schedule.id, last, now=self._now(), status="skipped", note=note):
            logger.warning("Schedule %s (%s): %s", schedule.number, schedule.notebook, note)

    def _is_full(self, schedule: Schedule, fire_at: datetime) -> bool:
        """Whether a missed run has to wait, because as many runs as there are processors are at work."""
        open_runs = [run for run in self.store.runs.open() if run.schedule_id]
        if len(open_runs) < MISSED_AT_ONCE:
            self._waiting = 0
            return False
        if self._waiting != len(open_runs):
            self._waiting = len(open_runs)
            logger.info(
                "Schedule %s: the missed run of %s waits until one of %s runs has ended.",
                schedule.number,
                _shown(fire_at),
                len(open_runs),
            )
        return True

    def _start(self, schedule: Schedule, fire_at: datetime) -> None:
        """Start the run of a claimed fire time. Whatever keeps it from starting is recorded, and the loop goes on."""
        fire = Fire(schedule.id, fire_at, "claimed")
        run_id = run_id_of(schedule.id, fire_at)
        try:
            run = self._run_of(schedule, run_id)
            if run.status is Status.PENDING:
                self._spawn(self.store, run)
        except StoreError as error:
            # The claim stays as it is: once the store can be used again, it is taken up.
            logger.error("Schedule %s: %s %s", schedule.number, error.message, error.hint)
            return
        except Exception as error:  # noqa: BLE001 - a notebook or kernel spec of whatever kind must not stop all schedules
            self._fail(schedule, fire, run_id, error)
            return
        late = self._now() - fire_at
        note = f"started {_span(late)} late" if late > LATE else ""
        self._finish_fire(fire, "started", note, run_id)
        logger.info(
            "Schedule %s (%s): run %s for %s%s.",
            schedule.number,
            schedule.notebook,
            run.number,
            _shown(fire_at),
            f", {note}" if note else "",
        )

    def _run_of(self, schedule: Schedule, run_id: str) -> Run:
        """The run of a fire time: made now, or by a scheduler before us or at this moment."""
        known = self._known(run_id)
        if known is not None:
            return known
        request = check_request(self.store.root / schedule.notebook, schedule.parameters, bounded=False)
        check_output(self.store.root / "runs" / "run.ipynb", None)
        now = self._now()
        options = RunOptions(notify=schedule.notify)
        return enqueue(
            self.store, request, kind=RunKind.SCHEDULE, now=now, options=options, run_id=run_id, schedule_id=schedule.id
        )

    def _known(self, run_id: str) -> Run | None:
        try:
            return self.store.runs.get(run_id)
        except UnknownNameError:
            return None

    def _fail(self, schedule: Schedule, fire: Fire, run_id: str, error: Exception) -> None:
        """Record a run that could not be started as a failed one."""
        known = isinstance(error, MLOpsError)
        text = f"{error.message} {error.hint}".strip() if isinstance(error, MLOpsError) else f"{error!r}"
        logger.error("Schedule %s (%s) not started: %s", schedule.number, schedule.notebook, text, exc_info=not known)
        now = self._now()
        if self._known(run_id) is None:
            self.store.runs.create(
                Run(
                    id=run_id,
                    number=0,
                    kind=RunKind.SCHEDULE,
                    notebook=schedule.notebook,
                    status=Status.PENDING,
                    parameters=schedule.parameters,
                    schedule_id=schedule.id,
                    created_at=now,
                )
            )
        self.store.runs.finish(run_id, Status.FAILED, now=now, error=RunFailure("not_started", text))
        tracking.wake(self.store.root)
        self._finish_fire(fire, "failed", text, run_id)

    def _finish_fire(self, fire: Fire, status: str, note: str = "", run_id: str | None = None) -> None:
        self.store.schedules.finish_fire(fire.schedule_id, fire.fire_at, status, run_id=run_id, note=note)

    def _beat(self, now: datetime) -> None:
        if self._beaten is None or now - self._beaten >= BEAT:
            self._beaten = now
            heart = self._heart
            self.store.schedules.beat(
                Heartbeat(heart.id, heart.host, heart.pid, heart.pid_started, heart.started_at, now)
            )


def _shown(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"

"""The scheduler: a foreground loop that puts due runs into the queue, each fire time once. It needs no browser or server.

Of several schedulers of a project one holds the lease and fires; the others stand by. Should two fire all the same, such
as after a machine slept in the middle: a fire time is claimed by inserting its row, which only one process can; the run's
id follows from schedule and fire time, and a run is taken by a worker in one transaction. So a scheduler that takes up
what another left behind, at whichever point that one died, cannot start anything twice.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_mlops import tracking
from jupyter_mlops.domain.run import Run, RunCause, RunFailure, RunKind
from jupyter_mlops.domain.schedule import Fire, Heartbeat, Schedule
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError, StoreError
from jupyter_mlops.jobs.detached import ensure_worker
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.scheduler.due import LATE, Span, due_times, shown
from jupyter_mlops.jobs.scheduler.firing import known_run, make_way, queued_run, run_id_of
from jupyter_mlops.jobs.scheduler.timing import delay_of, due_at, next_after
from jupyter_mlops.jobs.scheduler.triggers import Watcher
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

logger = logging.getLogger(__name__)

TICK_SECONDS = 2.0
"""How late a run may start, and how soon a new schedule is seen."""
BEAT = timedelta(seconds=5)
RECONCILE = timedelta(seconds=30)
LEASE = "scheduler"
LEASE_SPAN = timedelta(seconds=15)
AFTER_OTHERS = -1
"""Priority of runs that are made up: those on time go first."""
LEFT_BEHIND = timedelta(minutes=1)
"""A fire time claimed so long ago and still without a run has lost its scheduler."""
RETRIED = timedelta(days=7)
"""Runs of fire times older than this are not retried."""

Spawn = Callable[[Store, Run], None]
"""Sees to it that a run of the queue is executed."""


def to_worker(store: Store, _run: Run) -> None:
    """Any worker takes it; where there is none, one is started."""
    ensure_worker(store)


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
        self._leased_until: datetime | None = None
        self._standing_by_for = ""
        self._watcher = Watcher(store)
        self._told: dict[str, str] = {}
        """Schedule → what was last logged of it as an error: said once, not at each tick."""

    def run(self, stopped: Callable[[], bool]) -> None:
        """Fire what is due until `stopped`; what was missed comes first."""
        logger.info("Scheduler of '%s' started (process %s).", self.store.root, self._heart.pid)
        try:
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
        """Do once what is to do now; nothing but a heartbeat where another scheduler has the lease."""
        now = self._now()
        has_beaten = self._beat(now)
        took_over = self._leased_until is None
        if not self._holds_lease(now):
            return
        if took_over:
            self.take_up(timedelta(0))
        if self._reconciled is None or now - self._reconciled >= RECONCILE:
            self._reconciled = now
            reconcile(self.store, now=now)
            self.take_up(LEFT_BEHIND)
            self._see_to_waiting()
        if has_beaten:
            self._retry(now)
        for schedule in self.store.schedules.due(now):
            self._fire_due(schedule)
        for schedule in self.store.schedules.waiting():
            self._fire_triggered(schedule)

    def _holds_lease(self, now: datetime) -> bool:
        """Whether this scheduler is the one that fires."""
        if self._leased_until is not None and now < self._leased_until - LEASE_SPAN * 2 / 3:
            return True
        holder = self.store.schedules.lease(LEASE, self._heart.id, now=now, span=LEASE_SPAN)
        if holder != self._heart.id and self._is_gone(holder):
            self.store.schedules.forget(holder)
            holder = self.store.schedules.lease(LEASE, self._heart.id, now=now, span=LEASE_SPAN)
        if holder == self._heart.id:
            self._leased_until, self._standing_by_for = now + LEASE_SPAN, ""
            return True
        self._leased_until = None
        if self._standing_by_for != holder:
            self._standing_by_for = holder
            logger.info("Another scheduler of this project is running; this one takes over should it end.")
        return False

    def _is_gone(self, holder: str) -> bool:
        """Whether the scheduler of this id was on this machine and is no more."""
        for heart in self.store.schedules.heartbeats():
            if heart.id == holder:
                return heart.host == self._heart.host and not processes.is_alive(heart.pid, heart.pid_started)
        return False

    def _see_to_waiting(self) -> None:
        """Runs of schedules that still wait must not wait for a worker that went."""
        waiting = self.store.runs.first_waiting_of_schedules()
        if waiting is not None:
            self._spawn(self.store, waiting)

    def take_up(self, age: timedelta) -> None:
        """Start what a scheduler claimed and did not live to start, where the claim is older than `age`."""
        now = self._now()
        for fire in self.store.schedules.claimed():
            if now - fire.fire_at < age:
                continue
            schedule = self.store.schedules.by_id(fire.schedule_id)
            if schedule is None:
                self._finish_fire(fire, "skipped", "The schedule was removed before its run started.")
                continue
            logger.warning(
                "Schedule %s: starting %s, which another scheduler had left unfinished.",
                schedule.number,
                shown(fire.fire_at),
            )
            self._start(schedule, fire)

    def _retry(self, now: datetime) -> None:
        """Continue failed runs of schedules that try again, once their time has come."""
        for fire, failed_at in self.store.schedules.failed(now - RETRIED):
            schedule = self.store.schedules.by_id(fire.schedule_id)
            if schedule is None:
                continue
            wait = timedelta(seconds=schedule.policy.retry_delay * 2**fire.attempt)
            if now >= failed_at + wait and self.store.schedules.claim_retry(fire):
                self._start(schedule, replace(fire, status="claimed", attempt=fire.attempt + 1))

    def _fire_due(self, schedule: Schedule) -> None:
        """Fire what is due of one schedule."""
        now = self._now()
        since = self._decided_until(schedule)
        try:
            due = due_times(schedule, since, now)
            for span in due.skipped:
                self._skip(schedule, span)
                self._decide(schedule, span.last)
            for fire_at in due.run:
                self._fire(schedule, fire_at)
                self._decide(schedule, fire_at)
            if not due.skipped and not due.run:
                self._decide(schedule, since)
        except StoreError:
            raise
        except MLOpsError as error:
            self._tell_error(schedule, f"{error.message} {error.hint}")

    def _fire_triggered(self, schedule: Schedule) -> None:
        """Fire what happened that a schedule waits for. What cannot be looked at is told with the schedule."""
        trouble = ""
        try:
            happened = self._watcher.happened(schedule, self._now())
            if happened is None:
                return
            for cause, sighting in happened:
                if cause is not None:
                    self._fire_cause(schedule, cause)
                if sighting is not None:
                    self.store.schedules.note_sightings(schedule.id, [sighting])
        except StoreError:
            raise
        except MLOpsError as error:
            trouble = f"{error.message} {error.hint}".strip()
            self._tell_error(schedule, trouble)
        if trouble != schedule.trouble:
            self.store.schedules.note_trouble(schedule.id, trouble)

    def _fire_cause(self, schedule: Schedule, cause: RunCause) -> None:
        """Fire once for a cause; the fire time is the moment it was seen, which is no other's of the schedule."""
        fire_at = self._now()
        newest = self.store.schedules.fires(schedule.id, limit=1)
        if newest and newest[0].fire_at >= fire_at:
            fire_at = newest[0].fire_at + timedelta(microseconds=1)
        if self.store.schedules.claim(schedule.id, fire_at, now=self._now(), cause=cause):
            self._start(schedule, Fire(schedule.id, fire_at, "claimed", cause=cause))

    def _decided_until(self, schedule: Schedule) -> datetime:
        """Those of before this was noted: their newest fire, else their making."""
        if schedule.decided_until is not None:
            return schedule.decided_until
        newest = self.store.schedules.fires(schedule.id, limit=1)
        return newest[0].fire_at if newest else schedule.created_at or self._now()

    def _decide(self, schedule: Schedule, until: datetime) -> None:
        following = next_after(schedule, until)
        self.store.schedules.decide(schedule.id, until, next_fire_at=following, due_at=due_at(schedule, following))

    def _fire(self, schedule: Schedule, fire_at: datetime) -> None:
        if self.store.schedules.claim(schedule.id, fire_at, now=self._now()):
            self._start(schedule, Fire(schedule.id, fire_at, "claimed"))

    def _skip(self, schedule: Schedule, span: Span) -> None:
        """Record fire times as skipped: one row, for the last of them, that tells of all."""
        note = str(span)
        if self.store.schedules.claim(schedule.id, span.last, now=self._now(), status="skipped", note=note):
            logger.warning("Schedule %s (%s): %s", schedule.number, schedule.notebook, note)

    def _tell_error(self, schedule: Schedule, text: str) -> None:
        if self._told.get(schedule.id) != text:
            self._told[schedule.id] = text
            logger.error("Schedule %s cannot fire: %s", schedule.number, text)

    def _start(self, schedule: Schedule, fire: Fire) -> None:
        """Start the run of a claimed fire. Whatever keeps it from starting is recorded, and the loop goes on."""
        now = self._now()
        late = now - fire.fire_at - delay_of(schedule)
        priority = AFTER_OTHERS if late > LATE else 0
        try:
            if known_run(self.store, run_id_of(schedule.id, fire.fire_at, fire.attempt)) is None:
                skipped = make_way(self.store, schedule, now=now)
                if skipped:
                    self._finish_fire(fire, "skipped", skipped)
                    logger.info("Schedule %s (%s): %s", schedule.number, schedule.notebook, skipped)
                    return
            run = queued_run(self.store, schedule, fire, self._previous(schedule, fire), now=now, priority=priority)
            if run.status is Status.PENDING:
                self._spawn(self.store, run)
        except StoreError as error:
            # The claim stays as it is: once the store can be used again, it is taken up.
            logger.error("Schedule %s: %s %s", schedule.number, error.message, error.hint)
            return
        except Exception as error:  # noqa: BLE001 - a notebook or kernel spec of whatever kind must not stop all schedules
            self._fail(schedule, fire, error)
            return
        note = f"retry {fire.attempt} of {schedule.policy.retries}" if fire.attempt else ""
        note = note or (f"started {_span(late)} late" if late > LATE else "")
        self._finish_fire(fire, "started", note, run.id)
        logger.info(
            "Schedule %s (%s): run %s for %s%s.",
            schedule.number,
            schedule.notebook,
            run.number,
            shown(fire.fire_at),
            f", {note}" if note else "",
        )

    def _previous(self, schedule: Schedule, fire: Fire) -> datetime | None:
        """When it fired before, for its templates."""
        if not schedule.templates:
            return None
        earlier = (each.fire_at for each in self.store.schedules.fires(schedule.id, limit=20))
        return next((moment for moment in earlier if moment < fire.fire_at), None)

    def _fail(self, schedule: Schedule, fire: Fire, error: Exception) -> None:
        """Record a run that could not be started as a failed one."""
        known = isinstance(error, MLOpsError)
        text = f"{error.message} {error.hint}".strip() if isinstance(error, MLOpsError) else f"{error!r}"
        logger.error("Schedule %s (%s) not started: %s", schedule.number, schedule.notebook, text, exc_info=not known)
        now = self._now()
        run_id = run_id_of(schedule.id, fire.fire_at, fire.attempt)
        if known_run(self.store, run_id) is None:
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
                    cause=fire.cause,
                )
            )
        self.store.runs.finish(run_id, Status.FAILED, now=now, error=RunFailure("not_started", text))
        tracking.wake(self.store.root)
        self._finish_fire(fire, "failed", text, run_id)

    def _finish_fire(self, fire: Fire, status: str, note: str = "", run_id: str | None = None) -> None:
        self.store.schedules.finish_fire(fire.schedule_id, fire.fire_at, status, run_id=run_id, note=note)

    def _beat(self, now: datetime) -> bool:
        """Say that this scheduler is alive, now and then; whether it was said now."""
        if self._beaten is not None and now - self._beaten < BEAT:
            return False
        self._beaten = now
        self.store.schedules.beat(replace(self._heart, beat_at=now))
        return True


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"

"""Months of schedules within seconds: clocks that change, outages, restarts and two schedulers, with an injected clock.

What became of each fire time is held against the schedule's policy: it ran once, or a row says why it did not.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.schedule import Fire, Missed, Overlap, Schedule
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.jobs.scheduler.due import LATE
from jupyter_mlops.jobs.scheduler.scheduler import Scheduler
from jupyter_mlops.jobs.scheduler.timing import delay_of
from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule
from jupyter_mlops.store.db.schema import schedules
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago", "UTC")
"""Zones with and without clock changes, one of half an hour, on both halves of the earth."""
FORMS = (
    ("{m} {h} * * *", 45),
    ("{m} {h} * * MON", 30),
    ("{m} {h} 1,15 * *", 15),
    ("30 2 * * *", 5),
    ("{m} {h},{h2} * * *", 5),
)
"""Expressions and how often each is chosen, in percent."""
TICK = timedelta(seconds=30)


@dataclass
class Account:
    """What became of all fire times; `wrong` holds a line for each that is not as it has to be."""

    fire_times: int = 0
    ran: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    outages: int = 0
    restarts: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{count} {why}" for why, count in sorted(self.skipped.items()))
        return (
            f"{self.fire_times} fire times: {self.ran} ran once each, skipped: {told}; {self.outages} outages, "
            f"{self.restarts} restarts; {len(self.wrong)} wrong"
        )


class Calendar:
    """A project whose schedules live through many days. Runs take some minutes of the same clock."""

    def __init__(self, folder: Path, *, schedules: int, days: int, seed: int, begin: datetime) -> None:
        self.random = random.Random(seed)
        self.store = Store.open(folder)
        self.now = self.begin = begin
        self.end = begin + timedelta(days=days)
        self.account = Account()
        self.down: list[tuple[datetime, datetime]] = []
        self.work: list[tuple[datetime, str]] = []
        pid, started = processes.this_process()
        self.worker = Worker("calendar", processes.this_host(), pid, started, 1000, begin, begin)
        self.store.queue.enter(self.worker)
        self.schedules = [self._make(folder) for _ in range(schedules)]
        self.schedulers = [self._scheduler(), self._scheduler()]

    def _make(self, folder: Path) -> Schedule:
        pick = self.random
        form = pick.choices([text for text, _ in FORMS], [weight for _, weight in FORMS])[0]
        hour = pick.randrange(24)
        cron = form.format(m=pick.randrange(60), h=hour, h2=(hour + 7) % 24)
        path = folder / "nightly.ipynb"
        if not path.exists():
            path.write_text(json.dumps(_NOTEBOOK), encoding="utf-8")
        asked = ScheduleRequest(
            cron=cron,
            zone=pick.choice(ZONES),
            jitter=pick.choice([0.0, 0.0, 120.0]),
            templates={"day": "{{ fire_time.isoformat() }}"},
            policy={
                "missed": pick.choice(list(Missed)),
                "overlap": pick.choice(list(Overlap)),
                "horizon": pick.choice([6 * 3600.0, 86_400.0]),
            },
        )
        return add_schedule(self.store, path, asked, now=self.begin)

    def _scheduler(self) -> Scheduler:
        return Scheduler(self.store, now=lambda: self.now, sleep=lambda _: None, spawn=self._spawn)

    def _spawn(self, _store: Store, _run: Run) -> None:
        """The simulated worker looks into the queue at each step."""

    def live(self) -> Account:
        """Let all days pass; gives the account."""
        while self.now < self.end:
            self.now += self._step()
            chance = self.random.random()
            if chance < 0.008:
                self._go_down(timedelta(minutes=self.random.choice([3, 40, 300, 1000, 2400])))
            elif chance < 0.03:
                self.account.restarts += 1
                self.schedulers[self.random.randrange(2)] = self._scheduler()
            for scheduler in self.random.sample(self.schedulers, 2):
                scheduler.tick()
            self._work()
        self._drain()
        self._settle()
        return self.account

    def _go_down(self, span: timedelta) -> None:
        """No scheduler for a while; the worker goes on."""
        self.account.outages += 1
        self.down.append((self.now, self.now + span))
        self.now += span
        self._work()
        self.schedulers = [self._scheduler(), self._scheduler()]

    def _step(self) -> timedelta:
        """To just after the next fire time, at most twenty minutes."""
        with self.store.index.read() as connection:
            query = sa.select(sa.func.min(schedules.c.due_at)).where(schedules.c.due_at > self.now)
            following = connection.execute(query).scalar() or self.end
        return min(max(following - self.now + timedelta(seconds=1), TICK), timedelta(minutes=20))

    def _work(self) -> None:
        while self.work and self.work[0][0] <= self.now:
            ended_at, run_id = heapq.heappop(self.work)
            self.store.runs.finish(run_id, Status.COMPLETED, now=ended_at)
        for run_id, word in self.store.queue.held(self.worker.id).items():
            if word:
                self.store.runs.finish(run_id, Status.CANCELED, now=self.now)
        while (run := self.store.queue.claim(self.worker, now=self.now)) is not None:
            minutes = self.random.choice([1, 5, 30, 30, 400, 1600])
            heapq.heappush(self.work, (self.now + timedelta(minutes=minutes), run.id))

    def _drain(self) -> None:
        """What is due by the end is started, as a scheduler would a moment later."""
        for _ in range(100):
            self.now += timedelta(minutes=20)
            self._work()
            self.schedulers[0].tick()

    def _settle(self) -> None:
        for schedule in self.schedules:
            fires = list(reversed(self.store.schedules.fires(schedule.id)))
            runs = {run.id: run for run in map(self.store.runs.get, (fire.run_id for fire in fires if fire.run_id))}
            self._check_complete(schedule, fires, runs)
            self._check_overlap(schedule, [runs[fire.run_id] for fire in fires if fire.run_id in runs])

    def _check_complete(self, schedule: Schedule, fires: list[Fire], runs: dict[str, Run]) -> None:
        """Each fire time of an independent calendar has one row, or lies within the span of one that tells of many."""
        expected = nominal_times(schedule, self.begin, self.end)
        rows = {fire.fire_at: fire for fire in fires}
        if len(rows) != len(fires):
            self._wrong(schedule, "two rows of one time")
        for fire_at in rows:
            if fire_at <= self.end and fire_at not in expected:
                self._wrong(schedule, f"fired at {fire_at}, which is none of its times")
        reached = self.begin
        for fire in fires:
            covered = [moment for moment in expected if reached < moment <= fire.fire_at]
            reached = fire.fire_at
            if fire.fire_at > self.end:
                break
            self.account.fire_times += len(covered)
            if fire.status == "skipped":
                self._check_skipped(schedule, fire, covered)
            elif fire.status == "started" and len(covered) == 1:
                self.account.ran += 1
                self._check_ran(schedule, fire, runs[str(fire.run_id)])
            else:
                self._wrong(schedule, f"{fire.status} at {fire.fire_at} for {len(covered)} times: {fire.note}")
        if lost := [moment for moment in expected if moment > reached]:
            self._wrong(schedule, f"nothing became of {len(lost)} times from {lost[0]}")

    def _check_skipped(self, schedule: Schedule, fire: Fire, covered: list[datetime]) -> None:
        note, policy = fire.note, schedule.policy
        if "had not ended" in note:
            self.account.skipped["overlapping"] += len(covered)
            if policy.overlap is not Overlap.SKIP or len(covered) != 1:
                self._wrong(schedule, f"skipped as overlapping at {fire.fire_at}")
            return
        if not any(
            self._was_down(moment + delay_of(schedule)) for moment in covered
        ) or f"{len(covered):,} fire" not in (note if len(covered) > 1 else f"{len(covered):,} fire"):
            self._wrong(schedule, f"skipped {len(covered)} at {fire.fire_at}: {note}")
        if "only the latest" in note:
            self.account.skipped["for a later one"] += len(covered)
            if policy.missed is not Missed.LATEST:
                self._wrong(schedule, f"passed over at {fire.fire_at}")
        elif "not made up" in note:
            self.account.skipped["as missed"] += len(covered)
            if policy.missed is not Missed.SKIP:
                self._wrong(schedule, f"not made up at {fire.fire_at}")
        else:
            self.account.skipped["as too old"] += len(covered)

    def _check_ran(self, schedule: Schedule, fire: Fire, run: Run) -> None:
        due = fire.fire_at + delay_of(schedule)
        local = fire.fire_at.astimezone(ZoneInfo(schedule.timing.timezone))
        if run.parameters["day"] != local.isoformat():
            self._wrong(schedule, f"run of {fire.fire_at} was given {run.parameters['day']}")
        assert run.created_at is not None
        late = run.created_at - due
        if late < timedelta(0):
            self._wrong(schedule, f"run of {fire.fire_at} was early by {-late}")
        if late > LATE and not self._was_down(due):
            self._wrong(schedule, f"run of {fire.fire_at} was late by {late} though a scheduler was there")
        if schedule.policy.missed is Missed.SKIP and late > LATE + TICK:
            self._wrong(schedule, f"run of {fire.fire_at} was made up, {late} late")

    def _check_overlap(self, schedule: Schedule, runs: list[Run]) -> None:
        """No two runs of a schedule were at work at once, whatever the policy."""
        spans = sorted((run.started_at, run.ended_at, run.number) for run in runs if run.started_at)
        for (_, end, number), (begin, _, other) in pairwise(spans):
            if end is None or begin < end:
                self._wrong(schedule, f"runs {number} and {other} were at work at once")

    def _was_down(self, moment: datetime) -> bool:
        return any(begin - timedelta(minutes=20) <= moment <= end for begin, end in self.down)

    def _wrong(self, schedule: Schedule, text: str) -> None:
        timing, policy = schedule.timing, schedule.policy
        what = f"{timing.cron} {timing.timezone} {policy.missed} {policy.overlap} {policy.horizon / 3600:g}h"
        self.account.wrong.append(f"schedule {schedule.number} ({what}): {text}")


def nominal_times(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    """The fire times in (begin, end] of an expression with fixed hours, found without the product: by its own words.

    A local time that a clock change leaves out comes right after the gap; one that it repeats, the first time.
    """
    minute, hours, days, _, weekdays = schedule.timing.cron.split()
    zone = ZoneInfo(schedule.timing.timezone)
    found = set()
    day = begin.astimezone(zone).date() - timedelta(days=2)
    while day <= end.astimezone(zone).date() + timedelta(days=1):
        fits = (days == "*" or str(day.day) in days.split(",")) and (weekdays == "*" or day.weekday() == 0)
        for hour in hours.split(",") if fits else ():
            naive = datetime(day.year, day.month, day.day, int(hour), int(minute))
            found.add(_in_utc(naive, zone))
        day += timedelta(days=1)
    return sorted(moment for moment in found if begin < moment <= end)


def _in_utc(naive: datetime, zone: ZoneInfo) -> datetime:
    moment = naive.replace(tzinfo=zone).astimezone(timezone.utc)
    if moment.astimezone(zone).replace(tzinfo=None) == naive:
        return moment
    # In a gap: the first minute after it.
    while True:
        naive += timedelta(minutes=1)
        moment = naive.replace(tzinfo=zone).astimezone(timezone.utc)
        if moment.astimezone(zone).replace(tzinfo=None) == naive:
            return moment


_NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        {
            "id": "parameters",
            "cell_type": "code",
            "source": "day: str = ''",
            "metadata": {"tags": ["parameters"]},
            "outputs": [],
            "execution_count": None,
        }
    ],
}

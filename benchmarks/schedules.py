"""Many schedules: how soon a scheduler is ready, what it costs with nothing due, and how fast due runs are queued."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import temporary_folder
from jupyter_mlops.domain.schedule import Schedule, Timing
from jupyter_mlops.jobs.scheduler.scheduler import TICK_SECONDS, Scheduler
from jupyter_mlops.jobs.scheduler.timing import next_after
from jupyter_mlops.operations.schedules.listing import list_schedules
from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule
from jupyter_mlops.store.db.schema import schedules
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.schedules import row_of
from jupyter_mlops.verbs.framework.tables import table

COUNTS = (10, 10_000)
IDLE_TICKS = 300
BAR = 2.0
"""Seconds within which a scheduler is ready."""
NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [],
}


@dataclass
class Clock:
    """The time as it is, moved on by some span."""

    ahead: timedelta = field(default_factory=timedelta)
    store: Store | None = None

    def now(self) -> datetime:
        """The time."""
        assert self.store is not None
        return self.store.now() + self.ahead


def tables() -> Iterator[Table]:
    """Seconds and milliseconds, each in a project of its own."""
    made = table("", *(f"{count:,} schedules>" for count in COUNTS), title="One scheduler")
    columns = []
    for count in COUNTS:
        with temporary_folder() as folder:
            columns.append(_measured(folder, count))
    for name in columns[0]:
        made.add_row(name, *(column[name] for column in columns))
    made.caption = f"Ready within {BAR:g} s is the aim. A tick is due every {TICK_SECONDS:g} s. No run executes here."
    yield made


def _measured(folder: Path, count: int) -> dict[str, str]:
    with Store.open(folder) as store:
        _fill(store, folder, count)
        began = time.perf_counter()
        with Store.open(folder) as own:
            clock = Clock(store=own)
            scheduler = Scheduler(own, now=clock.now, sleep=lambda _: None, spawn=lambda *_: None)
            scheduler.tick()
            ready = time.perf_counter() - began
            spent, longest = time.process_time(), 0.0
            for _ in range(IDLE_TICKS):
                began = time.perf_counter()
                scheduler.tick()
                longest = max(longest, time.perf_counter() - began)
            tick = (time.process_time() - spent) / IDLE_TICKS
            began = time.perf_counter()
            list_schedules(own, own.now())
            listed = time.perf_counter() - began
            clock.ahead = timedelta(hours=1)
            began = time.perf_counter()
            scheduler.tick()
            caught_up, fired = time.perf_counter() - began, len(own.runs.list())
    return {
        "ready, s": f"{ready:.2f}",
        "one tick with nothing due, ms of CPU": f"{1000 * tick:.2f}",
        "of one core": f"{tick / TICK_SECONDS:.2%}",
        "the longest such tick, ms": f"{1000 * longest:.0f}",
        "all listed, s": f"{listed:.2f}",
        "an hour made up: runs": str(fired),
        "an hour made up: ms a run": f"{1000 * caught_up / fired:.1f}" if fired else "",
    }


def _fill(store: Store, folder: Path, count: int) -> None:
    """Daily schedules at random minutes. One is made as a user does, the others as it is written down."""
    path = folder / "nightly.ipynb"
    path.write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    now, pick = store.now(), random.Random(1)
    first = add_schedule(store, path, ScheduleRequest(cron="0 3 * * *", zone="UTC"), now=now)
    rows = []
    for index in range(count - 1):
        timing = Timing(f"{pick.randrange(60)} {pick.randrange(24)} * * *", "Europe/Berlin")
        made: Schedule = replace(first, id=store.new_id(), number=index + 2, timing=timing)
        following = next_after(made, now)
        rows.append(row_of(replace(made, next_fire_at=following, due_at=following)))
    with store.index.write() as connection:
        connection.execute(schedules.insert(), rows)

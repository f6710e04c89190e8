"""Schedules, their fire times and the schedulers' heartbeats in the index."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.domain.schedule import Fire, Heartbeat, Schedule
from jupyter_mlops.errors import UnknownNameError, beginning
from jupyter_mlops.store.backup.logbook import SCHEDULES, note
from jupyter_mlops.store.db.index import Index, surviving
from jupyter_mlops.store.db.schema import fires, heartbeats, schedules

Schedules = list[Schedule]
Fires = list[Fire]


@surviving
class ScheduleStore:
    """Creates, removes and finds schedules; claims fire times, each for one process only."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def create(self, schedule: Schedule) -> Schedule:
        """Insert `schedule` under the next number (its own `number` is ignored) and return it as stored."""
        with self._index.write() as connection:
            highest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(schedules.c.number), 0))).scalar_one()
            row = {**vars(schedule), "number": highest + 1, "notify": list(schedule.notify)}
            connection.execute(schedules.insert(), row)
            note(connection, SCHEDULES, row)
        return self.get(highest + 1)

    def remove(self, number: int, *, now: datetime) -> Schedule:
        """Stop a schedule; its history stays. Raises `UnknownNameError`."""
        schedule = self.get(number)
        with self._index.write() as connection:
            connection.execute(schedules.update().where(schedules.c.id == schedule.id).values(removed_at=now))
            note(connection, SCHEDULES, {**vars(schedule), "notify": list(schedule.notify), "removed_at": now})
        return schedule

    def get(self, number: int) -> Schedule:
        """The schedule of this number, if it is not removed. Raises `UnknownNameError`."""
        known = self.list()
        for schedule in known:
            if schedule.number == number:
                return schedule
        raise UnknownNameError.among("schedule", str(number), [str(schedule.number) for schedule in known])

    def list(self) -> Schedules:
        """All schedules that are not removed, by number."""
        columns = [column for column in schedules.c if column.name != "removed_at"]
        query = sa.select(*columns).where(schedules.c.removed_at.is_(None)).order_by(schedules.c.number)
        with self._index.read() as connection:
            rows = connection.execute(query).mappings()
            return [Schedule(**{**row, "notify": tuple(row["notify"])}) for row in rows]

    def claim(
        self, schedule_id: str, fire_at: datetime, *, now: datetime, status: str = "claimed", note: str = ""
    ) -> bool:
        """Take a fire time. False where any process has taken it before: it is not run again."""
        try:
            with self._index.write() as connection:
                connection.execute(
                    fires.insert().values(
                        schedule_id=schedule_id, fire_at=fire_at, status=status, note=note, created_at=now
                    )
                )
        except sa.exc.IntegrityError:
            return False
        return True

    def finish_fire(
        self, schedule_id: str, fire_at: datetime, status: str, *, run_id: str | None = None, note: str = ""
    ) -> None:
        """Say what came of a claimed fire time."""
        with self._index.write() as connection:
            connection.execute(
                fires.update()
                .where(fires.c.schedule_id == schedule_id, fires.c.fire_at == fire_at)
                .values(status=status, run_id=run_id, note=beginning(note, KEPT_ERROR))
            )

    def fires(self, schedule_id: str, *, limit: int | None = None) -> Fires:
        """Fire times taken so far, newest first."""
        columns = [column for column in fires.c if column.name != "created_at"]
        query = (
            sa.select(*columns).where(fires.c.schedule_id == schedule_id).order_by(fires.c.fire_at.desc()).limit(limit)
        )
        with self._index.read() as connection:
            return [Fire(**row) for row in connection.execute(query).mappings()]

    def claimed(self) -> Fires:
        """Fire times that were taken and of which nothing came yet (their taker may have died)."""
        columns = [column for column in fires.c if column.name != "created_at"]
        with self._index.read() as connection:
            rows = connection.execute(sa.select(*columns).where(fires.c.status == "claimed")).mappings()
            return [Fire(**row) for row in rows]

    def beat(self, heartbeat: Heartbeat) -> None:
        """Note that a scheduler is alive."""
        values: dict[str, Any] = vars(heartbeat)
        with self._index.write() as connection:
            changed = connection.execute(
                heartbeats.update().where(heartbeats.c.id == heartbeat.id).values(beat_at=heartbeat.beat_at)
            ).rowcount
            if not changed:
                connection.execute(heartbeats.insert().values(**values))

    def stop_beating(self, heartbeat_id: str) -> None:
        """Note that a scheduler has stopped in good order."""
        with self._index.write() as connection:
            connection.execute(heartbeats.delete().where(heartbeats.c.id == heartbeat_id))

    def newest_beat(self) -> Heartbeat | None:
        """The heartbeat of the scheduler seen last, or None."""
        query = sa.select(heartbeats).order_by(heartbeats.c.beat_at.desc()).limit(1)
        with self._index.read() as connection:
            row = connection.execute(query).mappings().first()
        return Heartbeat(**row) if row else None

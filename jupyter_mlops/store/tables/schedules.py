"""Schedules, their fire times and the schedulers' heartbeats and lease in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.domain.run import RunCause, RunOptions
from jupyter_mlops.domain.schedule import (
    EndedAs,
    Fire,
    Heartbeat,
    Missed,
    Overlap,
    Policy,
    Schedule,
    Sighting,
    Timing,
    Trigger,
    TriggerKind,
)
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import UnknownNameError, beginning
from jupyter_mlops.store.backup.logbook import SCHEDULES, note
from jupyter_mlops.store.db.index import Index, surviving
from jupyter_mlops.store.db.portable import among
from jupyter_mlops.store.db.rows import cause_from, options_from, plain
from jupyter_mlops.store.db.schema import fires, heartbeats, leases, runs, schedules, sightings

Schedules = list[Schedule]
Fires = list[Fire]
Failed = list[tuple[Fire, datetime]]
MOST_DUE = 500
"""How many due schedules are given at once."""
_TIMING = [each.name for each in fields(Timing)]
_POLICY = [each.name for each in fields(Policy)]
_ACTIVE = schedules.c.removed_at.is_(None)
_RUNNING = schedules.c.paused_at.is_(None)
_FIRE = [column for column in fires.c if column.name not in ("created_at", "cause_key")]


@surviving
class ScheduleStore:
    """Creates, changes, removes and finds schedules; claims fire times, each for one process only."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def create(self, schedule: Schedule) -> Schedule:
        """Insert `schedule` under the next number (its own `number` is ignored) and return it as stored."""
        with self._index.write() as connection:
            highest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(schedules.c.number), 0))).scalar_one()
            row = {**row_of(schedule), "number": highest + 1}
            connection.execute(schedules.insert(), row)
            note(connection, SCHEDULES, row)
        return self.get(highest + 1)

    def replace(self, schedule: Schedule) -> Schedule:
        """Write down `schedule` as it is now, but for its id and number."""
        with self._index.write() as connection:
            row = row_of(schedule)
            changed = {name: value for name, value in row.items() if name not in ("id", "number", "created_at")}
            connection.execute(schedules.update().where(schedules.c.id == schedule.id).values(changed))
            note(connection, SCHEDULES, row)
        return self.get(schedule.number)

    def remove(self, number: int, *, now: datetime) -> Schedule:
        """Stop a schedule; its history stays. Raises `UnknownNameError`."""
        schedule = self.get(number)
        with self._index.write() as connection:
            connection.execute(schedules.update().where(schedules.c.id == schedule.id).values(removed_at=now))
            note(connection, SCHEDULES, {**row_of(schedule), "removed_at": now})
        return schedule

    def get(self, number: int) -> Schedule:
        """The schedule of this number, if it is not removed. Raises `UnknownNameError`."""
        found = self._select(sa.and_(_ACTIVE, schedules.c.number == number))
        if found:
            return found[0]
        known = sa.select(schedules.c.number).where(_ACTIVE).order_by(schedules.c.number)
        with self._index.read() as connection:
            numbers = [str(each) for each in connection.execute(known).scalars()]
        raise UnknownNameError.among("schedule", str(number), numbers)

    def by_id(self, schedule_id: str) -> Schedule | None:
        """The schedule of this id; None where it is removed."""
        found = self._select(sa.and_(_ACTIVE, schedules.c.id == schedule_id))
        return found[0] if found else None

    def numbers_by_id(self) -> Mapping[str, int]:
        """Of all schedules there ever were, removed ones too."""
        with self._index.read() as connection:
            return {row.id: row.number for row in connection.execute(sa.select(schedules.c.id, schedules.c.number))}

    def list(self) -> Schedules:
        """All schedules that are not removed, by number."""
        return self._select(_ACTIVE)

    def due(self, now: datetime) -> Schedules:
        """Schedules that are not paused and have to be looked at by now, the longest due first, at most `MOST_DUE`."""
        at = schedules.c.due_at
        unknown = sa.and_(at.is_(None), schedules.c.decided_until.is_(None), schedules.c.trigger.is_(None))
        return [  # two questions, each answered by the index
            schedule
            for which in (unknown, at <= now)
            for schedule in self._select(sa.and_(_ACTIVE, _RUNNING, which), at, limit=MOST_DUE)
        ]

    def waiting(self) -> Schedules:
        """Schedules that wait for something else than a time, and are not paused."""
        return self._select(sa.and_(_ACTIVE, _RUNNING, schedules.c.due_at.is_(None), schedules.c.trigger.is_not(None)))

    def after(self, schedule_id: str) -> Schedules:
        """Schedules that wait for runs of this one."""
        return [each for each in self.list() if each.trigger is not None and each.trigger.schedule_id == schedule_id]

    def sightings(self, schedule_id: str) -> Mapping[str, Sighting]:
        """What a trigger saw last, by item."""
        query = sa.select(sightings).where(sightings.c.schedule_id == schedule_id)
        with self._index.read() as connection:
            rows = connection.execute(query).mappings()
            found = [Sighting(**{k: v for k, v in row.items() if k != "schedule_id"}) for row in rows]
        return {sighting.item: sighting for sighting in found}

    def note_sightings(self, schedule_id: str, seen: Sequence[Sighting]) -> None:
        """Note what a trigger sees, in place of what it saw of the same items."""
        with self._index.write() as connection:
            of_them = sa.and_(
                sightings.c.schedule_id == schedule_id, among(sightings.c.item, (sighting.item for sighting in seen))
            )
            connection.execute(sightings.delete().where(of_them))
            if seen:
                connection.execute(sightings.insert(), [{"schedule_id": schedule_id, **vars(each)} for each in seen])

    def note_trouble(self, schedule_id: str, trouble: str) -> None:
        """Note why a trigger cannot look, "" where it can."""
        with self._index.write() as connection:
            connection.execute(schedules.update().where(schedules.c.id == schedule_id).values(trouble=trouble))

    def _select(
        self, condition: sa.ColumnElement[bool], *order: sa.ColumnElement[Any], limit: int | None = None
    ) -> Schedules:
        query = sa.select(schedules).where(condition).order_by(*order, schedules.c.number).limit(limit)
        with self._index.read() as connection:
            return [_schedule(row) for row in connection.execute(query).mappings()]

    def decide(
        self, schedule_id: str, until: datetime, *, next_fire_at: datetime | None, due_at: datetime | None
    ) -> None:
        """Note that what becomes of fire times up to `until` is decided, and which one comes next."""
        with self._index.write() as connection:
            _decide(connection, schedule_id, until, next_fire_at, due_at)

    def claim(
        self,
        schedule_id: str,
        fire_at: datetime,
        *,
        now: datetime,
        status: str = "claimed",
        note: str = "",
        cause: RunCause | None = None,
    ) -> bool:
        """Take a fire time, or what the key of `cause` names. False where any process has taken it before."""
        key = cause.key if cause is not None and cause.key else None
        row = {"schedule_id": schedule_id, "fire_at": fire_at, "status": status, "note": note, "created_at": now}
        try:
            with self._index.write() as connection:
                connection.execute(fires.insert().values(**row, **plain({"cause": cause}), cause_key=key))
        except sa.exc.IntegrityError:
            return False
        return True

    def claim_retry(self, fire: Fire) -> bool:
        """Take the next attempt of a fire whose run failed. False where any process has taken it before."""
        with self._index.write() as connection:
            as_known = sa.and_(_is(fire.schedule_id, fire.fire_at), fires.c.attempt == fire.attempt)
            values = {"status": "claimed", "attempt": fire.attempt + 1}
            return bool(connection.execute(fires.update().where(as_known).values(values)).rowcount)

    def finish_fire(
        self, schedule_id: str, fire_at: datetime, status: str, *, run_id: str | None = None, note: str = ""
    ) -> None:
        """Say what came of a claimed fire time."""
        with self._index.write() as connection:
            connection.execute(
                fires.update()
                .where(_is(schedule_id, fire_at))
                .values(status=status, run_id=run_id, note=beginning(note, KEPT_ERROR))
            )

    def fires(self, schedule_id: str, *, limit: int | None = None) -> Fires:
        """Fire times taken so far, newest first."""
        return self._fires(fires.c.schedule_id == schedule_id, fires.c.fire_at.desc(), limit=limit)

    def newest_fires(self, schedule_ids: Sequence[str]) -> Mapping[str, Fire]:
        """The newest fire of each of these schedules that has one."""
        newest = (
            sa.select(fires.c.schedule_id.label("of_schedule"), sa.func.max(fires.c.fire_at).label("newest"))
            .where(among(fires.c.schedule_id, schedule_ids))
            .group_by(fires.c.schedule_id)
            .subquery()
        )
        is_newest = sa.and_(fires.c.schedule_id == newest.c.of_schedule, fires.c.fire_at == newest.c.newest)
        query = sa.select(*_FIRE).join(newest, is_newest)
        with self._index.read() as connection:
            of_schedules = [_fire(row) for row in connection.execute(query).mappings()]
        return {fire.schedule_id: fire for fire in of_schedules}

    def claimed(self) -> Fires:
        """Fire times that were taken and of which nothing came yet (their taker may have died), oldest first."""
        return self._fires(fires.c.status == "claimed", fires.c.fire_at)

    def failed(self, since: datetime) -> Failed:
        """Fires claimed after `since` whose run failed and whose schedule tries again, with the time of the failure."""
        query = (
            sa.select(*_FIRE, runs.c.ended_at)
            .join(schedules, schedules.c.id == fires.c.schedule_id)
            .join(runs, runs.c.id == fires.c.run_id)
            .where(_ACTIVE, schedules.c.paused_at.is_(None), schedules.c.retries > fires.c.attempt)
            .where(fires.c.status == "started", fires.c.fire_at > since, runs.c.status == Status.FAILED.value)
        )
        with self._index.read() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [(_fire({k: v for k, v in row.items() if k != "ended_at"}), row["ended_at"]) for row in rows]

    def _fires(self, condition: sa.ColumnElement[bool], order: Any, *, limit: int | None = None) -> Fires:
        with self._index.read() as connection:
            rows = connection.execute(sa.select(*_FIRE).where(condition).order_by(order).limit(limit)).mappings()
            return [_fire(row) for row in rows]

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
        """Note that a scheduler has stopped in good order; another may take over at once."""
        with self._index.write() as connection:
            connection.execute(heartbeats.delete().where(heartbeats.c.id == heartbeat_id))
            connection.execute(leases.delete().where(leases.c.holder == heartbeat_id))

    def heartbeats(self) -> Sequence[Heartbeat]:
        """Of all schedulers that did not stop in good order, the one seen last first."""
        query = sa.select(heartbeats).order_by(heartbeats.c.beat_at.desc())
        with self._index.read() as connection:
            return [Heartbeat(**row) for row in connection.execute(query).mappings()]

    def forget(self, heartbeat_id: str) -> None:
        """Note that a scheduler has gone without a word: its heartbeat and lease go."""
        self.stop_beating(heartbeat_id)

    def lease(self, name: str, holder: str, *, now: datetime, span: timedelta) -> str:
        """Take or renew a lease where no other holds it at `now`; gives who holds it then."""
        mine = sa.or_(leases.c.holder == holder, leases.c.until <= now)
        with self._index.write() as connection:
            values = {"holder": holder, "until": now + span}
            taken = leases.update().where(leases.c.name == name, mine).values(values)
            if connection.execute(taken).rowcount:
                return holder
            held_by = connection.execute(sa.select(leases.c.holder).where(leases.c.name == name)).scalar()
            if held_by is not None:
                return str(held_by)
            connection.execute(leases.insert().values(name=name, **values))
            return holder


def _is(schedule_id: str, fire_at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(fires.c.schedule_id == schedule_id, fires.c.fire_at == fire_at)


def _decide(
    connection: sa.Connection, schedule_id: str, until: datetime, next_fire_at: datetime | None, due_at: datetime | None
) -> None:
    """Never back: a scheduler that was slow must not ask again for what is decided."""
    later = sa.or_(schedules.c.decided_until.is_(None), schedules.c.decided_until <= until)
    values = {"decided_until": until, "next_fire_at": next_fire_at, "due_at": due_at}
    connection.execute(schedules.update().where(schedules.c.id == schedule_id, later).values(values))


def row_of(schedule: Schedule) -> dict[str, Any]:
    """The columns of a schedule in the index."""
    row = {name: value for name, value in vars(schedule).items() if name not in ("timing", "policy")}
    row |= vars(schedule.timing) | vars(schedule.policy)
    return row | {
        "missed": schedule.policy.missed.value,
        "overlap": schedule.policy.overlap.value,
        "notify": list(schedule.notify),
        "options": _options(schedule.options),
        "trigger": schedule.trigger and _trigger_row(schedule.trigger),
    }


def _options(options: RunOptions) -> dict[str, Any]:
    """What differs from what is usual."""
    usual = vars(RunOptions())
    return {name: value for name, value in vars(options).items() if value != usual[name]}


def _trigger_row(trigger: Trigger) -> dict[str, Any]:
    return {**vars(trigger), "kind": trigger.kind.value, "ended": trigger.ended.value}


def _trigger(row: Mapping[str, Any]) -> Trigger:
    return Trigger(**{**row, "kind": TriggerKind(row["kind"]), "ended": EndedAs(row["ended"])})


def _schedule(row: Mapping[Any, Any]) -> Schedule:
    values = {name: value for name, value in row.items() if name not in (*_TIMING, *_POLICY, "removed_at")}
    policy = {name: row[name] for name in _POLICY}
    policy |= {"missed": Missed(row["missed"]), "overlap": Overlap(row["overlap"])}
    values |= {"timing": Timing(**{name: row[name] for name in _TIMING}), "policy": Policy(**policy)}
    values |= {"notify": tuple(row["notify"]), "options": options_from(row["options"])}
    values["trigger"] = _trigger(row["trigger"]) if row["trigger"] else None
    return Schedule(**values)


def _fire(row: Mapping[Any, Any]) -> Fire:
    return Fire(**{**row, "cause": cause_from(row["cause"]) or RunCause()})

"""Notices in the index: made in the transaction that ends a run, taken by whoever delivers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.domain.notice import (
    FAILURE,
    GIVEN_UP,
    GOES_TO,
    PENDING,
    RECOVERY,
    SENT,
    SUCCESS,
    Notice,
    notice_id,
)
from jupyter_mlops.domain.run import RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import UnknownNameError, beginning
from jupyter_mlops.store.db.index import Index, surviving
from jupyter_mlops.store.db.schema import notices, runs

_FAILED = (Status.FAILED.value, Status.LOST.value)
KEPT = timedelta(days=30)
"""Notices that were sent are forgotten after so long."""


def announce(connection: sa.Connection, row: Mapping[Any, Any], status: Status, now: datetime) -> None:
    """Within the transaction that ends the run of `row`: note what its targets are to be told."""
    targets = row["options"].get("notify") or ()
    events = _events(connection, row, status) if targets else ()
    for text in targets:
        wanted, _, target = text.partition(GOES_TO)
        event = next((event for event in events if event in wanted.split(",")), None)
        if event is None:
            continue
        made = notice_id(row["id"], event, target)
        if connection.execute(sa.select(notices.c.id).where(notices.c.id == made)).first() is None:
            values = {"id": made, "run_id": row["id"], "event": event, "target": target, "status": PENDING}
            connection.execute(notices.insert().values(**values, attempts=0, error="", next_at=now, created_at=now))


def _events(connection: sa.Connection, row: Mapping[Any, Any], status: Status) -> Sequence[str]:
    if status.value in _FAILED:
        return (FAILURE,)
    if status is not Status.COMPLETED:
        return ()
    return (RECOVERY, SUCCESS) if _failed_before(connection, row) else (SUCCESS,)


def _failed_before(connection: sa.Connection, row: Mapping[Any, Any]) -> bool:
    """Whether the last run of the same notebook and schedule that ended before this one failed.

    A lost run that was taken up anew is no failure: the run that took it up says how it ended.
    """
    later = runs.alias()
    taken_up = sa.exists().where(later.c.resumes == runs.c.id, later.c.attempt > runs.c.attempt)
    same = runs.c.schedule_id.is_(None) if row["schedule_id"] is None else runs.c.schedule_id == row["schedule_id"]
    query = (
        sa.select(runs.c.status)
        .where(
            runs.c.notebook == row["notebook"],
            same,
            runs.c.kind != RunKind.SESSION.value,
            runs.c.id != row["id"],
            runs.c.ended_at.is_not(None),
            runs.c.status.in_([*_FAILED, Status.COMPLETED.value]),
            sa.not_(sa.and_(runs.c.status == Status.LOST.value, taken_up)),
        )
        .order_by(runs.c.ended_at.desc(), runs.c.number.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() in _FAILED


@surviving
class NoticeStore:
    """Finds notices, hands each to one sender at a time, and keeps what came of it."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def list(self, *, limit: int | None = None) -> list[Notice]:
        """Notices, newest first."""
        query = sa.select(notices).order_by(notices.c.created_at.desc(), notices.c.id).limit(limit)
        with self._index.read() as connection:
            return [Notice(**row) for row in connection.execute(query).mappings()]

    def due(self, now: datetime) -> tuple[Notice, ...]:
        """Those to be tried now, oldest first."""
        due = sa.and_(notices.c.status == PENDING, notices.c.next_at <= now)
        query = sa.select(notices).where(due).order_by(notices.c.next_at, notices.c.id)
        with self._index.read() as connection:
            return tuple(Notice(**row) for row in connection.execute(query).mappings())

    def next_at(self) -> datetime | None:
        """When the next one is to be tried; None where none waits."""
        with self._index.read() as connection:
            found = connection.execute(sa.select(sa.func.min(notices.c.next_at)).where(notices.c.status == PENDING))
            value = found.scalar()
        return datetime.fromisoformat(value) if isinstance(value, str) else value

    def claim(self, notice: Notice, *, now: datetime, until: datetime) -> bool:
        """Take a due notice for one attempt; no one else tries before `until`. False where another has it."""
        mine = sa.and_(
            notices.c.id == notice.id,
            notices.c.status == PENDING,
            notices.c.attempts == notice.attempts,
            notices.c.next_at <= now,
        )
        with self._index.write() as connection:
            changed = connection.execute(
                notices.update().where(mine).values(attempts=notice.attempts + 1, next_at=until)
            ).rowcount
        return bool(changed)

    def sent(self, notice_id: str, *, now: datetime) -> None:
        """It has arrived. What was sent long ago is forgotten."""
        with self._index.write(durable=True) as connection:
            connection.execute(
                notices.update().where(notices.c.id == notice_id).values(status=SENT, error="", next_at=None)
            )
            connection.execute(notices.delete().where(notices.c.status == SENT, notices.c.created_at < now - KEPT))

    def failed(self, notice_id: str, error: str, *, next_at: datetime | None) -> None:
        """It did not arrive; tried again at `next_at`, given up where that is None."""
        status = PENDING if next_at is not None else GIVEN_UP
        with self._index.write() as connection:
            connection.execute(
                notices.update()
                .where(notices.c.id == notice_id, notices.c.status == PENDING)
                .values(status=status, error=beginning(error, KEPT_ERROR), next_at=next_at)
            )

    def retry(self, name: str | None, *, now: datetime) -> tuple[str, ...]:
        """Try the one whose id begins with `name`, or all that were given up, from the start; gives the ids.

        Raises `UnknownNameError`.
        """
        with self._index.write() as connection:
            unsent = connection.execute(sa.select(notices.c.id).where(notices.c.status != SENT)).scalars().all()
            given_up = connection.execute(sa.select(notices.c.id).where(notices.c.status == GIVEN_UP)).scalars().all()
            chosen = list(given_up) if name is None else [known for known in unsent if known.startswith(name)]
            if name is not None and len(chosen) != 1:
                raise UnknownNameError.among("notification that was not sent", name, [known[:8] for known in unsent])
            connection.execute(
                notices.update().where(notices.c.id.in_(chosen)).values(status=PENDING, attempts=0, next_at=now)
            )
        return tuple(chosen)

"""The queue: pending runs that no process has, the workers that take them, and the leases by which they hold them.

Updates are guarded: what a statement does not find in the state it expects, another process has taken, and then it
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from jupyter_mlops.domain.run import Run, RunFailure, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.store.db.index import Index, surviving
from jupyter_mlops.store.db.schema import runs, workers
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.tables.attempts import host_of
from jupyter_mlops.store.tables.outbox import post
from jupyter_mlops.store.tables.runs import RunStore

LEASE = timedelta(seconds=15)
"""How long a claim holds without being renewed; a worker not heard of for so long is taken for gone."""
SKEW = timedelta(seconds=5)
"""So much the clocks of two machines may differ."""

TAKEN = "taken from its worker"
"""The word for an execution whose run its worker holds no more."""

_PENDING = sa.and_(runs.c.status == Status.PENDING.value, runs.c.pid.is_(None), runs.c.kind != RunKind.SESSION.value)
_WAITING = sa.select(sa.func.count()).select_from(runs).where(_PENDING)
_HELD = sa.select(runs.c.id, runs.c.stop).where(
    runs.c.status == Status.RUNNING.value, runs.c.worker_id == sa.bindparam("by")
)
_STOP = sa.select(runs.c.stop, runs.c.status, runs.c.worker_id).where(runs.c.id == sa.bindparam("of_id"))
_WORKERS = sa.select(workers).order_by(workers.c.started_at)
_TAKE = runs.update().where(runs.c.id == sa.bindparam("of_id"), _PENDING)
_FIRST = sa.select(runs.c.id, runs.c.notebook, runs.c.schedule_id, runs.c.options).where(_PENDING)
_FIRST = _FIRST.order_by(runs.c.priority.desc(), runs.c.number).limit(1)


@surviving
class Queue:
    """Hands each pending run to one worker, and takes it back from one that vanished."""

    def __init__(self, index: Index, run_store: RunStore) -> None:
        self._index = index
        self._runs = run_store

    # Workers

    def enter(self, worker: Worker) -> None:
        """Note that a worker is there."""
        with self._index.write() as connection:
            changed = connection.execute(
                workers.update().where(workers.c.id == worker.id).values(**vars(worker))
            ).rowcount
            if not changed:
                connection.execute(workers.insert().values(**vars(worker)))

    def leave(self, worker_id: str) -> bool:
        """Note that a worker is gone. False where that was noted before: the first who sees it acts on it."""
        with self._index.write() as connection:
            return bool(connection.execute(workers.delete().where(workers.c.id == worker_id)).rowcount)

    def workers(self) -> list[Worker]:
        """All workers that are noted, whether they live or not, oldest first."""
        with self._index.read() as connection:
            rows = connection.execute(_WORKERS).mappings()
            return [Worker(**row) for row in rows]

    def living(self, now: datetime) -> list[Worker]:
        """The workers that are alive."""
        return [worker for worker in self.workers() if is_alive(worker, now)]

    # Runs

    def waiting(self) -> int:
        """How many runs wait for a worker."""
        with self._index.read() as connection:
            return int(connection.execute(_WAITING).scalar_one())

    def claim(self, worker: Worker, *, now: datetime) -> Run | None:
        """Take the run that is first in line, for a worker; None where none may start now.

        First is the highest priority, then the lowest number; not one whose notebook has as many runs at work already
        as its `most_at_once` says, nor one that is to wait for another run of its schedule.
        """
        taken: str | None = None
        full: set[str] = set()
        busy: set[str] = set()
        with self._index.write() as connection:
            while taken is None:
                query = _FIRST.where(runs.c.notebook.not_in(full)) if full else _FIRST
                query = query.where(sa.func.coalesce(runs.c.schedule_id, "").not_in(busy)) if busy else query
                row = connection.execute(query).mappings().first()
                if row is None:
                    return None
                if _is_full(connection, row["notebook"], row["options"].get("most_at_once")):
                    full.add(row["notebook"])
                elif row["options"].get("one_at_a_time") and _is_busy(connection, row["schedule_id"]):
                    busy.add(row["schedule_id"])
                elif _take(connection, row["id"], worker, now):
                    taken = row["id"]
        return self._runs.get(taken)

    def renew(self, worker: Worker, run_ids: Iterable[str], *, now: datetime) -> None:
        """A worker's heartbeat: it is there, and holds these runs for another while."""
        with self._index.write() as connection:
            beaten = connection.execute(workers.update().where(workers.c.id == worker.id).values(beat_at=now)).rowcount
            connection.execute(
                runs.update()
                .where(
                    runs.c.id.in_(list(run_ids)),
                    runs.c.worker_id == worker.id,
                    runs.c.status == Status.RUNNING.value,
                )
                .values(lease_until=now + LEASE)
            )
        if not beaten:
            # Someone took us for gone, such as when the machine had slept.
            self.enter(worker)

    def held(self, worker_id: str) -> dict[str, str]:
        """The runs that a worker holds: id → the word by which it is asked to stop it, "" where it is not."""
        with self._index.read() as connection:
            return {row.id: row.stop for row in connection.execute(_HELD, {"by": worker_id})}

    def stop_word(self, run: Run) -> str:
        """The word by which the execution of `run` is asked to stop; "" where it is not. So is one whose run is another's."""
        with self._index.read() as connection:
            row = connection.execute(_STOP, {"of_id": run.id}).first()
        if run.worker_id is not None and (
            row is None or (row.status, row.worker_id) != (Status.RUNNING, run.worker_id)
        ):
            return TAKEN
        return row.stop if row is not None else ""

    def ask_to_stop(self, run_id: str, word: str) -> bool:
        """Ask whoever executes a run to stop it. False where it is not executed."""
        with self._index.write() as connection:
            at_work = sa.and_(runs.c.id == run_id, runs.c.status == Status.RUNNING.value)
            return bool(connection.execute(runs.update().where(at_work).values(stop=word)).rowcount)

    def cancel_pending(self, run_id: str, *, now: datetime) -> bool:
        """Cancel a run that no process has begun. False where one has, or it has ended."""
        error = RunFailure("canceled", "Canceled before it started.")
        return self._runs.finish(run_id, Status.CANCELED, now=now, error=error, only=(Status.PENDING,))

    def lose(self, run: Run, *, now: datetime, why: str) -> bool:
        """End a run whose worker is gone, as it is known here; False where its worker, or anyone, was faster.

        Where its policy is so, it is asked for again in the same transaction.
        """
        error = RunFailure("runner_lost", why)
        return self._runs.lose(run, now=now, error=error)


def is_leased(run: Run) -> bool:
    """Whether a worker holds the run."""
    return run.status is Status.RUNNING and run.worker_id is not None


def is_alive(worker: Worker, now: datetime) -> bool:
    """Whether a worker is there: on this machine its process says so, of another its heartbeat."""
    heard = now - worker.beat_at < LEASE + SKEW
    if worker.host != processes.this_host():
        return heard
    return processes.is_alive(worker.pid, worker.pid_started) and (
        heard or not processes.is_suspended(worker.pid, worker.pid_started)
    )


def _is_full(connection: sa.Connection, notebook: str, most: int | None) -> bool:
    """Whether as many runs of a notebook are at work as may be at once."""
    if most is None:
        return False
    of_it = sa.and_(runs.c.notebook == notebook, runs.c.kind != RunKind.SESSION.value)
    running = sa.select(sa.func.count()).select_from(runs).where(of_it, runs.c.status == Status.RUNNING.value)
    return int(connection.execute(running).scalar_one()) >= most


def _is_busy(connection: sa.Connection, schedule_id: str) -> bool:
    """Whether a run of a schedule is at work."""
    at_work = sa.and_(runs.c.schedule_id == schedule_id, runs.c.status == Status.RUNNING.value)
    return connection.execute(sa.select(runs.c.id).where(at_work).limit(1)).first() is not None


def _take(connection: sa.Connection, run_id: str, worker: Worker, now: datetime) -> bool:
    values = {
        "status": Status.RUNNING.value,
        "started_at": now,
        "pid": worker.pid,
        "pid_started": worker.pid_started,
        "worker_id": worker.id,
        "lease_until": now + LEASE,
        "host": host_of(connection, worker.host),
    }
    changed = connection.execute(_TAKE, {"of_id": run_id, **values}).rowcount
    if changed:
        post(connection, run_id, "run", {"id": run_id}, now)
    return bool(changed)

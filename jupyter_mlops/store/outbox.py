"""What tracking has still to be told: rows written in the transaction of the change they tell of, taken by one writer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.store.index import Index, surviving
from jupyter_mlops.store.portable import Upsert
from jupyter_mlops.store.schema import outbox, tracked


@dataclass(frozen=True)
class Message:
    """One thing to tell. `kind`: "run" or "step" (look the row up and mirror it), "model", "tags"."""

    id: int
    run_id: str
    kind: str
    body: dict[str, Any]
    attempts: int
    created_at: datetime


_INSERT = outbox.insert()
_TRACKED = Upsert(tracked)


def post(connection: sa.Connection, run_id: str, kind: str, body: dict[str, Any], now: datetime | None) -> None:
    """Add a message within the caller's transaction."""
    connection.execute(_INSERT, {"run_id": run_id, "kind": kind, "body": body, "created_at": now})


@surviving
class Outbox:
    """The queue from everyone to the one writer."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def post(self, run_id: str, kind: str, body: dict[str, Any], *, now: datetime) -> None:
        """Add a message."""
        with self._index.write() as connection:
            post(connection, run_id, kind, body, now)

    def take(self, *, limit: int = 200) -> list[Message]:
        """The oldest messages; they stay until `done`."""
        columns = [outbox.c.id, outbox.c.run_id, outbox.c.kind, outbox.c.body, outbox.c.attempts, outbox.c.created_at]
        with self._index.read() as connection:
            rows = connection.execute(sa.select(*columns).order_by(outbox.c.id).limit(limit)).mappings()
            return [Message(**row) for row in rows]

    def done(self, ids: list[int]) -> None:
        """Forget messages that were delivered."""
        with self._index.write() as connection:
            connection.execute(outbox.delete().where(outbox.c.id.in_(ids)))

    def failed(self, message_id: int, error: str) -> None:
        """Note a failed delivery; the message stays."""
        with self._index.write() as connection:
            connection.execute(
                outbox.update().where(outbox.c.id == message_id).values(attempts=outbox.c.attempts + 1, error=error)
            )

    def size(self) -> int:
        """How many messages wait."""
        with self._index.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one())

    def tracked_id(self, entity_id: str, tracking_uri: str) -> str | None:
        """The MLflow run that stands for a Run or StepRun in this tracking store, if there is one."""
        with self._index.read() as connection:
            return connection.execute(
                sa.select(tracked.c.mlflow_run_id).where(
                    tracked.c.entity_id == entity_id, tracked.c.tracking_uri == tracking_uri
                )
            ).scalar()

    def set_tracked_id(self, entity_id: str, tracking_uri: str, mlflow_run_id: str) -> None:
        """Remember the MLflow run of a Run or StepRun."""
        with self._index.write() as connection:
            connection.execute(
                _TRACKED.on(connection),
                {"entity_id": entity_id, "tracking_uri": tracking_uri, "mlflow_run_id": mlflow_run_id},
            )

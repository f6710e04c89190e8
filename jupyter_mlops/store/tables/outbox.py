"""What tracking has still to be told: rows written in the transaction of the change they tell of, taken by one writer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.errors import beginning
from jupyter_mlops.store.db.index import Index, surviving
from jupyter_mlops.store.db.portable import Upsert
from jupyter_mlops.store.db.schema import outbox, runs, tracked


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
_DONE = outbox.delete().where(outbox.c.id == sa.bindparam("of_id"))
_SIZE = sa.select(sa.func.count()).select_from(outbox)
_OLDEST = (
    sa.select(*(outbox.c[name] for name in ("id", "run_id", "kind", "body", "attempts", "created_at")))
    .order_by(outbox.c.id)
    .limit(sa.bindparam("at_most", type_=sa.Integer))
)
_TRACKED = Upsert(tracked)
_NAMES = runs.update().where(runs.c.id == sa.bindparam("of_id"))
_TRACKED_ID = sa.select(tracked.c.mlflow_run_id).where(
    tracked.c.entity_id == sa.bindparam("of_entity"), tracked.c.tracking_uri == sa.bindparam("in_store")
)


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
        with self._index.read() as connection:
            rows = connection.execute(_OLDEST, {"at_most": limit}).mappings()
            return [Message(**row) for row in rows]

    def done(self, ids: list[int]) -> None:
        """Forget messages that were delivered."""
        if not ids:
            return
        with self._index.write() as connection:
            connection.execute(_DONE, [{"of_id": each} for each in ids])

    def failed(self, message_id: int, error: str) -> None:
        """Note a failed delivery; the message stays."""
        with self._index.write() as connection:
            connection.execute(
                outbox.update()
                .where(outbox.c.id == message_id)
                .values(attempts=outbox.c.attempts + 1, error=beginning(error, KEPT_ERROR))
            )

    def size(self) -> int:
        """How many messages wait."""
        with self._index.read() as connection:
            return int(connection.execute(_SIZE).scalar_one())

    def tracked_id(self, entity_id: str, tracking_uri: str) -> str | None:
        """The MLflow run that stands for a Run or StepRun in this tracking store, if there is one."""
        with self._index.read() as connection:
            return connection.execute(_TRACKED_ID, {"of_entity": entity_id, "in_store": tracking_uri}).scalar()

    def set_tracked_id(
        self, entity_id: str, tracking_uri: str, mlflow_run_id: str, *, only_new: bool = False, is_run: bool = False
    ) -> str | None:
        """Remember the MLflow run of a Run or StepRun; gives the one that was known before.

        With `only_new` nothing is changed where one was; a Run's own row (`is_run`) names it too.
        """
        with self._index.write() as connection:
            known: str | None = connection.execute(
                _TRACKED_ID, {"of_entity": entity_id, "in_store": tracking_uri}
            ).scalar()
            if known is None or not only_new:
                values = {"entity_id": entity_id, "tracking_uri": tracking_uri, "mlflow_run_id": mlflow_run_id}
                connection.execute(_TRACKED.on(connection), values)
                if is_run:
                    connection.execute(_NAMES, {"of_id": entity_id, "mlflow_run_id": mlflow_run_id})
            return known

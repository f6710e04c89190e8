"""The index in PostgreSQL: a schema for each project, one writer at a time, and servers that go away and come back."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from jupyter_mlops.errors import DamagedIndexError, StoreError
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.db.index import BUSY_SECONDS, Index, again, revision_of, rolled_back
from jupyter_mlops.store.db.portable import from_json, to_json
from jupyter_mlops.store.db.postgresql_errors import explained, is_lost, is_unreachable
from jupyter_mlops.store.project.location import without_password

IDLE_SECONDS = 300
"""A writer that does nothing for so long within a transaction (its machine is cut off) loses it to the others."""
UNSURE_SECONDS = 1.0
"""A connection that was used since then is not asked whether it lives."""
_CONNECT = {"connect_timeout": 10, "keepalives_idle": 30, "application_name": "jupyter-mlops"}
_STORE_TABLE = (
    "create table mlops_store (id text not null, made_at text not null, changes bigint not null default 0, moved text)"
)
"""One row: `moved` is NULL as long as this is where the project's store is, and then says who moved it."""


class PostgresqlIndex(Index):
    """A writer holds a lock of the project from the beginning of its transaction to its end, as with SQLite.

    What is committed is on the server's disk. Where the server goes away, a connection is made again; a transaction that
    it interrupts raises `IndexLostError` where nothing was kept, and has been committed where it raises nothing.
    """

    def __init__(self, url: sa.URL, project: str, *, also_moved: bool = False, known_at: str = "") -> None:
        """One that is `known_at` this place is not made anew where it is not there."""
        require_driver()
        self._known_at = known_at
        self._also_moved = also_moved
        self.schema = project
        self.place = f"{without_password(url).render_as_string(hide_password=False)}, project {project}"
        self._url = url
        self._was_there = False
        arguments = {name: value for name, value in _CONNECT.items() if name not in url.query}
        self.engine = sa.create_engine(
            url,
            connect_args=arguments,
            pool_size=3,
            max_overflow=10,
            json_serializer=to_json,
            json_deserializer=from_json,
        )
        sa.event.listen(self.engine, "connect", self._configure)
        sa.event.listen(self.engine, "checkin", _note_use)
        sa.event.listen(self.engine, "checkout", _require_life)
        sa.event.listen(self.engine, "after_cursor_execute", _note_change)
        _after_fork(self.engine)
        try:
            again(self._migrate)()
        except BaseException:
            self.engine.dispose()
            raise
        self._was_there = True

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with self._told_clearly(), self.rows_told():
            connection = self._connected(_snapshot)
            with connection:
                yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sa.Connection]:
        with self._told_clearly():
            connection = self._connected(self._take_turn)
            with connection, rolled_back(connection):
                yield connection
                self._commit(connection)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        with self._told_clearly():
            connection = self._connected(lambda made: made.execution_options(isolation_level="AUTOCOMMIT"))
        with connection:
            with self._told_clearly():
                while not connection.execute(_TRY_LOCK, {"key": self._key(name)}).scalar():
                    time.sleep(0.2)
            try:
                yield
            finally:
                with contextlib.suppress(DBAPIError):  # a connection that is gone holds no lock
                    connection.execute(_UNLOCK, {"key": self._key(name)})

    def change_token(self) -> str:
        """Never waits for a server that is gone: then the token says so, and differs when it is back."""
        try:
            with self.engine.connect() as connection:
                return str(connection.exec_driver_sql("select changes from mlops_store").scalar())
        except DBAPIError as error:
            return f"error: {type(error.orig).__name__}"

    def has_key(self, key: str) -> bool:
        return True  # one question to a server is better than two

    def integrity(self) -> list[str]:
        """The server holds references and unique numbers itself; here each row is read once, with its checksums."""
        found = []
        for table in schema.metadata.tables.values():
            try:
                with self.read() as connection:
                    for _ in connection.execution_options(stream_results=True).execute(sa.select(table)):
                        pass
            except StoreError as error:
                found.append(f"table {table.name}: {error.message}")
        return found

    def size(self) -> int:
        with self.read() as connection:
            return int(connection.execute(_SIZE, {"schema": self.schema}).scalar_one())

    def identity(self) -> str:
        """An id that this index has had since it was made."""
        with self.read() as connection:
            return str(connection.exec_driver_sql("select id from mlops_store").scalar_one())

    def moved_by(self) -> str | None:
        """Who moved the store elsewhere; None where it is still here."""
        with self.read() as connection:
            return connection.exec_driver_sql("select moved from mlops_store").scalar()

    def set_moved(self, connection: sa.Connection, who: str | None) -> None:
        """Say that the store has moved elsewhere, or is here."""
        connection.execute(sa.text("update mlops_store set moved = :who, changes = changes + 1"), {"who": who})
        connection.info.pop("changed", None)

    def drop(self) -> None:
        """Delete all of it."""
        with self.write() as connection:
            connection.execute(sa.schema.DropSchema(self.schema, cascade=True))
            connection.info.pop("changed", None)

    def _was_moved(self) -> StoreError:
        return StoreError(
            f"The store of this project was moved away from '{self.place}'.",
            "Open it again (restart the kernel); on another machine, set MLOPS_STORE to its new location.",
        )

    def _connected(self, begin: Callable[[sa.Connection], Any]) -> sa.Connection:
        """A connection on which `begin` was called; waits for a server that was there before."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            connection: sa.Connection | None = None
            try:
                connection = self.engine.connect()
                begin(connection)
                return connection
            except DBAPIError as error:
                if connection is not None:
                    connection.close()
                waits = is_unreachable(error) if self._was_there else is_lost(error)
                if not waits or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            except BaseException:
                if connection is not None:
                    connection.close()
                raise

    def _take_turn(self, connection: sa.Connection) -> None:
        connection.info.pop("changed", None)
        connection.execute(_TURN, {"key": self._key("write")})

    def _commit(self, connection: sa.Connection) -> None:
        """Commit; where the server goes away meanwhile, ask it later what became of the transaction."""
        number = None
        if connection.info.pop("changed", None):
            number = connection.exec_driver_sql(_CHANGE).scalar()
            if number is None and not self._also_moved:
                raise self._was_moved()
        try:
            connection.commit()
        except DBAPIError as error:
            if number is None or not is_lost(error):
                raise
            if self._fate_of(number) != "committed":
                raise

    def _fate_of(self, number: str) -> str | None:
        """What became of a transaction whose end was not heard."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            with self._connected(_snapshot) as connection:
                found: str | None = connection.execute(_FATE, {"number": number}).scalar()
            if found != "in progress" or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def _key(self, purpose: str) -> int:
        digest = hashlib.sha256(f"jupyter-mlops {self.schema} {purpose}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    def _configure(self, connection: Any, _record: Any) -> None:
        """Unqualified names are the project's own; text may hold NUL, which PostgreSQL cannot keep."""
        from psycopg.types.string import StrDumper, StrDumperUnknown

        for dumper in (StrDumperUnknown, StrDumper):

            def dump(self: Any, text: str, plain: Any = dumper) -> Any:
                return plain.dump(self, text.replace("\0", "\N{REPLACEMENT CHARACTER}"))

            connection.adapters.register_dumper(str, type(dumper.__name__, (dumper,), {"dump": dump}))
        with connection.cursor() as cursor:
            quoted = self.schema.replace('"', '""')
            cursor.execute(f'set search_path to "{quoted}"')
            cursor.execute(f"set lock_timeout to '{BUSY_SECONDS}s'")
            cursor.execute(f"set idle_in_transaction_session_timeout to '{IDLE_SECONDS}s'")
        connection.commit()

    @contextlib.contextmanager
    def _told_clearly(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            told = explained(error, self.place, self._url)
            if told is error:
                raise
            raise told from error

    def _migrate(self) -> None:
        with self.read() as connection:
            if revision_of(connection) == schema.HEAD:
                moved = connection.exec_driver_sql("select moved from mlops_store").scalar()
                if moved is not None and not self._also_moved:
                    raise self._was_moved()
                return
        with self.write() as connection:
            revision = revision_of(connection)
            if revision is not None:
                if revision != schema.HEAD:
                    self._upgrade(connection, revision)
                return
            if sa.inspect(connection).get_table_names(schema=self.schema):
                raise self._not_ours()
            if self._known_at == self.place:
                raise DamagedIndexError(
                    f"The index '{self.place}' is missing, but this project had one.",
                    "Restore the schema from the server's own backups. Nothing is removed until then. To start over,"
                    " delete the project's folder `.mlops`.",
                )
            if not sa.inspect(connection).has_schema(self.schema):
                connection.execute(sa.schema.CreateSchema(self.schema))
            connection.exec_driver_sql(_STORE_TABLE)
            connection.execute(_NEW_STORE)
            self._make(connection)

    def _aside(self) -> str:
        return "Choose another project name: add ?project=NAME to the URL of the store."


def require_driver() -> None:
    """Raise `StoreError` where the driver of PostgreSQL is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise StoreError(
            f"The index is in PostgreSQL, and its driver is not installed: {error}.",
            "pip install 'jupyter-mlops[postgresql]'",
        ) from None


def refusal(url: sa.URL) -> str | None:
    """What to do so that the server lets one in; None where it does."""
    require_driver()
    engine = sa.create_engine(url, connect_args=_CONNECT, poolclass=sa.NullPool)
    try:
        with engine.connect():
            return None
    except DBAPIError as error:
        told = explained(error, "", url)
        return told.hint if isinstance(told, StoreError) else str(error.orig)


def _snapshot(connection: sa.Connection) -> None:
    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _require_life(connection: Any, record: Any, _proxy: Any) -> None:
    """One that was not used just now may be gone with its server: then all are made anew."""
    if time.monotonic() - record.info.get("used", float("inf")) > UNSURE_SECONDS:
        try:
            connection.execute("select 1")
            connection.rollback()
        except connection.Error as error:
            raise sa.exc.InvalidatePoolError from error


def _note_change(
    connection: sa.Connection, cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
) -> None:
    if cursor.rowcount and not statement.lstrip()[:6].lower().startswith("select"):
        connection.info["changed"] = True


def _after_fork(engine: sa.Engine) -> None:
    """A process that was forked leaves the connections to the one that made them."""
    made = weakref.ref(engine)

    def leave() -> None:
        found = made()
        if found is not None:
            found.dispose(close=False)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=leave)


_TURN = sa.text("select pg_advisory_xact_lock(:key)")
_TRY_LOCK = sa.text("select pg_try_advisory_lock(:key)")
_UNLOCK = sa.text("select pg_advisory_unlock(:key)")
_FATE = sa.text("select pg_xact_status(cast(:number as xid8))")
_CHANGE = (
    "update mlops_store set changes = changes + 1 where moved is null returning cast(pg_current_xact_id() as text)"
)
_NEW_STORE = sa.text(
    "insert into mlops_store (id, made_at) values (cast(gen_random_uuid() as text), cast(now() as text))"
)
_SIZE = sa.text(
    "select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c"
    " join pg_namespace n on n.oid = c.relnamespace where n.nspname = :schema and c.relkind = 'r'"
)

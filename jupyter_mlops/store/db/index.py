"""The index, whatever database holds it: short transactions of one writer at a time, and migrations.

What differs between databases is in `store.db.sqlite` and `store.db.postgresql`; what they say differently in
`store.db.portable`.
"""

from __future__ import annotations

import abc
import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from jupyter_mlops.errors import DamagedIndexError, IndexVersionError, StoreError
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.db.readable import FAULTS, UnreadableRow, unreadable

BUSY_SECONDS = 30
"""How long one waits for a writer at work, or for a database server that is just gone."""
MIGRATIONS = Path(__file__).parent / "migrations"
T = TypeVar("T")


class IndexLostError(StoreError):
    """The database went away within a transaction, of which nothing was kept: the same may be tried again."""


class Index(abc.ABC):
    """Reads and writes rows. Writers of a project, in all processes, take turns: one begins when the last has committed.

    So what is read within a `write` stays true until its end, in either database.
    """

    engine: sa.Engine
    place: str
    """Where it is, for people; never with a password."""
    refusal: StoreError | None = None
    """Why it can only be read; None where it can be written."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine uses it: then nobody takes a run from a worker whose process lives."""
        return bool(self.engine.dialect.name == "sqlite")

    @abc.abstractmethod
    def read(self) -> AbstractContextManager[sa.Connection]:
        """A consistent view; blocks no one."""

    @abc.abstractmethod
    def write(self, *, durable: bool = False) -> AbstractContextManager[sa.Connection]:
        """One short transaction; all of it or nothing. A `durable` one is proof against a power cut when it returns."""

    @abc.abstractmethod
    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock called `name`, which only one process of all that use this store has at a time."""

    @abc.abstractmethod
    def change_token(self) -> str:
        """A text that differs after every commit of any process: cheap enough to ask twice a second."""

    @abc.abstractmethod
    def has_key(self, key: str) -> bool:
        """Whether there may be a step run of this key: asked in the fastest way there is."""

    @abc.abstractmethod
    def integrity(self) -> list[str]:
        """What the database itself finds wrong with the index; empty where it is sound."""

    @abc.abstractmethod
    def size(self) -> int:
        """Bytes that it takes."""

    def unreadable(self) -> list[UnreadableRow]:
        """All rows that cannot be read."""
        with self.engine.connect() as connection:
            return list(unreadable(connection))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @contextlib.contextmanager
    def rows_told(self) -> Iterator[None]:
        """What went wrong within may be a row that cannot be read: then `DamagedIndexError`, which names it, is raised."""
        try:
            yield
        except FAULTS as error:
            self._tell_row(error)
            raise

    def _tell_row(self, error: BaseException) -> None:
        found: UnreadableRow | None = None
        with contextlib.suppress(sa.exc.SQLAlchemyError), self.engine.connect() as connection:
            found = next(unreadable(connection), None)
        if found is not None:
            raise DamagedIndexError(
                f"{found}.",
                "`jupyter mlops store verify` lists all such rows, `store recover` restores what a backup has.",
            ) from error

    def _make(self, connection: sa.Connection) -> None:
        """All tables at once: what the revisions would make, without Alembic's import."""
        schema.metadata.create_all(connection)
        connection.exec_driver_sql("create table alembic_version (version_num varchar(32) not null primary key)")
        connection.exec_driver_sql(f"insert into alembic_version values ('{schema.HEAD}')")

    def _upgrade(self, connection: sa.Connection, from_revision: str) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        if from_revision not in {
            revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()
        }:
            raise IndexVersionError(
                f"The index '{self.place}' has schema {from_revision}, which this version does not know.",
                "It was made by a newer jupyter-mlops: upgrade with `pip install -U jupyter-mlops`.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def _not_ours(self) -> StoreError:
        return StoreError(f"'{self.place}' is a database, but not an index of jupyter-mlops.", self._aside())

    def _aside(self) -> str:
        return f"Move '{self.place}' aside (your objects stay); a new index is created on next use."


def revision_of(connection: sa.Connection) -> str | None:
    """The revision that a database stands at; None where it is no index."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("select version_num from alembic_version").scalar()


def surviving(made: type[T]) -> type[T]:
    """Of a class whose methods are each one transaction: a method that lost its database server is called again."""
    for name, method in list(vars(made).items()):
        if callable(method) and not name.startswith("_"):
            setattr(made, name, again(method))
    return made


def again(method: Callable[..., Any]) -> Callable[..., Any]:
    """Called once more, for a while, where it lost its database server on the way."""

    @functools.wraps(method)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except IndexLostError:
            deadline = time.monotonic() + BUSY_SECONDS
            while True:
                with contextlib.suppress(IndexLostError):
                    return method(*arguments, **named)
                if time.monotonic() > deadline:
                    return method(*arguments, **named)
                time.sleep(0.1)

    return called


@contextlib.contextmanager
def rolled_back(connection: sa.Connection) -> Iterator[None]:
    """Undo the transaction where the block raises; a connection that is gone has undone it already."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            connection.rollback()
        raise

"""Where a project's index and objects are: in `.mlops/`, or where `.mlops/store.json` or the environment says.

A project has one store. The environment decides at its first use, which is kept in `store.json`, so that every process
agrees whatever its environment; later it may only say the same (with a password, say), and anything else is an error.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain import variables
from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.project.folder import INDEX_FILE, PLACE_FILE

if TYPE_CHECKING:
    import sqlalchemy as sa

EMBEDDED = "embedded"
PROJECT_FILE = "mlops.toml"
_FORMAT = 1
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class StorePlace:
    """`index` is the URL of a database and `objects` one that fsspec knows; None is the project's own folder.

    `project` is the name that both know the project by.
    """

    index: str | None = None
    objects: str | None = None
    project: str = ""
    id: str = ""
    """Of an index in the project's folder whose objects are elsewhere: they belong to it alone."""

    @property
    def is_embedded(self) -> bool:
        """Whether all is in the project's folder."""
        return self.index is None and self.objects is None


def place_of(root: Path, folder: Path, environment: Mapping[str, str] = os.environ) -> StorePlace:
    """Where the store of the project `root` is. Raises `StoreError` where the environment contradicts what it has."""
    kept = read_place(folder)
    asked = asked_place(root, environment)
    if kept is None:
        if asked.is_embedded:
            return asked
        if _has_content(folder / INDEX_FILE):
            raise StoreError(
                f"The project '{root}' has its store in '{folder}', but {_who(environment)} another ({_named(asked)}).",
                "Move the store with `jupyter mlops store move`, or remove that setting.",
            )
        write_place(folder, asked)
        return asked
    told = _told(root)
    index = _agreed(
        kept.index, asked.index, environment.get(variables.STORE), told.get("index"), variables.STORE, folder
    )
    objects = _agreed(
        kept.objects, asked.objects, environment.get(variables.OBJECTS), told.get("objects"), variables.OBJECTS, folder
    )
    return replace(kept, index=index, objects=objects)


def current_place(folder: Path, environment: Mapping[str, str] = os.environ) -> StorePlace:
    """Where the store is, whatever the environment says; of that only a password is taken."""
    kept = read_place(folder) or StorePlace()
    asked = environment.get(variables.STORE)
    if kept.index is not None and asked and is_same(asked, kept.index):
        return replace(kept, index=index_url(asked).difference_update_query(["project"]).render_as_string(False))
    return kept


def asked_place(root: Path, environment: Mapping[str, str]) -> StorePlace:
    """What the environment asks for, or else `[store]` in the project's `mlops.toml`.

    Raises `StoreError` where that cannot be read, or what it says is no place.
    """
    told = _told(root)
    index = environment.get(variables.STORE) or told.get("index")
    objects = environment.get(variables.OBJECTS) or told.get("objects")
    project = told.get("project")
    return make_place(root, None if index == EMBEDDED else index, None if objects == EMBEDDED else objects, project)


def _told(root: Path) -> dict[str, str]:
    """The table `store` of `mlops.toml`; empty where there is none."""
    path = root / PROJECT_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    if "[store]" not in text:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(text).get("store", {})
    except tomllib.TOMLDecodeError as error:
        raise StoreError(f"'{path}' cannot be read: {error}.", "Fix it; TOML is described at toml.io.") from error
    if not table.keys() <= {"index", "objects", "project"} or not all(isinstance(each, str) for each in table.values()):
        raise StoreError(
            f"[store] of '{path}' cannot be read.", "Its keys are index, objects and project, each a text."
        )
    return dict(table)


def make_place(
    root: Path, index: str | None, objects: str | None, project: str | None = None, identity: str | None = None
) -> StorePlace:
    """A place of these URLs; the project's name is said by `?project=` in the index's, else it is the folder's.

    Raises `StoreError` for a URL or a name that is none.
    """
    if index is not None:
        url = index_url(index)
        named = url.query.get("project")
        project = str(named) if named else project
        index = url.difference_update_query(["project"]).render_as_string(hide_password=False)
    if objects is not None:
        objects = objects_url(objects)
    if index is None and objects is None:
        return StorePlace()
    own = "" if index is not None else identity or uuid.uuid4().hex
    return StorePlace(index, objects, _checked_name(project or _name_of(root)), own)


def owner_of(place: StorePlace, index: Any) -> str:
    """What the objects at a URL are marked with, so that no other project takes them for its own garbage."""
    return place.id or str(index.identity())


def index_url(text: str) -> sa.URL:
    """The URL of an index in PostgreSQL. Raises `StoreError` for any other."""
    import sqlalchemy as sa

    hint = "Write it as postgresql+psycopg://USER@HOST/DATABASE, optionally with ?project=NAME."
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreError("The URL of the store cannot be read.", hint) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername != "postgresql+psycopg":
        raise StoreError(f"'{without_password(url)}' is not a kind of store that this version knows.", hint)
    return url


def objects_url(text: str) -> str:
    """The URL of objects. Raises `StoreError` where it has no scheme."""
    if not re.match(r"[a-z][a-z0-9+.-]*://.", text):
        raise StoreError(f"'{text}' is not a URL for objects.", "Write it as s3://BUCKET/PREFIX or file:///FOLDER.")
    return text.rstrip("/")


def without_password(url: sa.URL) -> sa.URL:
    """The URL without what only its owner may know."""
    import sqlalchemy as sa

    plain = {name: value for name, value in url.query.items() if name not in ("password", "sslpassword")}
    return sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database, plain)


def shown_index(index: str) -> str:
    """The URL of an index without its password."""
    return without_password(index_url(index)).render_as_string(hide_password=False)


def read_place(folder: Path) -> StorePlace | None:
    """What `store.json` says; None where there is none. Raises `StoreError` where it cannot be read."""
    path = folder / PLACE_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        hidden = folder if not os.access(folder, os.R_OK | os.X_OK) else path
        raise StoreError(
            f"'{hidden}' cannot be read: {error.strerror}.", f"Give yourself read permission on '{hidden}'."
        ) from error
    try:
        written: dict[str, Any] = loads(text)
        if written["format"] > _FORMAT:
            raise StoreError(f"'{path}' was written by a newer version.", "pip install -U jupyter-mlops")
        index, objects, project = written["index"], written["objects"], written["project"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"'{path}' cannot be read: {error}.", "Write the store's URLs into it, as docs/stores.md describes."
        ) from error
    if index is None and objects is None:
        return StorePlace()
    return StorePlace(index, objects, _checked_name(str(project)), str(written.get("id") or ""))


def write_place(folder: Path, place: StorePlace) -> None:
    """Keep where the store is, without any password."""
    path = folder / PLACE_FILE
    if place.is_embedded:
        path.unlink(missing_ok=True)
        return
    index = None if place.index is None else shown_index(place.index)
    told = {"format": _FORMAT, "index": index, "objects": place.objects, "project": place.project, "id": place.id}
    write_atomically(path, [(dumps(told, indent=1) + "\n").encode()])


def _agreed(
    kept: str | None, asked: str | None, variable: str | None, told: str | None, name: str, folder: Path
) -> str | None:
    """What `store.json` says, in the words of the environment or of `mlops.toml` where they say the same."""
    if not (variable or told):
        return kept
    if is_same(kept, asked):
        return asked
    who = name if variable else PROJECT_FILE
    raise StoreError(
        f"{who} names a different store than this project has ({folder / PLACE_FILE}).",
        f"{'Unset it' if variable else 'Remove it'}, or move the project's store with `jupyter mlops store move`.",
    )


def is_same(one: str | None, other: str | None) -> bool:
    """Whether two URLs lead to the same place, whoever goes there."""
    if not one or not other or not (one.startswith("postgres") and other.startswith("postgres")):
        return (one or None) == (other or None)
    return _where(index_url(one)) == _where(index_url(other))


def _where(url: sa.URL) -> tuple[object, ...]:
    return (url.host or url.query.get("host") or "localhost", url.port or 5432, url.database)


def _who(environment: Mapping[str, str]) -> str:
    is_asked = environment.get(variables.STORE) or environment.get(variables.OBJECTS)
    return "the environment names" if is_asked else f"{PROJECT_FILE} names"


def _named(place: StorePlace) -> str:
    return ", ".join(filter(None, (place.index and shown_index(place.index), place.objects)))


def _has_content(index: Path) -> bool:
    """Whether an embedded index has any run or schedule."""
    if not index.is_file():
        return False
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(index)) as connection:
        row = connection.execute("select exists(select 1 from runs) or exists(select 1 from schedules)").fetchone()
        return bool(row[0])
    return True


def _name_of(root: Path) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", root.name.lower()).strip("_") or "project"
    return (name if name[0].isalpha() else f"p_{name}")[:63]


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.startswith("pg_") or name in ("public", "information_schema"):
        raise StoreError(
            f"'{name}' cannot be a project's name in a shared store.",
            "Use lower-case letters, digits and _, such as ?project=churn.",
        )
    return name

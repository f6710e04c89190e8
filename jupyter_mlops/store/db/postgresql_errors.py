"""What an error of PostgreSQL means: what was wrong, what to do, and whether the server is only gone for a while."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from jupyter_mlops.errors import DamagedIndexError, FullDiskError, NotWritableError, StoreError
from jupyter_mlops.store.db.index import BUSY_SECONDS, IndexLostError

_GONE = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
"""The connection broke, or the server is shutting down, crashed, or not up yet, or took an idle session's away."""
_CONFLICT = ("40001", "40P01")
_STARTING = "the database system is"
_PASSWORD = ("authentication failed", "no password supplied")


def is_lost(error: DBAPIError) -> bool:
    """Whether a transaction went with its connection (or by a conflict), so that it may be tried again."""
    state = _state(error)
    if state:
        return state.startswith(_GONE) or state in _CONFLICT
    return error.connection_invalidated or _STARTING in str(error.orig)


def is_unreachable(error: DBAPIError) -> bool:
    """Whether a server that was there before may come back."""
    text = str(error.orig)
    refused = (*_PASSWORD, "does not exist", "no pg_hba.conf entry", "permission denied")
    return is_lost(error) or (not _state(error) and text.startswith("connection") and not _has(text, refused))


def explained(error: DBAPIError, place: str, url: sa.URL) -> Exception:
    """The error for people; what a caller may want to tell apart (a row that breaks a rule) comes back as it is."""
    if isinstance(error, IntegrityError):
        return error
    text, state = _first_line(error), _state(error)
    if is_lost(error):
        return IndexLostError(f"The server of the index '{place}' went away: {text}.", "Try again when it is back.")
    if not state:
        return StoreError(f"The index '{place}' cannot be reached: {text}.", _mend(text, url))
    if state == "25006":
        return NotWritableError(
            f"The index '{place}' cannot be written: {text}.",
            "The server is read-only (a standby, or a database set to read-only): use the primary server.",
        )
    if state == "42501":
        return NotWritableError(
            f"The index '{place}' cannot be written: {text}.",
            f"Let the server's user '{url.username or ''}' create schemas: "
            f'`grant create on database "{url.database}" to ...`, or make the schema for it.',
        )
    if state == "55P03":
        return StoreError(
            f"The index '{place}' was busy for {BUSY_SECONDS} s.",
            "Try again; the server's pg_stat_activity says which process holds it.",
        )
    if state == "53100":
        return FullDiskError(
            f"The disk of the server of the index '{place}' is full: {text}.",
            "Free some space on the server, then try again. What is stored is intact: do not delete any part of it.",
        )
    if state.startswith("53"):
        return StoreError(
            f"The server of the index '{place}' has no resources left: {text}.", _SHORT.get(state, _LATER)
        )
    if state.startswith("XX00") or state == "58P01":
        return DamagedIndexError(
            f"The index '{place}' is damaged: {text}.",
            "Restore the database from the server's own backups. `store gc` removes nothing until then.",
        )
    if state == "58030":
        return StoreError(f"The disk of the server of the index '{place}' failed: {text}.", "See the server's log.")
    if state in ("42P01", "3F000"):
        return StoreError(
            f"The index '{place}' no longer exists: {text}.",
            "Restart what has it open (the kernel, the worker or JupyterLab).",
        )
    return error


_LATER = "Try again later."
_SHORT = {
    "53200": "Its memory is used up: stop other work there, then try again.",
    "53300": "Too many programs are connected: close some kernels and workers, or raise `max_connections` there.",
}


def _mend(text: str, url: sa.URL) -> str:
    where = f"{url.host or url.query.get('host') or 'localhost'}:{url.port or 5432}:{url.database}:{url.username or ''}"
    if _has(text, _PASSWORD):
        return f"Put the password into PGPASSWORD, or into ~/.pgpass as `{where}:PASSWORD` (and chmod 600 it)."
    if f'database "{url.database}" does not exist' in text:
        return f"Create it: createdb {url.database}"
    if "no pg_hba.conf entry" in text:
        return "The server does not allow this user or machine: see its pg_hba.conf."
    return "Is the server running, and is MLOPS_STORE (or .mlops/store.json) right?"


def _state(error: DBAPIError) -> str:
    """The five letters by which the server names an error; "" where it did not come to that."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def _first_line(error: DBAPIError) -> str:
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    text = lines[0] if lines else type(error.orig).__name__
    if text.endswith(":") and len(lines) > 1:
        text = f"{text} {lines[1]}"
    return text.rstrip(".")


def _has(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)

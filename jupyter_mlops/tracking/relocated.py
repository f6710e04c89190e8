"""The artifacts of a project whose folder was renamed, moved or copied, found again by its own MLflow store.

MLflow writes absolute addresses of artifacts into its database: in a renamed project what was logged is not found any
more, and in a copy new artifacts would land in the folder of the original.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path

from jupyter_mlops.tracking.uri import artifacts_folder, local_folder, own_database

log = logging.getLogger(__name__)

DEFAULT = "0"
"""The folder below all artifacts that belongs to MLflow's experiment 0, which every store has."""

EXPERIMENTS = (("experiments", "artifact_location"),)
"""Where new artifacts go."""

LOGGED = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
"""Where those are that were logged (tables and columns of MLflow 3's schema)."""


def follow_folder(root: Path) -> None:
    """Let the project's own MLflow store name artifacts where they are now; nothing to do where the folder is the same.

    Addresses elsewhere (a bucket, another folder) stay. Those of what was logged stay too where the artifacts did not
    come along with the database.
    """
    with contextlib.closing(sqlite3.connect(own_database(root), timeout=30)) as connection, connection:
        former, now = _base(connection), artifacts_folder(root).as_uri()
        if former is None or former == now or _same_folder(former, now):
            return
        came_along = artifacts_folder(root).is_dir()
        for table, column in EXPERIMENTS + (LOGGED if came_along else ()):
            connection.execute(
                f"update {table} set {column} = ? || substr({column}, ?) where substr({column}, 1, ?) = ?",
                (f"{now}/", len(former) + 2, len(former) + 1, f"{former}/"),
            )
    log.info("the project was in another folder before: artifacts are in '%s' now, not in '%s'", now, former)


def _base(connection: sqlite3.Connection) -> str | None:
    """The address of the folder of all artifacts, as it was when the store was made."""
    row = connection.execute("select artifact_location from experiments where experiment_id = ?", (DEFAULT,)).fetchone()
    location = row[0] if row else None
    if not location or not location.endswith(f"/{artifacts_folder(Path()).as_posix()}/{DEFAULT}"):
        return None
    return str(location).removesuffix(f"/{DEFAULT}")


def _same_folder(former: str, now: str) -> bool:
    """The same by another way to it, such as a link."""
    one, other = local_folder(former), local_folder(now)
    try:
        return one is not None and other is not None and one.samefile(other)
    except OSError:  # the former one is gone
        return False

"""The only code that touches disk and SQL. `open_store` is the way in; SQLAlchemy is imported no sooner than that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.store.project.folder import FOLDER, find_project, place_file, project_for

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

__all__ = ["FOLDER", "find_project", "open_store", "place_file", "project_for"]


def open_store(start: Path | str, *, create: bool = True) -> Store:
    """Open the store of the project that `start` (a folder, or a file in it) belongs to.

    With `create` the project is made where there is none; without, an `UnknownNameError` says there is none.
    """
    from jupyter_mlops.store.store import Store

    return Store.open(Path(start), create=create)

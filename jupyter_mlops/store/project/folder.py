"""Where a project is: the nearest folder above that holds `.mlops/`, else the git root, else the folder itself."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_mlops.errors import NotWritableError
from jupyter_mlops.store.files.disk import refused

FOLDER = ".mlops"
INDEX_FILE = "index.db"
PLACE_FILE = "store.json"
"""Says where the store is, where it is not in the folder itself; see `store.project.location`."""


def _folder_of(start: Path) -> Path:
    start = Path(os.path.abspath(start))
    return start if start.is_dir() else start.parent


def find_project(start: Path) -> Path | None:
    """The project that `start` (a folder, or a file in it) lies in, or None."""
    folder = _folder_of(start)
    for candidate in (folder, *folder.parents):
        if (candidate / FOLDER).is_dir():
            return candidate
    return None


def project_for(start: Path) -> Path:
    """The project `start` lies in, or the folder where its project would be made on first use."""
    found = find_project(start)
    if found is not None:
        return found
    folder = _folder_of(start)
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder


def make_project(root: Path) -> Path:
    """Make `root/.mlops` (0700, ignoring itself in git) where it is missing, and return it.

    Raises `NotWritableError` where the folder cannot be written.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        (folder / "objects").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        done = "used" if folder.is_dir() else "made"
        told = refused(error, f"The project folder '{folder}' cannot be {done}", root)
        if isinstance(told, NotWritableError) and done == "used":
            told.hint = f"Give yourself read and write permission on '{folder}', or work on a copy in your own folder."
        elif isinstance(told, NotWritableError):
            told.hint = f"Make '{root}' writable, or work on a copy in your own folder."
        raise told from error
    if not os.access(folder, os.W_OK):
        raise NotWritableError(
            f"The project folder '{folder}' is not writable.",
            "Give yourself write permission on it, or work on a copy in your own folder.",
        )
    return folder


def place_file(folder: Path) -> Path:
    """The file in a project's folder that is there where the project has a store, and another one when that has moved."""
    place = folder / PLACE_FILE
    return place if place.exists() else folder / INDEX_FILE


def relative_path(root: Path, path: Path) -> str:
    """`path` relative to the project, with forward slashes; absolute where it lies outside."""
    absolute = Path(os.path.abspath(path))
    try:
        return absolute.relative_to(root).as_posix()
    except ValueError:
        return absolute.as_posix()

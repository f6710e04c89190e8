"""Contents paths to files and back. A path leads nowhere but into the folder that the contents manager serves."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import InputError, UnknownNameError


def served_folder(contents_manager: Any) -> Path:
    """The folder that Jupyter serves.

    Raises `InputError` for a contents manager that keeps no files on this machine. The base class of all of them has a
    `root_dir` of "/", so having that attribute says nothing; being made for files does.
    """
    from jupyter_server.services.contents.fileio import FileManagerMixin

    folder = getattr(contents_manager, "root_dir", "")
    if not isinstance(contents_manager, FileManagerMixin) or not folder:
        raise InputError(
            f"The contents manager of this server ({type(contents_manager).__name__}) does not serve a local folder.",
            "Runs need notebooks as files: start Jupyter with its own contents manager, or use `jupyter mlops`.",
        )
    return Path(os.path.abspath(folder))


def file_at(served: Path, path: str, *, allow_hidden: bool = False) -> Path:
    """The file or folder at a contents path, whether it exists or not.

    Symbolic links are followed to see where they lead and then left as they are: Jupyter tells a kernel its notebook's
    path in the same way, so both find the same rows. Raises `UnknownNameError` for what leads out of `served`, also by
    a symbolic link, or is hidden.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    odd = "\0\\:" if os.name == "nt" else "\0"
    if path.startswith("/") or ".." in parts or any(mark in path for mark in odd):
        raise _outside(path)
    if not allow_hidden and any(part.startswith(".") for part in parts):
        raise UnknownNameError(
            f"'{path}' is hidden.", "To show hidden files, set ContentsManager.allow_hidden in Jupyter's configuration."
        )
    if not parts:
        return served
    try:
        file = served.joinpath(*parts)
        target = file.resolve()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            target.lstat()
    except (OSError, RuntimeError) as error:  # names too long, circles of links
        raise _outside(path) from error
    if not target.is_relative_to(served.resolve()):
        raise _outside(path)
    return file


def contents_path(served: Path, path: Path) -> str:
    """The contents path of a file or folder; "" for the served folder, and for one that lies above it and so holds it."""
    relative = path.relative_to(served).as_posix() if path.is_relative_to(served) else "."
    return "" if relative == "." else relative


def _outside(path: str) -> UnknownNameError:
    return UnknownNameError(
        f"'{path}' is not in the folder that this server serves.",
        "Give a path relative to that folder, with forward slashes and without '..'.",
    )

"""Modules in a zip archive on the import path: which archive a path leads into, and the text of a source there."""

from __future__ import annotations

import os


def archive_of(path: str) -> str | None:
    """The archive that `path` leads into; None where it is a plain path."""
    if os.path.exists(path):
        return None
    above, below = os.path.dirname(path), path
    while above != below:
        if os.path.isfile(above):
            return above
        above, below = os.path.dirname(above), above
    return None


def source_text(path: str) -> str:
    """The text of a source, also of one in an archive. Raises `OSError` where there is none, else as decoding does."""
    archive = archive_of(path)
    if archive is None:
        with open(path, encoding="utf-8") as file:
            return file.read()
    import zipfile

    try:
        with zipfile.ZipFile(archive) as members:
            return members.read(os.path.relpath(path, archive).replace(os.sep, "/")).decode("utf-8")
    except (KeyError, zipfile.BadZipFile) as error:
        raise OSError(f"{path} cannot be read: {error}") from error

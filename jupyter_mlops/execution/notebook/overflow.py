"""Files beside an executed notebook, to which goes all that a cell prints where it is too much to be shown."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Overflow:
    """The file of one cell: UTF-8, as it was printed, both streams as they came."""

    def __init__(self, path: Path, shown: str, problem: str = "") -> None:
        self.path = path
        self.shown = shown
        """The path as the notebook names it."""
        self.problem = problem
        """Why it cannot be written."""
        self._file: int | None = None
        self._size = 0

    def begin(self, texts: Iterable[str]) -> None:
        """Begin anew, with what was shown so far."""
        self.close()
        self._size, self.problem = 0, ""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o644)
            for text in texts:
                self._write(text)
        except OSError as error:
            self._fail(error)

    def append(self, text: str) -> dict[str, Any]:
        """Write a piece; where it stands: path, first byte, bytes. Where it cannot be written, `problem` says why."""
        if self._file is None and not self.problem:
            self._open_again()
        if self._file is not None:
            start = self._size
            try:
                self._write(text)
            except OSError as error:
                # Half a piece gives the room back: the disk is full, and the notebook is still to be saved.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, start)
                self._fail(error)
            else:
                return {"path": str(self.path), "start": start, "size": self._size - start}
        return {"path": str(self.path), "problem": self.problem}

    def _open_again(self) -> None:
        """A task of the cell goes on when it has ended."""
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        except OSError as error:
            self._fail(error)

    def _write(self, text: str) -> None:
        assert self._file is not None
        left = memoryview(text.encode("utf-8", "backslashreplace"))
        while left:
            done = os.write(self._file, left)
            self._size += done
            left = left[done:]

    def _fail(self, error: OSError) -> None:
        self.problem = error.strerror or str(error)
        self.close()

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Overflows:
    """The files of one notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self) -> None:
        """Remove those that an earlier execution into the same notebook left."""
        with contextlib.suppress(OSError):
            for path in self.folder.glob("cell-*.txt"):
                path.unlink()
            self.folder.rmdir()

    def of(self, index: int) -> Overflow:
        """The file of the cell at a place, from 0."""
        name = f"cell-{index + 1}.txt"
        return Overflow(self.folder / name, f"{self.folder.name}/{name}")


def read_piece(told: dict[str, Any]) -> str:
    """A piece again; "" where the file is gone."""
    try:
        with open(told["path"], "rb") as file:
            file.seek(told["start"])
            return file.read(told["size"]).decode("utf-8", "replace")
    except OSError:
        return ""

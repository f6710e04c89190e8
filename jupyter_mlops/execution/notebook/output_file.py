"""The executed notebook's file: always whole, never the source, and written no oftener than it is worth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from jupyter_mlops.errors import InputError, NotWritableError
from jupyter_mlops.execution.notebook.nodes import NotebookNode
from jupyter_mlops.execution.notebook.notebook_json import json_of
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.files.disk import refused

LEAST_SECONDS = 2.0
COST_FACTOR = 50.0
"""A save may take a fiftieth of the time since the last one, so that a large notebook is saved more seldom: what it holds
is in the journal meanwhile, and the cost of saving grows with the time a run takes, not with its cells."""


def check_output(output: Path, source: Path | None, *, make_folder: bool = True) -> None:
    """Prove that `output` may be written: not the source itself, in a folder that is there (else it is made) and writable.

    Raises `InputError` or `NotWritableError`.
    """
    if source is not None and _same_file(output, source):
        raise InputError(
            f"The output '{output}' is the notebook itself, which is never overwritten.",
            "Use another file with -o, or omit -o: the executed notebook then goes to runs/.",
        )
    if output.is_dir():
        raise InputError(f"The output '{output}' is a folder.", f"Give a file in it, such as {output.name}/out.ipynb.")
    if not make_folder and not output.parent.is_dir():
        raise InputError(f"The output folder '{output.parent}' does not exist.", "Create it, or use another.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        told = refused(error, f"The folder '{output.parent}' cannot be made", output.parent.parent)
        if isinstance(told, NotWritableError):
            told.hint = "Use -o with a folder you can write to."
        raise told from error
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise NotWritableError(
            f"The folder '{output.parent}' is not writable.", "Use -o with a folder you can write to."
        )


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return os.path.abspath(one) == os.path.abspath(other)


class Save(Protocol):
    """Writes a notebook somewhere."""

    def __call__(self, notebook: NotebookNode, *, sync: bool = True) -> None:
        """Write it; without `sync` a power cut may lose it."""


def file_saver(path: Path) -> Save:
    """Saves to `path` by rename; where it is a link, the file it names is written and the link stays."""
    target = Path(os.path.realpath(path))

    def save(notebook: NotebookNode, *, sync: bool = True) -> None:
        write_atomically(target, [bytes_of(notebook)], sync)

    return save


class OutputFile:
    """Decides when a notebook is worth a save; `None` for `save` saves nothing."""

    def __init__(self, save: Save | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.saves = 0
        self._save = save
        self._clock = clock
        self._dirty = False
        self._not_before = 0.0

    def touch(self) -> None:
        """Note that the notebook has changed since it was saved."""
        self._dirty = True

    def save_if_due(self, notebook: NotebookNode) -> None:
        """Save where something changed and the last save is long enough ago."""
        if self._dirty and self._clock() >= self._not_before:
            self.save(notebook)

    def save(self, notebook: NotebookNode, *, last: bool = False) -> None:
        """Save now; the `last` is proof against a power cut."""
        self._dirty = False
        if self._save is None:
            return
        began = self._clock()
        self._save(notebook, sync=last)
        self.saves += 1
        ended = self._clock()
        self._not_before = ended + max(LEAST_SECONDS, COST_FACTOR * (ended - began))


def bytes_of(notebook: NotebookNode) -> bytes:
    """The file's bytes, as nbformat writes them (but not validated again each time)."""
    return encoded(json_of(notebook))


def encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which a program may print, has none and is written as JSON's escape."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in text).encode("utf-8")

"""Where papermill reads from and writes to, and its own last writes made atomic: a handler for exactly that path."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from papermill.iorw import LocalHandler, papermill_io, write_ipynb

from jupyter_mlops.errors import NotWritableError
from jupyter_mlops.execution.notebook.nodes import NotebookNode
from jupyter_mlops.execution.notebook.output_file import Save, encoded, file_saver
from jupyter_mlops.execution.notebook.rebuild import began_of
from jupyter_mlops.store.files.atomic import write_atomically

STREAM = "-"
_REACH = "Check that papermill can reach it from here: its libraries, the address and the credentials."


@dataclass(frozen=True)
class Paths:
    """The source and the output where they are local files, else None; `shown` names the output whatever it is."""

    source: Path | None
    output: Path | None
    name: str
    shown: str
    saves_while_running: bool

    @classmethod
    def of(cls, nb: NotebookNode, input_path: object, output_path: str | None) -> Paths:
        """As papermill means them. `output_path` is None where it wants no saves while cells run."""
        folder = working_folder()
        record = nb.metadata.get("papermill", {})
        shown = output_path or record.get("output_path") or ""
        source = _local(folder, input_path)
        if source is not None and not source.is_file():
            source = None  # papermill also takes a notebook's JSON as a path
        output = _local(folder, shown)
        if output is not None:
            write_by_rename(shown)
        return cls(
            source=source,
            output=output,
            name=source.name if source is not None else _name(input_path),
            shown="" if shown == STREAM else shown,
            saves_while_running=output_path is not None,
        )

    def saver(self) -> Save | None:
        """How to save while cells run."""
        return self.final_saver() if self.saves_while_running else None

    def final_saver(self) -> Save | None:
        """How to save at all; None for the standard output, which gets the notebook once, from papermill."""
        if self.output is not None:
            return file_saver(self.output)
        return remote_saver(self.shown) if self.shown else None


def working_folder() -> Path:
    """The folder paths on papermill's command line are relative to, also where it changed into another."""
    handler = papermill_io.get_handler("local")
    return Path(getattr(handler, "_cwd", None) or os.getcwd())


def _local(folder: Path, path: object) -> Path | None:
    if not isinstance(path, str) or not path or path == STREAM:
        return None
    if not isinstance(papermill_io.get_handler(path), LocalHandler):
        return None
    return folder / path


def is_remote(path: str) -> bool:
    """Whether an output, as the index names it, is no local file; perhaps no handler here knows it."""
    return "://" in path or not isinstance(papermill_io.get_handler(path), LocalHandler)


def remote_saver(path: str) -> Save:
    """Saves to where one of papermill's handlers reaches. That raises `NotWritableError`, whatever the handler does."""

    def save(notebook: NotebookNode, *, sync: bool = True) -> None:
        shown = path.split("?")[0]
        if isinstance(papermill_io.get_handler(path), LocalHandler):
            raise NotWritableError(f"'{shown}' cannot be written: papermill has no handler for it here.", _REACH)
        try:
            write_ipynb(notebook, path)
        except Exception as error:  # handlers are others' code, and raise what the libraries below them do
            raise NotWritableError(f"'{shown}' cannot be written: {type(error).__name__}: {error}", _REACH) from error

    return save


def began(path: str) -> datetime | None:
    """When the execution began whose notebook is there; None where that cannot be told, as where there is nothing."""
    try:
        return began_of(json.loads(papermill_io.get_handler(path).read(path)))
    except Exception:  # noqa: BLE001 - as above
        return None


def _name(input_path: object) -> str:
    """What to call a notebook that is no local file."""
    if isinstance(input_path, str) and "://" in input_path:
        return PurePosixPath(input_path.split("?")[0]).name or "remote.ipynb"
    return "stdin.ipynb" if input_path == STREAM else "notebook.ipynb"


class _ByRename(LocalHandler):  # type: ignore[misc]
    """papermill's handler of local files, but the file it was registered for is written by rename."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def read(self, path: str) -> Any:
        return papermill_io.get_handler("local").read(path)

    def write(self, buf: str, path: str) -> None:
        if path != self.path:
            # papermill finds handlers by how a path begins: this one is another file's.
            papermill_io.get_handler("local").write(buf, path)
            return
        write_atomically(Path(os.path.realpath(working_folder() / path)), [encoded(buf)])


def write_by_rename(path: str) -> None:
    """Let papermill write `path` (as it was given) by rename."""
    registered = papermill_io._handlers
    registered[:] = [item for item in registered if not (isinstance(item[1], _ByRename) and item[0] == path)]
    papermill_io.register(path, _ByRename(path))

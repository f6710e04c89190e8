"""Which project and which notebook a verb is about: the live notebook, a named one, or the folder's only one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.pipeline.cells import cells_of, match_step
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.plan import ALL
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.store.files.notebooks import read_notebook
from jupyter_mlops.store.project.folder import find_project
from jupyter_mlops.verbs.framework.verb import Context

if TYPE_CHECKING:
    from jupyter_mlops.operations.steps.in_view import InView
    from jupyter_mlops.store.store import Store


def open_project(context: Context) -> Store:
    """The store of the project the verb is called in. Raises `UnknownNameError` where there is none."""
    from jupyter_mlops.store.store import Store

    return Store.open(context.start, create=False)


def read_cells(named: str | None, context: Context) -> tuple[Path, tuple[Cell, ...]]:
    """The notebook that is meant, and its cells as last saved."""
    path = notebook_file(named, context)
    return path, cells_of(read_notebook(path))


@contextmanager
def notebook_project(path: Path) -> Iterator[tuple[Store | None, str]]:
    """The store of the project that a notebook lies in, None where nothing ever ran; and its name as the index has it."""
    if find_project(path) is None:
        yield None, path.name
        return
    from jupyter_mlops.store.store import Store

    with Store.open(path, create=False) as store:
        yield store, store.relative(path)


def view_of(context: Context, path: Path) -> InView | None:
    """What a status of the notebook at `path` is about: in its own kernel this, else what the record tells (None)."""
    from jupyter_mlops.operations.steps.in_view import in_kernel

    is_live = context.live is not None and context.notebook is not None and path == context.notebook
    return in_kernel(context.live.run_id) if is_live and context.live is not None else None


def notebook_of(store: Store, named: str | None, context: Context, step: str) -> str | None:
    """The notebook whose step is meant: the named one, or the live one where it has such a step."""
    if named is not None:
        return store.relative(context.start / named)
    if context.notebook is None:
        return None
    notebook = store.relative(context.notebook)
    try:
        match_step(step, store.steps.names(notebook))
    except UnknownNameError:
        return None
    return notebook


def add_force(parser: argparse.ArgumentParser) -> None:
    """The option `--force [STEP]`."""
    parser.add_argument(
        "--force",
        nargs="?",
        const=ALL,
        metavar="STEP",
        help="run this step, or all steps, even if they could be reused",
    )


def add_notebook(parser: argparse.ArgumentParser) -> None:
    """The option `--notebook`."""
    parser.add_argument("--notebook", help="the notebook (default: the live one, or the folder's only one)")


def notebook_file(named: str | None, context: Context) -> Path:
    """The notebook that is meant. Raises `InputError` where that is not clear."""
    if named is not None:
        return Path(named) if Path(named).is_absolute() else context.start / named
    if context.notebook is not None:
        return context.notebook
    notebooks = sorted(path for path in context.start.glob("*.ipynb") if not path.name.startswith("."))
    if len(notebooks) == 1:
        return notebooks[0]
    names = ", ".join(path.name for path in notebooks)
    there = f"There are {len(notebooks)} in this folder: {names}." if notebooks else "There is none in this folder."
    raise InputError(f"Which notebook? {there}", "Give one after the verb.")

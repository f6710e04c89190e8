"""Which project and which notebook a verb is about: the live notebook, a named one, or the folder's only one."""

from __future__ import annotations

from pathlib import Path

from jupyter_mlops.errors import InputError
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.verb import Context


def open_project(context: Context) -> Store:
    """The store of the project the verb is called in. Raises `UnknownNameError` where there is none."""
    return Store.open(context.start, create=False)


def notebook_file(named: str | None, context: Context) -> Path:
    """The notebook that is meant. Raises `InputError` where that is not clear."""
    if named is not None:
        return Path(named) if Path(named).is_absolute() else context.start / named
    if context.notebook is not None:
        return context.notebook
    found = sorted(path for path in context.start.glob("*.ipynb") if not path.name.startswith("."))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    raise InputError(f"Which notebook? There are {len(found)} here: {names}.", "Name one after the verb.")

"""Run by the peers' own Python: `FOLDER`'s notebook through jupyter-cache, into executed.ipynb."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor


def main() -> None:
    """Execute the notebook where the cache has not its code, cache it, and take the outputs from the cache."""
    folder = Path(sys.argv[1])
    cache = get_cache(str(folder / ".jupyter_cache"))
    record = cache.add_nb_to_project(str(folder / "notebook.ipynb"))
    result = load_executor("local-serial", cache).run_and_cache(filter_pks=[record.pk])
    if result.excepted or result.errored:
        raise RuntimeError("Error: the notebook could not be executed")
    _, notebook = cache.merge_match_into_file(str(folder / "notebook.ipynb"))
    nbformat.write(notebook, folder / "executed.ipynb")


if __name__ == "__main__":
    main()

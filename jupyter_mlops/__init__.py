"""jupyter-mlops: notebook cells become versioned pipeline steps, logged experiments and production jobs.

This module ties the parts together for Jupyter and imports none of them before it is asked to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext jupyter_mlops`."""
    from jupyter_mlops.magics import load

    load(shell, _show_form)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext jupyter_mlops`."""
    from jupyter_mlops.magics import unload

    unload(shell)


def _show_form(notebook: Path) -> None:
    from jupyter_mlops.widgets.form import show_form

    show_form(notebook)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-mlops"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_mlops.server.app import MLOpsApp

    return [{"module": "jupyter_mlops", "app": MLOpsApp}]

"""Who acts when something is seen: the notebook, a local module, a library, its import, or MLflow; told by the call stack."""

from __future__ import annotations

import os
import sys
from types import FrameType

from jupyter_mlops.store.files.installed import is_installed_file

_LOGGING = ("mlflow.tracking", "mlflow.store", "mlflow.utils", "mlflow.telemetry", "mlflow.artifacts")
"""Parts of MLflow that act for themselves."""


is_library_file = is_installed_file
"""Whether a file belongs to the interpreter or an installed package: their versions in the key stand for it."""


_IMPORTING = tuple(os.path.join("importlib", name) for name in ("metadata", "resources", "_bootstrap"))
_OUR_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
LIBRARY = ""


def _is_library_code(file: str) -> bool:
    return file.startswith(("<", _OUR_FOLDER)) or is_library_file(file)


def importing() -> str | None:
    """The local module whose import acts; `LIBRARY` where it is a library's, or the import system itself; else None."""
    frame: FrameType | None = sys._getframe(2)
    local = LIBRARY
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(("<frozen importlib", "<frozen zipimport")) or any(part in file for part in _IMPORTING):
            return local
        name = frame.f_globals.get("__name__")
        if name == "__main__":
            return None
        if not local and not _is_library_code(file):
            local = str(name)
        frame = frame.f_back
    return None


def _frames(count: int) -> list[FrameType]:
    found: list[FrameType] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and len(found) < count:
        found.append(frame)
        frame = frame.f_back
    return found


def by_rmtree() -> bool:
    """Whether a whole folder is being removed: what is removed is told one by one."""
    return any(frame.f_code.co_name.startswith("_rmtree") for frame in _frames(6))


_PATHS = ("genericpath", "posixpath", "ntpath", "pathlib", "pathlib._local", "pathlib._abc")


_WRITERS = frozenset({"PIL", "matplotlib", "pandas", "pyarrow", "fsspec", "numpy", "openpyxl", "xlsxwriter", "plotly"})


def by_writer() -> bool:
    """Whether a library asks for a path that does the same in either case when it is about to write there."""
    for frame in _frames(8):
        module = str(frame.f_globals.get("__name__"))
        if module not in _PATHS and not frame.f_code.co_filename.startswith(_OUR_FOLDER):
            return module.partition(".")[0] in _WRITERS and _is_library_code(frame.f_code.co_filename)
    return False


def may_exist() -> bool:
    """Whether the folder that is being made may be there already, by the caller's own word."""
    for frame in _frames(8):
        if frame.f_code.co_name in ("makedirs", "mkdir") and "exist_ok" in frame.f_code.co_varnames:
            return bool(frame.f_locals.get("exist_ok"))
    return False


_COPYING = ("copy", "pickle", "_pickle", "cloudpickle", "joblib", "dill", "tempfile", "uuid", "IPython", "ipykernel")


def is_entropy_of_a_library() -> bool:
    """Whether a library makes an unseeded generator for itself; `analysis` tells of the notebook's own.

    numpy draws entropy also for `RandomState(seed)` and for a generator that is copied, and forgets it at once.
    """
    for frame in _frames(12):
        module = str(frame.f_globals.get("__name__", ""))
        code = frame.f_code
        if code.co_filename.startswith(_OUR_FOLDER) or module in ("random", "secrets"):
            continue
        if (
            module.partition(".")[0] in _COPYING
            or module == "numpy.random._pickle"
            or not is_library_file(code.co_filename)
        ):
            return False
        return "RandomState" not in code.co_names or "default_rng" in code.co_names
    return False


def by_mlflow() -> bool:
    """Whether MLflow is what acts: logging tells of a step, it is no part of its result.

    The innermost of MLflow's frames decides: under autologging it calls the user's own code again.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "mlflow":
            return module.startswith(_LOGGING) and not module.startswith("mlflow.utils.autologging_utils")
        frame = frame.f_back
    return False

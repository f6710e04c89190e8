"""Who acts: whether a call comes from a library that is just being imported, from MLflow, or from ourselves."""

from __future__ import annotations

import os
import sys
from types import FrameType

from jupyter_mlops.capture.origin.calls import is_library_file

_OUR_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_PASSED = tuple(os.sep + name for name in ("os.py", "warnings.py", os.path.join("importlib", "__init__.py")))
"""Files whose functions only pass a call on."""
_OWN = (__name__.partition(".")[0], "mlflow")


def by_library_import() -> bool:
    """Whether the import of an installed library is what acts now, or MLflow, or this package."""
    frame: FrameType | None = sys._getframe(2)
    innermost = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return bool(innermost) and is_library_file(innermost)
        if file.startswith(_OUR_FOLDER) or str(frame.f_globals.get("__name__", "")).partition(".")[0] in _OWN:
            return True
        if not innermost and not file.startswith("<frozen"):
            innermost = "" if file.endswith(_PASSED) else file
        frame = frame.f_back
    return False


def asked_by_library() -> bool:
    """Whether an installed package, not the notebook or a local module, calls the function that asks this."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(("<frozen importlib", _OUR_FOLDER)) and not file.endswith(_PASSED):
            return frame.f_globals.get("__name__") != "__main__" and (file.startswith("<") or is_library_file(file))
        frame = frame.f_back
    return True

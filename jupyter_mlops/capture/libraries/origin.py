"""Who acts: whether a call comes from a library that is just being imported, from MLflow, or from ourselves."""

from __future__ import annotations

import os
import sys
from types import FrameType

from jupyter_mlops.capture.callers import is_library_file

_OUR_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
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
            innermost = "" if file.endswith(("/os.py", "/warnings.py", "\\os.py", "\\warnings.py")) else file
        frame = frame.f_back
    return False

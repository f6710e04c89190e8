"""Imports of nbclient and papermill without the second they would spend on a grammar no notebook needs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

GRAMMAR = "rfc3987_syntax"


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """While the block runs, `rfc3987_syntax` cannot be imported.

    nbformat imports jsonschema, which compiles that grammar (1.0 s of the 1.1 s that `import nbformat` takes) where it
    happens to be installed, to check internationalised URIs; it is made to do without, and so takes the absence well. A
    notebook's schema has no such thing. Only for processes of our own that execute one notebook.
    """
    if GRAMMAR in sys.modules or "jsonschema" in sys.modules:
        yield
        return
    sys.modules[GRAMMAR] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[GRAMMAR]

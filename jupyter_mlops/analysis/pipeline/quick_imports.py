"""Imports of nbformat and what uses it without the second they would spend on checks that no notebook needs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

CHECKS = (
    "rfc3987_syntax",
    "rfc3986_validator",
    "rfc3339_validator",
    "isoduration",
    "webcolors",
    "uri_template",
    "fqdn",
)
"""What jsonschema imports, where it happens to be installed, to check formats of texts that a notebook's schema has not."""


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """While the block runs, `CHECKS` cannot be imported anew.

    nbformat imports jsonschema, which does without them where they are absent. Of the 1.1 s that `import nbformat` takes
    the first compiles a grammar for 1.0 s, and of what is left the others take more than half. Only for processes of our
    own that execute one notebook or tell MLflow.
    """
    absent = () if "jsonschema" in sys.modules else [name for name in CHECKS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)

"""A notebook as an HTML page, for places that show no notebooks."""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import Any

log = logging.getLogger(__name__)


def page_of(notebook: bytes, name: str) -> bytes | None:
    """The page of a notebook's bytes; None, with a log line, where nbconvert cannot make one."""
    import nbformat

    began = time.monotonic()
    try:
        node = nbformat.reads(notebook.decode("utf-8"), as_version=4)
        body, _ = _exporter().from_notebook_node(node, {"metadata": {"name": name}})
    except Exception as error:  # noqa: BLE001 - templates and filters raise anything; the notebook itself is kept
        log.warning("no page of %s: %s: %s", name, type(error).__name__, error)
        return None
    log.debug("page of %s in %.1f s", name, time.monotonic() - began)
    return str(body).encode("utf-8")


@lru_cache(maxsize=1)
def _exporter() -> Any:
    """Kept, with its compiled templates: compiling them takes longer than most notebooks."""
    from nbconvert import HTMLExporter

    exporter: Any = HTMLExporter
    return exporter(embed_images=True)

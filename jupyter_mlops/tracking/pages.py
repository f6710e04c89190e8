"""A notebook as an HTML page, for places that show no notebooks."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import lru_cache
from html import escape
from importlib import import_module
from typing import Any

from jupyter_mlops.analysis.pipeline.quick_imports import quick_imports

log = logging.getLogger(__name__)


def page_of(notebook: bytes, name: str) -> bytes | None:
    """The page of a notebook's bytes; None, with a log line, where nbconvert cannot make one."""
    with quick_imports():
        from nbformat import v4

    began = time.monotonic()
    try:
        node = v4.upgrade(v4.reads(notebook.decode("utf-8")))
        body = _exporter()(node, {"metadata": {"name": name}})
    except Exception as error:  # noqa: BLE001 - templates and filters raise anything; the notebook itself is kept
        log.warning("no page of %s: %s: %s", name, type(error).__name__, error)
        return None
    log.debug("page of %s in %.1f s", name, time.monotonic() - began)
    return body.encode("utf-8")


def _once(make: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """Style sheets are the same for every page."""
    made: list[str] = []

    def kept(resources: Any) -> list[str]:
        made[:] = made or make(resources)
        return list(made)

    return kept


class _CodeHtml(str):
    """HTML that pygments made of code, in which nothing of the code is left unescaped."""


_DIV = '<div class="'
_FOCUSABLE = re.compile(r'jp-Cell-inputWrapper|[^"]*\bjp-OutputArea-output\b')
"""The class of what a keyboard must reach to scroll it."""
_NO_ALT = re.compile(r"<img (?![^>]*\balt=)")


def _focusable(page: str) -> str:
    """`page` with all that can be scrolled in reach of the keyboard. An expression would look at each of its letters."""
    first, *pieces = page.split(_DIV)
    return "".join(
        [first, *(('<div tabindex="0" class="' if _FOCUSABLE.match(piece) else _DIV) + piece for piece in pieces)]
    )


@lru_cache(maxsize=1)
def _exporter() -> Callable[[Any, dict[str, Any]], str]:
    """What nbconvert's HTMLExporter does, less what takes most of its time: it makes one style sheet again for each cell,
    cleans what pygments has escaped, parses its own page, and copies the notebook, which is the exporter's to change.

    Kept, with its compiled templates: compiling them takes longer than most notebooks.
    """
    base: Any = import_module("nbconvert.exporters.templateexporter").TemplateExporter
    filters: Any = import_module("nbconvert.filters")
    pygments_highlight: Any = import_module("nbconvert.filters.highlight")._pygments_highlight
    data_type_filter: Any = import_module("nbconvert.filters.widgetsdatatypefilter").WidgetsDataTypeFilter
    formatter_of: Any = import_module("pygments.formatters").HtmlFormatter
    exporter: Any = import_module("nbconvert").HTMLExporter(embed_images=True)
    node: Any = import_module("nbformat").NotebookNode
    uncopied = type("NotebookNode", (node,), {"__deepcopy__": lambda notebook, _known: notebook})

    def preprocess(notebook: Any, resources: Any) -> tuple[Any, Any]:
        """As in the base class, which makes one more copy, and checks it against nbformat's schema before and after."""
        for preprocessor in exporter._preprocessors:
            notebook, resources = preprocessor(notebook, resources)
        return notebook, resources

    exporter._preprocess = preprocess
    for preprocessor in exporter._preprocessors:
        if hasattr(preprocessor, "_generate_header"):
            preprocessor._generate_header = _once(preprocessor._generate_header)

    @lru_cache(maxsize=8)
    def formatter(language: str) -> Any:
        return formatter_of(cssclass=escape(f" highlight hl-{language}"))

    @lru_cache(maxsize=5_000)
    def highlighted(source: str, language: str, magic: str | None) -> _CodeHtml:
        metadata = {"magics_language": magic} if magic else None
        return _CodeHtml(pygments_highlight(source or " ", formatter(language), language, metadata))

    def export(notebook: Any, resources: dict[str, Any]) -> str:
        notebook = uncopied(notebook)
        about = notebook.metadata.get("language_info", {})
        own = about.get("pygments_lexer", about.get("name")) or "ipython3"

        def highlight(source: str, language: str | None = None, metadata: Any = None) -> _CodeHtml:
            return highlighted(source, language or own, (metadata or {}).get("magics_language"))

        resources = exporter._init_resources(resources)
        data_type = data_type_filter(notebook_metadata=exporter._nb_metadata, parent=exporter, resources=resources)
        exporter.register_filter("highlight_code", highlight)
        exporter.register_filter("filter_data_type", data_type)
        exporter.register_filter(
            "clean_html", lambda text: text if isinstance(text, _CodeHtml) else filters.clean_html(text)
        )
        page, _ = base.from_notebook_node(exporter, notebook, resources)
        if "<img " in page:
            page = _NO_ALT.sub('<img alt="No description has been provided for this image" ', page)
        return _focusable(page)

    return export

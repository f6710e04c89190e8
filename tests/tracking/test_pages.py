"""Pages of notebooks show what nbconvert's own pages show."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter

from jupyter_mlops.tracking.pages import page_of

HOSTILE = "print('<script>alert(1)</script>', \"&amp;\")  # </pre></div>"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="


def _code(source: str, *outputs: dict[str, Any], **metadata: Any) -> Any:
    return nbformat.v4.new_code_cell(
        source, outputs=[nbformat.from_dict(output) for output in outputs], execution_count=1, metadata=metadata
    )


def _shown(kind: str, **data: Any) -> dict[str, Any]:
    more = {"execution_count": 1} if kind == "execute_result" else {}
    return {
        "output_type": kind,
        "data": {name.replace("__", "/"): text for name, text in data.items()},
        "metadata": {},
    } | more


@pytest.fixture
def notebook() -> Any:
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nText with `code` and $x^2$ <b>bold</b> ![](nothing.png)"),
        _code(HOSTILE, {"output_type": "stream", "name": "stdout", "text": "<b>\x1b[31mred\x1b[0m</b>\n"}),
        _code("%%bash\nls", {"output_type": "stream", "name": "stderr", "text": "no\n"}, magics_language="bash"),
        _code("", _shown("execute_result", text__plain="1 < 2")),
        _code("table", _shown("display_data", text__html='<table><tr><td class="x">1</td></tr></table><img src="a">')),
        _code("figure", _shown("display_data", image__png=PIXEL, text__plain="<Figure>")),
        _code("1/0", {"output_type": "error", "ename": "E", "evalue": "<x>", "traceback": ["\x1b[31mE\x1b[0m <x>"]}),
        nbformat.v4.new_raw_cell("raw <i>text</i>"),
    ]
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    )


def _elements(page: str) -> list[Any]:
    return [
        (tag.name, sorted(tag.attrs.items()), tag.get_text())
        for tag in BeautifulSoup(page, "html.parser").body.find_all(True)
    ]


def test_a_page_has_what_nbconverts_has(notebook: Any) -> None:
    page = page_of(json.dumps(notebook).encode(), "name")
    assert page is not None
    theirs, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook, {"metadata": {"name": "name"}})

    ours, wanted = _elements(page.decode()), _elements(theirs)

    assert len(wanted) > 60
    assert ours == wanted


def test_code_is_never_markup(notebook: Any) -> None:
    page = page_of(json.dumps(notebook).encode(), "name")
    assert page is not None
    assert b"<script>alert(1)" not in page


def test_a_notebook_that_is_none_has_no_page(caplog: pytest.LogCaptureFixture) -> None:
    assert page_of(b'{"cells": 3}', "name") is None
    assert "no page of name" in caplog.text

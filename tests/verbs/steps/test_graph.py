"""`graph`: what is drawn, where it goes, and that it can be read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest

from jupyter_mlops.domain.status import StepState
from jupyter_mlops.errors import InputError, NotWritableError, StoreError
from jupyter_mlops.operations.steps.graph import Graph, Link, Node
from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.framework.verb import MAGIC
from jupyter_mlops.verbs.steps.graph_svg import draw, fitted, text_width
from verbs.live import FakeKernel
from verbs.projects import context, data_of, filled, text_of, write_notebook

SVG = "{http://www.w3.org/2000/svg}"


def big(count: int) -> Graph:
    """A pipeline in which each step reads from one to three of those before it."""
    states = [state for state in StepState if state not in (StepState.COMPLETED, StepState.REUSED)]
    nodes = [Node(f"step_{i}", i, i % 3 > 0, "train", states[i % 6], "a reason", i * 1.5) for i in range(count)]
    links = [
        Link(f"step_{source}", f"step_{target}", ("frame", "model")[: 1 + target % 2])
        for target in range(1, count)
        for source in {max(0, target - 1 - target % 4), target // 2, 0 if target % 7 == 0 else target - 1}
    ]
    return Graph("study.ipynb", tuple(nodes), tuple(links))


def texts(svg: str, kind: str) -> list[ET.Element]:
    return [item for item in ET.fromstring(svg).iter(f"{SVG}text") if item.get("class") == kind]


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_a_state_is_told_by_word_mark_and_colour(theme: str) -> None:
    svg = draw(big(6), theme)
    shown = ["".join(item.itertext()) for item in texts(svg, "second")]
    words = r"\S (fresh|stale|running|failed|canceled|never run)"
    assert [re.match(words, text) is not None for text in shown] == [True] * 6
    assert len({text[0] for text in shown}) == 6


@pytest.mark.parametrize("count", [1, 5, 15, 40])
def test_labels_lie_neither_on_one_another_nor_on_a_step(count: int) -> None:
    svg = draw(big(count))
    boxes = []
    for item in texts(svg, "label"):
        x, y, width = float(item.get("x", 0)), float(item.get("y", 0)), text_width(item.text or "", 11)
        boxes.append((x - width / 2, y - 9, x + width / 2, y + 2))
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        found = re.match(r"translate\((\S+) (\S+)\)", group.get("transform", ""))
        if found and (group.get("class") or "").startswith("step"):
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y = float(found[1]), float(found[2])
            boxes.append((x, y, x + float(rect.get("width", 0)), y + float(rect.get("height", 0))))
    for one, other in combinations(boxes, 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]


def test_every_link_has_a_tooltip_with_all_its_names_and_most_have_a_label() -> None:
    graph = big(40)
    svg = draw(graph)
    titles = [item.text for item in ET.fromstring(svg).iter(f"{SVG}title")]
    assert all(f"{link.source} → {link.target}: {', '.join(link.names)}" in titles for link in graph.links)
    assert len(texts(svg, "label")) > 0.8 * len(graph.links)


def test_forty_steps_are_no_wider_than_a_page() -> None:
    assert float(ET.fromstring(draw(big(40))).get("width", 0)) < 1300


def test_names_that_are_no_xml_are_drawn_as_text() -> None:
    node = Node("<script>&\x00'\"", 0, True, "<b>", StepState.FRESH, "because ]]> \x1b[31m")
    svg = draw(Graph("a&b<.ipynb", (node,), ()))
    assert "<script>" not in svg
    assert [item.text for item in texts(svg, "name")] == ["<script>&�'\""]


def test_a_fixed_theme_needs_no_variables_and_the_other_follows_jupyterlab() -> None:
    for theme in ("light", "dark"):
        assert "var(" not in draw(big(3), theme)
    svg = draw(big(3))
    assert "prefers-color-scheme:dark" in svg
    assert '[data-jp-theme-light="false"]' in svg
    assert "--jp-ui-font-color1" in svg


def test_a_long_name_is_shortened_in_its_middle() -> None:
    short = fitted("a_very_long_name_of_a_step_that_does_a_lot_of_things", 120, 13)
    assert "…" in short
    assert short.startswith("a_very")
    assert short.endswith("gs")
    assert text_width(short, 13) <= 120
    assert fitted("train", 120, 13) == "train"


def test_on_the_command_line_it_is_a_file(tmp_path: Path) -> None:
    assert text_of(filled(tmp_path), "graph").startswith("nb.graph.svg  2 steps, 1 links")
    svg = (tmp_path / "nb.graph.svg").read_text()
    assert [item.text for item in texts(svg, "name")] == ["load", "train"]
    assert "load → train: numbers" in svg
    text_of(tmp_path, "graph --dark -o other.svg")
    assert "#14171c" in (tmp_path / "other.svg").read_text()


def test_in_a_notebook_it_is_shown_and_no_file_is_written(tmp_path: Path) -> None:
    filled(tmp_path)
    view, _ = table.call(["graph"], context(tmp_path, MAGIC, tmp_path / "nb.ipynb", FakeKernel()), "%mlops")
    assert view.bundle is not None
    bundle = view.bundle()
    assert set(bundle) == {"image/svg+xml", "text/html", "text/plain"}
    assert bundle["image/svg+xml"].startswith("<svg ")
    assert not list(tmp_path.glob("*.svg"))


def test_as_json_it_is_steps_and_links(tmp_path: Path) -> None:
    data = data_of(filled(tmp_path), "graph")
    assert [node["name"] for node in data["graph"]["nodes"]] == ["load", "train"]
    assert data["graph"]["links"] == [{"source": "load", "target": "train", "names": ["numbers"], "note": ""}]
    assert not list(tmp_path.glob("*.svg"))


def test_unnamed_cells_are_drawn_where_something_leads_to_or_from_them(tmp_path: Path) -> None:
    cells = {"a": "import os", "b": "x = 1", "c": "%%step use\ny = x", "d": "print('hello')"}
    write_notebook(tmp_path / "nb.ipynb", cells)
    data = data_of(tmp_path, "graph")["graph"]
    assert (len(data["nodes"]), data["hidden"]) == (2, 2)
    assert len(data_of(tmp_path, "graph --all")["graph"]["nodes"]) == 4
    text_of(tmp_path, "graph")
    assert "2 cells that only import or have no links alone" in (tmp_path / "nb.graph.svg").read_text()


def test_a_notebook_without_steps_has_no_picture(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", {})
    assert "no steps yet" in text_of(tmp_path, "graph")
    assert not list(tmp_path.glob("*.svg"))


def test_two_themes_or_a_file_that_cannot_be_written_are_errors(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(InputError):
        text_of(tmp_path, "graph --dark --light")
    with pytest.raises((NotWritableError, StoreError)):
        text_of(tmp_path, "graph -o no/such/folder.svg")


def test_a_value_that_a_step_changed_in_between_comes_from_that_step(tmp_path: Path) -> None:
    cells = {"a": "%%step load\ndf = {}", "b": "%%step feat\ndf['x'] = 1", "c": "%%step train\nm = df['x']"}
    write_notebook(tmp_path / "nb.ipynb", cells)
    links = data_of(tmp_path, "graph")["graph"]["links"]
    assert [(link["source"], link["target"]) for link in links] == [("load", "feat"), ("feat", "train")]

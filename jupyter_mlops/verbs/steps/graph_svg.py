"""A pipeline as SVG: readable in both themes, in a notebook (its colours follow JupyterLab's) and as a file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from jupyter_mlops.operations.steps.layout import GraphLayout, Point, Sizes, arrange
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.steps.graph_style import MARKS, name_of, style

if TYPE_CHECKING:
    from jupyter_mlops.operations.steps.graph import Graph, Link, Node

MARGIN = 20.0
HEAD = 34.0
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
_NARROW, _WIDE = frozenset("iljI.,:;'|!()[]` "), frozenset("mwMWQGO@%&—")


def draw(graph: Graph, theme: str = "auto") -> str:
    """The SVG's text; `theme` is "light", "dark" or "auto" (what the page or the system says)."""
    sizes = _sizes(graph)
    layout = arrange([node.name for node in graph.nodes], [(link.source, link.target) for link in graph.links], sizes)
    width = max(layout.width, text_width(_title(graph), 13) + 8, 260.0) + 2 * MARGIN
    left = (width - layout.width) / 2
    foot = 24.0 if graph.hidden else 0.0
    height = layout.height + HEAD + 2 * MARGIN + foot
    labels, of = _Labels(layout, sizes), name_of(theme)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{of}" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" aria-label="{_quoted(_title(graph))}">',
        f"<style>{style(theme)}</style>",
        f'<defs><marker id="{of}-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="head" d="M0 0.8 L7.4 4 L0 7.2 z"/></marker></defs>',
        f'<rect class="page" width="{width:g}" height="{height:g}" rx="6"/>',
        f'<text class="title" x="{MARGIN:g}" y="{MARGIN + 10:g}">{_text(_title(graph))}</text>',
        f'<g transform="translate({left:g} {MARGIN + HEAD:g})">',
        *(_link(link, layout, of) for link in graph.links if (link.source, link.target) in layout.ways),
        *(labels.of(link) for link in graph.links if (link.source, link.target) in layout.ways),
        *(_node(node, layout.boxes[node.name], sizes) for node in graph.nodes),
        "</g>",
    ]
    if graph.hidden:
        what = (
            "1 cell that only imports or has no links"
            if graph.hidden == 1
            else f"{graph.hidden} cells that only import or have no links"
        )
        text = f"{what} alone: not shown (--all)"
        parts.append(f'<text class="quiet" x="{MARGIN:g}" y="{height - MARGIN:g}">{text}</text>')
    return "\n".join([*(part for part in parts if part), "</svg>\n"])


def _sizes(graph: Graph) -> Sizes:
    widest = max((max(text_width(node.name, 13) * 1.06, _second_width(node)) for node in graph.nodes), default=100.0)
    crowd = max((sum(link.target == node.name for link in graph.links) for node in graph.nodes), default=0)
    return Sizes(width=min(max(widest + 28, 128.0), 208.0), between=52.0 + 6.0 * min(crowd, 5))


def _title(graph: Graph) -> str:
    counted = {state: sum(node.state is state for node in graph.nodes) for state in MARKS}
    told = ", ".join(f"{count} {str(state).replace('_', ' ')}" for state, count in counted.items() if count)
    number = f"{len(graph.nodes)} step{'s' * (len(graph.nodes) != 1)}"
    return f"{graph.notebook} · {number}" + (f": {told}" if told else "")


def _second_width(node: Node) -> float:
    return text_width(f"x {node.state!s} · {tables.seconds(node.duration)} {node.kind[:14]}", 11) + 6


def _node(node: Node, at: Point, sizes: Sizes) -> str:
    x, y = at
    state = str(node.state).replace("_", " ")
    took = tables.seconds(node.duration)
    told = [f"{node.name}: {state}", *([node.reason] if node.reason else [])]
    told += [f"cell {node.cell_index + 1}", *([f"version {node.version}"] if node.version else [])]
    kind = fitted(node.kind, 80, 11)
    return (
        f'<g class="step {node.state}{"" if node.named else " unnamed"}" transform="translate({x:.1f} {y:.1f})">'
        f"<title>{_text(chr(10).join(told))}</title>"
        f'<rect width="{sizes.width:g}" height="{sizes.height:g}" rx="7"/>'
        f'<text class="name" x="12" y="20">{_text(fitted(node.name, sizes.width - 24, 13))}</text>'
        f'<text class="second" x="12" y="37"><tspan class="state">{MARKS[node.state]} {state}</tspan>'
        + (f" · {took}" if took else "")
        + "</text>"
        + (f'<text class="kind" x="{sizes.width - 12:g}" y="37" text-anchor="end">{_text(kind)}</text>' if kind else "")
        + "</g>"
    )


def _link(link: Link, layout: GraphLayout, of: str) -> str:
    told = f"{link.source} → {link.target}: {', '.join(link.names)}" + (f"\n{link.note}" if link.note else "")
    path = _path(layout.ways[link.source, link.target])
    return (
        f'<g class="link{" seen" if link.note else ""}"><title>{_text(told)}</title>'
        f'<path class="near" d="{path}"/><path class="line" marker-end="url(#{of}-arrow)" d="{path}"/></g>'
    )


def _path(points: tuple[Point, ...]) -> str:
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for index, (one, other) in enumerate(pairwise(points)):
        if index % 2:
            text += f"V{other[1]:.1f}"
        else:
            middle = (one[1] + other[1]) / 2
            text += f"C{one[0]:.1f} {middle:.1f} {other[0]:.1f} {middle:.1f} {other[0]:.1f} {other[1]:.1f}"
    return text


def _on_bend(one: Point, other: Point, t: float) -> Point:
    """A point of the curve that `_path` draws from `one` to `other`."""
    middle, s = (one[1] + other[1]) / 2, 1 - t
    x = s**3 * one[0] + 3 * s * s * t * one[0] + 3 * s * t * t * other[0] + t**3 * other[0]
    y = s**3 * one[1] + 3 * s * s * t * middle + 3 * s * t * t * middle + t**3 * other[1]
    return x, y


class _Labels:
    """Finds places for the names on links: on their last bend, over no other label and, where it can be, no other link."""

    def __init__(self, layout: GraphLayout, sizes: Sizes) -> None:
        self._layout, self._sizes = layout, sizes
        self._taken: list[tuple[float, float, float, float]] = []
        self._dots: dict[int, dict[tuple[str, str], list[Point]]] = {}
        for edge, points in layout.ways.items():
            for bend in list(pairwise(points))[::2]:
                dots = self._dots.setdefault(self._row(bend[1][1]), {}).setdefault(edge, [])
                dots += [_on_bend(*bend, step / 14) for step in range(15)]

    def of(self, link: Link) -> str:
        """The label of a link as SVG; "" where it does not fit (its tooltip has it)."""
        edge = (link.source, link.target)
        for text in dict.fromkeys((_few(link.names, 120), _few(link.names, 60))):
            width = text_width(text, 11) + 6
            spots = [(self._crossed(spot, edge, width), spot) for spot in self._places(edge)]
            for _, (x, y) in sorted(spots):
                box = (x - width / 2, y - 8, x + width / 2, y + 6)
                if not any(_overlap(box, other) for other in self._taken):
                    self._taken.append(box)
                    return f'<text class="label" x="{x:.1f}" y="{y + 3:.1f}">{_text(text)}</text>'
        return ""

    def _places(self, edge: tuple[str, str]) -> Iterator[Point]:
        one, other = self._layout.ways[edge][-2:]
        for t in (0.58, 0.7, 0.46, 0.8, 0.34, 0.24):
            x, y = _on_bend(one, other, t)
            if y - 9 > one[1] and y + 12 < other[1]:
                yield x, y

    def _crossed(self, spot: Point, edge: tuple[str, str], width: float) -> tuple[int, float]:
        """How many other links a label there lies on, and how far from where it would best stand."""
        x, y = spot
        box = (x - width / 2, y - 8, x + width / 2, y + 6)
        one, last = self._layout.ways[edge][-2:]
        row = self._dots[self._row(last[1])]
        crossed = sum(any(_inside(dot, box) for dot in dots) for other, dots in row.items() if other != edge)
        return crossed, abs(y - one[1] - 0.58 * (last[1] - one[1]))

    def _row(self, y: float) -> int:
        return round(y / (self._sizes.height + self._sizes.between))


def _few(names: tuple[str, ...], width: float) -> str:
    """As many names as fit, and how many there are besides; the first one always."""
    for count in range(len(names), 0, -1):
        more = f" +{len(names) - count}" if count < len(names) else ""
        text = ", ".join(names[:count]) + more
        if text_width(text, 11) <= width:
            return text
    return fitted(names[0], width, 11) + more


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _inside(point: Point, box: tuple[float, float, float, float]) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif face of this size, in pixels; rather more than less."""
    return sum(map(_width_of, text)) * size


def _width_of(character: str) -> float:
    if character in _NARROW:
        return 0.33
    if character in _WIDE:
        return 0.92
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.7 if character.isupper() else 0.6


def fitted(text: str, width: float, size: float) -> str:
    """`text`, shortened in its middle where it is wider than `width`."""
    if text_width(text, size) <= width:
        return text
    keep = len(text) - 1
    while keep > 2 and text_width(text[: -(-keep // 2)] + "…" + text[len(text) - keep // 2 :], size) > width:
        keep -= 1
    return text[: -(-keep // 2)] + "…" + text[len(text) - keep // 2 :]


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("�", text))


def _quoted(text: str) -> str:
    return escape(_ILLEGAL.sub("�", text), {'"': "&quot;"})


def as_bundle(svg: str, text: str) -> Mapping[str, str]:
    """What a notebook is given: JupyterLab takes the HTML, where the colours follow its theme."""
    return {"image/svg+xml": svg, "text/html": svg, "text/plain": text}

"""Places the boxes of a graph in rows and finds the ways of its edges: a layered layout from the top down.

Longest-path layering, rows no wider than what can be read, barycentre ordering, then positions by least squares. An edge
that passes rows runs through places of its own there; edges from one box share them, so that a box many read from makes a
trunk and not a fan. Pure geometry: no text, no colour.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

ROUNDS = 8
LANE = 14.0
"""Width of the place an edge takes in a row that it passes."""
Point = tuple[float, float]
Edge = tuple[str, str]


@dataclass(frozen=True)
class Sizes:
    """Of one box, of the space between boxes of a row and between rows, and how wide a row may be."""

    width: float = 176.0
    height: float = 48.0
    gap: float = 22.0
    between: float = 56.0
    across: float = 1040.0


@dataclass(frozen=True)
class GraphLayout:
    """`boxes`: name → top left corner. `ways`: edge → points from the one box's foot, in and out of each row it
    passes, to the other's head; every second stretch, beginning with the first, is a bend."""

    width: float
    height: float
    boxes: dict[str, Point]
    ways: dict[Edge, tuple[Point, ...]]


@dataclass(eq=False)
class _Item:
    """A box (`name`), or the place of an edge that passes."""

    name: str
    width: float
    rank: float
    row: int = 0
    x: float = 0.0
    up: list[_Item] = field(default_factory=list)
    down: list[_Item] = field(default_factory=list)


def arrange(names: Sequence[str], edges: Collection[Edge], sizes: Sizes) -> GraphLayout:
    """The layout of boxes `names`, in an order in which every edge leads forward; edges that do not are left out."""
    place = {name: index for index, name in enumerate(names)}
    forward = [edge for edge in edges if place.get(edge[0], len(names)) < place.get(edge[1], -1)]
    row_of = _rows_of(names, forward, sizes)
    rows, chains = _items(names, forward, row_of, sizes)
    _order(rows)
    across = _spread(rows, sizes)
    return _measured(rows, chains, sizes, across)


def _rows_of(names: Sequence[str], edges: Sequence[Edge], sizes: Sizes) -> dict[str, int]:
    """The row of each box: below all it depends on; sources just above their first reader; wide layers cut up."""
    above: dict[str, list[str]] = defaultdict(list)
    below: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        above[target].append(source)
        below[source].append(target)
    layer: dict[str, int] = {}
    for name in names:
        layer[name] = max((layer[other] + 1 for other in above[name]), default=0)
    for name in names:
        if not above[name] and below[name]:
            layer[name] = min(layer[other] for other in below[name]) - 1
    alone = max(layer.values(), default=0) + 1
    members: dict[int, list[str]] = defaultdict(list)
    for name in names:
        members[layer[name] if above[name] or below[name] else alone].append(name)
    most = max(1, int((sizes.across + sizes.gap) // (sizes.width + sizes.gap)))
    rows: dict[str, int] = {}
    row = 0
    for index in sorted(members):
        for part in _parts(members[index], most):
            rows |= dict.fromkeys(part, row)
            row += 1
    return rows


def _parts(names: list[str], most: int) -> list[list[str]]:
    """`names` in as few parts as may be, all about as long."""
    count = -(-len(names) // most)
    size = -(-len(names) // count)
    return [names[start : start + size] for start in range(0, len(names), size)]


def _items(
    names: Sequence[str], edges: Sequence[Edge], row_of: dict[str, int], sizes: Sizes
) -> tuple[list[list[_Item]], dict[Edge, list[_Item]]]:
    """Boxes and passing places by row, linked from row to row; and each edge's chain of them."""
    rows: list[list[_Item]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    items: dict[tuple[str, int], _Item] = {}
    for rank, name in enumerate(names):
        item = items[name, row_of[name]] = _Item(name, sizes.width, rank, row_of[name])
        rows[item.row].append(item)
    chains: dict[Edge, list[_Item]] = {}
    for source, target in edges:
        chain = [items[source, row_of[source]]]
        for row in range(row_of[source] + 1, row_of[target]):
            if (source, row) not in items:
                items[source, row] = _Item("", LANE, chain[0].rank, row)
                rows[row].append(items[source, row])
            chain.append(items[source, row])
        chain.append(items[target, row_of[target]])
        for one, other in itertools.pairwise(chain):
            if other not in one.down:
                one.down.append(other)
                other.up.append(one)
        chains[source, target] = chain
    return rows, chains


def _order(rows: list[list[_Item]]) -> None:
    """Bring each row in an order with few crossings: barycentres up and down, then exchanges of neighbours."""
    for row in rows:
        row.sort(key=lambda item: item.rank)
    best = [list(row) for row in rows]
    fewest = _crossings(rows)
    for turn in range(ROUNDS * 2):
        if not fewest:
            break
        down = turn % 2 == 0
        for row in rows if down else reversed(rows):
            _by_barycentre(row, rows, down=down)
        _exchange(rows)
        crossings = _crossings(rows)
        if crossings < fewest:
            fewest, best = crossings, [list(row) for row in rows]
    for row, kept in zip(rows, best, strict=True):
        row[:] = kept


def _by_barycentre(row: list[_Item], rows: list[list[_Item]], *, down: bool) -> None:
    places = {item: index for other in rows for index, item in enumerate(other)}

    def centre(item: _Item) -> float:
        near = item.up if down else item.down
        return sum(places[other] for other in near) / len(near) if near else places[item]

    row.sort(key=centre)


def _exchange(rows: list[list[_Item]]) -> None:
    for row in rows:
        places = {item: index for other in _neighbours(rows, row) for index, item in enumerate(other)}
        for index in range(len(row) - 1):
            one, other = row[index], row[index + 1]
            if _crossed(one, other, places) > _crossed(other, one, places):
                row[index], row[index + 1] = other, one


def _neighbours(rows: list[list[_Item]], row: list[_Item]) -> list[list[_Item]]:
    return [rows[index] for index in (row[0].row - 1, row[0].row + 1) if 0 <= index < len(rows)]


def _crossed(left: _Item, right: _Item, places: dict[_Item, int]) -> int:
    """How often links of two neighbours cross."""
    pairs = ((left.up, right.up), (left.down, right.down))
    return sum(places[one] > places[other] for ones, others in pairs for one in ones for other in others)


def _crossings(rows: list[list[_Item]]) -> int:
    total = 0
    for row, below in itertools.pairwise(rows):
        places = {item: index for index, item in enumerate(below)}
        ends = [sorted(places[other] for other in item.down) for item in row]
        flat = [end for group in ends for end in group]
        total += sum(one > other for index, one in enumerate(flat) for other in flat[index + 1 :])
    return total


def _spread(rows: list[list[_Item]], sizes: Sizes) -> float:
    """Give every item the x of its middle; returns how wide all of it is."""
    across = max((_packed(row, sizes.gap) for row in rows), default=0.0)
    for row in rows:
        x = (across - _packed(row, sizes.gap)) / 2
        for item in row:
            item.x = x + item.width / 2
            x += item.width + _gap(item, sizes.gap)
    for turn in range(ROUNDS * 2):
        for row in rows if turn % 2 == 0 else reversed(rows):
            _move_near(row, across, sizes.gap, down=turn % 2 == 0)
    return across


def _gap(item: _Item, gap: float) -> float:
    return gap if item.name else gap / 2


def _packed(row: list[_Item], gap: float) -> float:
    return sum(item.width + _gap(item, gap) for item in row) - (_gap(row[-1], gap) if row else 0.0)


def _move_near(row: list[_Item], across: float, gap: float, *, down: bool) -> None:
    """Move a row's items near their neighbours' middles, order and distances kept.

    Minimises the weighted sum of squares by pooling adjacent violators of the order.
    """
    offsets, blocks = [0.0], []
    for one, other in itertools.pairwise(row):
        offsets.append(offsets[-1] + (one.width + other.width) / 2 + _gap(one, gap))
    for item, offset in zip(row, offsets, strict=True):
        near = (item.up if down else item.down) or (item.down if down else item.up)
        wish = sum(other.x for other in near) / len(near) if near else item.x
        weight = 4.0 if not item.name else 1.0 if near else 0.2
        blocks.append([wish - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, weight, count = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + value * weight) / (before[1] + weight)
            before[1] += weight
            before[2] += count
    low = row[0].width / 2
    high = across - row[-1].width / 2 - offsets[-1]
    middles = [min(max(value, low), max(high, low)) for value, _, count in blocks for _ in range(int(count))]
    for item, offset, value in zip(row, offsets, middles, strict=True):
        item.x = value + offset


def _measured(rows: list[list[_Item]], chains: dict[Edge, list[_Item]], sizes: Sizes, across: float) -> GraphLayout:
    pitch = sizes.height + sizes.between
    boxes = {item.name: (item.x - item.width / 2, item.row * pitch) for row in rows for item in row if item.name}
    ways: dict[Edge, tuple[Point, ...]] = {}
    for edge, chain in chains.items():
        first, last = chain[0], chain[-1]
        points = [(_port(first, chain[1], first.down), first.row * pitch + sizes.height)]
        for item in chain[1:-1]:
            points += [(item.x, item.row * pitch), (item.x, item.row * pitch + sizes.height)]
        points.append((_port(last, chain[-2], last.up), last.row * pitch))
        ways[edge] = tuple(points)
    return GraphLayout(across, max(len(rows) * pitch - sizes.between, 0.0), boxes, ways)


def _port(item: _Item, towards: _Item, links: list[_Item]) -> float:
    """Where on a box's edge the link to `towards` stands: the links in the order of where they lead."""
    ordered = sorted(links, key=lambda other: other.x)
    step = min(22.0, (item.width - 36) / max(len(ordered) - 1, 1))
    return item.x + (ordered.index(towards) - (len(ordered) - 1) / 2) * step

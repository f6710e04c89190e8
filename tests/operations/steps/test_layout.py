"""The layout of a graph: nothing overlaps, all leads down, rows are not too wide."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.operations.steps.layout import Edge, GraphLayout, Sizes, arrange

SIZES = Sizes()


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[Edge]]:
    """Names in order, and edges that lead forward."""
    count = draw(st.integers(0, 40))
    names = [f"n{index}" for index in range(count)]
    pairs = st.tuples(st.integers(0, max(count - 1, 0)), st.integers(0, max(count - 1, 0)))
    chosen = draw(st.lists(pairs, max_size=70)) if count else []
    return names, list({(f"n{min(pair)}", f"n{max(pair)}"): None for pair in chosen if pair[0] != pair[1]})


def rows_of(layout: GraphLayout) -> dict[float, list[float]]:
    rows: dict[float, list[float]] = {}
    for x, y in layout.boxes.values():
        rows.setdefault(y, []).append(x)
    return rows


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_boxes_never_overlap_and_stay_inside(graph: tuple[list[str], list[Edge]]) -> None:
    names, edges = graph
    layout = arrange(names, edges, SIZES)
    assert set(layout.boxes) == set(names)
    for one, other in combinations(layout.boxes.values(), 2):
        assert one[1] != other[1] or abs(one[0] - other[0]) >= SIZES.width - 1e-6
    for x, y in layout.boxes.values():
        assert -1e-6 <= x <= layout.width - SIZES.width + 1e-6
        assert 0 <= y <= layout.height - SIZES.height + 1e-6


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_every_edge_leads_down_from_foot_to_head_through_no_box(graph: tuple[list[str], list[Edge]]) -> None:
    names, edges = graph
    layout = arrange(names, edges, SIZES)
    assert set(layout.ways) == set(edges)
    for (source, target), points in layout.ways.items():
        (x, y), (end_x, end_y) = layout.boxes[source], layout.boxes[target]
        assert points[0][1] == y + SIZES.height
        assert x <= points[0][0] <= x + SIZES.width
        assert points[-1][1] == end_y
        assert end_x <= points[-1][0] <= end_x + SIZES.width
        assert [point[1] for point in points] == sorted(point[1] for point in points)
        for at, top in points[1:-1:2]:
            assert not any(top == box_y and box_x < at < box_x + SIZES.width for box_x, box_y in layout.boxes.values())


def test_a_wide_layer_is_cut_into_rows_of_about_one_length() -> None:
    names = ["root", *(f"leaf{index}" for index in range(12)), "end"]
    edges = [("root", name) for name in names[1:13]] + [(name, "end") for name in names[1:13]]
    layout = arrange(names, edges, SIZES)
    assert [len(row) for _, row in sorted(rows_of(layout).items())] == [1, 4, 4, 4, 1]
    assert layout.width <= SIZES.across + 100


def test_a_source_stands_just_above_its_first_reader() -> None:
    layout = arrange(["a", "b", "c", "late", "d"], [("a", "b"), ("b", "c"), ("c", "d"), ("late", "d")], SIZES)
    assert layout.boxes["late"][1] == layout.boxes["c"][1]


def test_boxes_without_edges_stand_below_all_others() -> None:
    layout = arrange(["alone", "a", "b"], [("a", "b")], SIZES)
    assert layout.boxes["alone"][1] > layout.boxes["b"][1]


def test_crossings_that_can_be_avoided_are() -> None:
    layout = arrange(["a", "b", "x", "y"], [("a", "y"), ("b", "x")], SIZES)
    assert (layout.boxes["a"][0] < layout.boxes["b"][0]) is (layout.boxes["y"][0] < layout.boxes["x"][0])


def test_an_edge_that_leads_back_is_left_out() -> None:
    assert arrange(["a", "b"], [("b", "a"), ("a", "gone")], SIZES).ways == {}

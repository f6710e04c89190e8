from __future__ import annotations

import enum
import json
import math
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.analysis.parameters.declared import check_parameters, check_value, checked_parameters
from jupyter_mlops.analysis.parameters.injection import injection_of
from jupyter_mlops.analysis.parameters.values import from_stored, is_value, same, to_plain, to_stored
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.parameter import Member, SecretReference
from jupyter_mlops.errors import InputError


def cells(source: str, *above: str) -> list[Cell]:
    code = [Cell(index, f"c{index}", "code", text) for index, text in enumerate(above)]
    return [*code, Cell(len(above), "p", "code", source, ("parameters",))]


def executed(source: str, values: dict[str, Any], *above: str) -> dict[str, Any]:
    """The namespace after the cells above, the one that is needed, the parameters cell and the injected one."""
    notebook = cells(source, *above)
    injection = injection_of(notebook, check_parameters(checked_parameters(notebook), values))
    namespace: dict[str, Any] = {}
    for text in (*above, injection.needed, source, injection.source):
        exec(text, namespace)
    return namespace


class Odd(tzinfo):
    """A time zone of the user's own."""


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(),
    "float": st.floats(),
    "bool": st.booleans(),
    "str": st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: not text.startswith("secret:")),
    "None": st.none(),
    "date": st.dates(),
    "datetime": st.datetimes(
        timezones=st.none()
        | st.just(timezone.utc)
        | st.just(timezone(timedelta(hours=-3, minutes=30)))
        | st.just(ZoneInfo("Europe/Berlin"))
    ),
    "timedelta": st.timedeltas(),
    "Path": st.sampled_from([Path("a"), Path("/tmp/x y"), Path("c:\\d"), Path("q\"u'o")]),
    "Decimal": st.decimals(allow_nan=False, allow_infinity=False),
    "Color": st.sampled_from([Member("Color", "RED"), Member("Color", "BLUE")]),
}
KEYS = ("int", "str", "date", "bool", "Path")


@st.composite
def typed(draw: st.DrawFn, depth: int = 2) -> tuple[str, Any]:
    """An annotation and a value of its type."""
    shapes = ["plain", *(["list", "tuple", "set", "frozenset", "dict", "union", "any"] if depth else [])]
    shape = draw(st.sampled_from(shapes))
    if shape == "plain":
        name = draw(st.sampled_from(sorted(SCALARS)))
        return name, draw(SCALARS[name])
    if shape in ("set", "frozenset"):
        name = draw(st.sampled_from(KEYS))
        made = draw(st.frozensets(SCALARS[name], max_size=3))
        return f"{shape}[{name}]", set(made) if shape == "set" else made
    inner, value = draw(typed(depth - 1))
    if shape == "list":
        return f"list[{inner}]", draw(st.sampled_from([[value], [], [value, value]]))
    if shape == "tuple":
        return draw(
            st.sampled_from([(f"tuple[{inner}, ...]", (value, value)), (f"tuple[{inner}]", (value,)), ("tuple", ())])
        )
    if shape == "dict":
        name = draw(st.sampled_from(KEYS))
        return f"dict[{name}, {inner}]", {draw(SCALARS[name]): value}
    if shape == "union":
        other = draw(st.sampled_from(sorted(SCALARS)))
        return draw(st.sampled_from([f"{inner} | {other}", f"Union[{other}, {inner}]"])), value
    return "Any", value


IMPORTS = (
    "from typing import *\nfrom datetime import date, datetime, timedelta\nfrom pathlib import Path\n"
    "from decimal import Decimal\nfrom enum import Enum\n"
    "class Color(Enum):\n    RED = 1\n    BLUE = 2\n"
)


def as_member(value: Any) -> Any:
    """A value of a namespace with its members of Enums as we know them."""
    if isinstance(value, enum.Enum):
        return Member(type(value).__name__, value.name)
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(as_member(item) for item in value)
    if isinstance(value, dict):
        return {as_member(key): as_member(item) for key, item in value.items()}
    return value


@settings(max_examples=400, deadline=None)
@given(case=typed())
def test_a_value_is_the_same_after_json_and_after_its_source_was_executed(case: tuple[str, Any]) -> None:
    annotation, value = case
    notebook = cells(f"x: {annotation} = ...", IMPORTS)
    (parameter,) = checked_parameters(notebook)
    checked = check_value(parameter, value)
    stored = to_stored(checked, lambda form: check_value(parameter, form))
    again = check_value(parameter, json.loads(json.dumps(stored)))
    assert same(again, checked), stored
    namespace: dict[str, Any] = {}
    exec(IMPORTS, namespace)
    exec(injection_of(notebook, {"x": again}).source, namespace)
    assert same(as_member(namespace["x"]), checked)
    json.dumps(to_plain(checked), allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(case=typed())
def test_an_untyped_parameter_takes_any_value_and_keeps_its_type(case: tuple[str, Any]) -> None:
    _, value = case
    (parameter,) = checked_parameters(cells("x = compute()"))
    stored = to_stored(value, lambda form: check_value(parameter, form))
    assert same(check_value(parameter, json.loads(json.dumps(stored))), value)


def test_values_of_one_look_but_another_type_are_not_the_same() -> None:
    for left, right in ((1, True), (1, 1.0), (0.0, -0.0), ([1], (1,)), ({1}, frozenset({1})), ({"a": 1}, {"a": 1.0})):
        assert not same(left, right)
    assert same(math.nan, math.nan)
    assert same({frozenset({1, 2}), frozenset()}, {frozenset(), frozenset({2, 1})})


def test_what_cannot_be_written_down_is_no_value() -> None:
    for value in (b"x", 1j, object, [object()], {1: print}, 10**5000, datetime(2024, 1, 1, tzinfo=Odd())):
        assert not is_value(value)


def test_a_dict_that_looks_like_a_mark_stays_what_it_is() -> None:
    value = {"__mlops__": "date", "value": "2024-01-01"}
    assert from_stored(to_stored(value, lambda form: form)) == value
    with pytest.raises(ValueError, match="unknown to this version"):
        from_stored({"__mlops__": "newer"})


COMPUTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("n = 10; m = n * 2", {"n": 5}, {"m": 10}),
    ("n = 10\nm = n * 2\nk = m + 1", {"n": 5}, {"m": 10, "k": 11}),
    ("n = 10\nm = n * 2\nk = m + 1", {"n": 5, "m": 1}, {"m": 1, "k": 2}),
    ("n = 10\nm = 1\nm += n", {"n": 5}, {"m": 6}),
    ("n = 10\nm = 1\nm = m + n\nm = m * 2", {"n": 5}, {"m": 12}),
    ("n = 10\nxs = []\nxs.append(n)\nxs.append(1)", {"n": 5}, {"xs": [5, 1]}),
    ("n = 10\nd = {}\nd['n'] = n", {"n": 5}, {"d": {"n": 5}}),
    ("n = 10\nbase = 1\nm = n + base\nbase = 100", {"n": 5}, {"m": 6, "base": 100}),
    ("n = 10\nt = n * 2\nm = t\nt = 0\nk = t", {"n": 5}, {"m": 10, "k": 0, "t": 0}),
    ("n = 10\nt = 2\nm = t * n\ndel t", {"n": 5}, {"m": 10}),
    ("n = 10\ndef f():\n    return n\nm = f()", {"n": 5}, {"m": 5}),
    ("n = 10\nm = (lambda: n)()", {"n": 5}, {"m": 5}),
    ("n = 10\nif n > 7:\n    m = 'big'\nelse:\n    m = 'small'", {"n": 5}, {"m": "small"}),
    ("n = 10\nm = 'small'\nif n > 7:\n    m = 'big'", {"n": 5}, {"m": "small"}),
    ("n = 10\nm = [n for _ in range(2)]", {"n": 5}, {"m": [5, 5]}),
    ("n = 10\nn, m = 3, n", {"n": 5}, {"m": 5}),
    ("xs = [1]\nxs.append(2)\nm = len(xs)", {"xs": [7]}, {"xs": [7]}),
    ("import random\nn = 10\nrandom.seed(n)\nm = random.random()", {"n": 5}, {}),
    ("n: int\nm = n * 2", {"n": 5}, {"m": 10}),
    ("n: int\nk = 3\nm = n * k", {"n": 5, "k": 2}, {"m": 10}),
    (
        "from datetime import date, timedelta\nd: date\nm = d + timedelta(1)",
        {"d": "2024-01-31"},
        {"m": date(2024, 2, 1)},
    ),
    ("n = 10\nm = eval('n * 2')", {"n": 5}, {"m": 10}),
    ("n = 10\n@staticmethod\ndef f():\n    return n\nm = f.__func__()", {"n": 5}, {"m": 5}),
    ("n = 10\ntext = f'''{n}\n  lines'''", {"n": 5}, {"text": "5\n  lines"}),
]


@pytest.mark.parametrize(("source", "values", "expected"), COMPUTED, ids=[case[0] for case in COMPUTED])
def test_what_is_computed_from_a_parameter_follows_it(
    source: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    namespace = executed(source, values)
    assert {name: namespace[name] for name in expected} == expected
    for name, value in values.items():
        assert namespace[name] == value or str(namespace[name]) == value


def test_a_seed_that_is_given_is_set() -> None:
    import random

    namespace = executed("import random\nseed = 1\nrandom.seed(seed)", {"seed": 7})
    assert namespace["random"].random() == random.Random(7).random()


def test_only_what_depends_on_a_given_name_is_executed_again() -> None:
    calls: list[str] = []
    source = "n = 10\nother = call('other')\nm = call('m', n)\nprint(other)"
    notebook = cells(source)
    injection = injection_of(notebook, {"n": 5})
    assert injection.source == ("# Parameters\nn = 5\n# Computed again from the parameters above\nm = call('m', n)\n")
    namespace = {"call": lambda name, *_: calls.append(name)}
    exec(source + "\n" + injection.source, namespace)
    assert calls == ["other", "m", "m"]


def test_nothing_is_computed_again_where_nothing_depends() -> None:
    assert injection_of(cells("n = 1\nm = 2"), {"n": 5}).source == "# Parameters\nn = 5\n"


@pytest.mark.parametrize(
    ("source", "above", "values", "lines"),
    [
        ("from datetime import date\nx: date = date(2020, 1, 1)", (), {"x": "2024-01-01"}, ["x = date(2024, 1, 1)"]),
        ("x: dt.date", ("import datetime as dt",), {"x": "2024-01-01"}, ["x = dt.date(2024, 1, 1)"]),
        (
            "x: 'date'",
            (),
            {"x": "2024-01-01"},
            ["from datetime import date as date_", "x = date_(2024, 1, 1)"],
        ),
        ("p = 'a'\nx: Any = 1", (), {"x": Path("b")}, ["from pathlib import Path", 'x = Path("b")']),
        (
            "Path = 3\nx: Any = 1",
            ("from pathlib import Path",),
            {"x": Path("b")},
            ["from pathlib import Path as Path_", 'x = Path_("b")'],
        ),
        (
            "x: Any = 1",
            ("from decimal import *",),
            {"x": Decimal("1.10")},
            ["from decimal import Decimal", 'x = Decimal("1.10")'],
        ),
        ("x: Any = 1", (), {"x": {(1,), ()}}, ["x = {(), (1,)}"]),
        ("x = 'a'", (), {"x": "secret:token"}, ["from jupyter_mlops.secrets import secret", 'x = secret("token")']),
        ("x = 'a'", (), {"x": "007"}, ["x = '007'"]),
        ("x = 1.0", (), {"x": 2}, ["x = 2.0"]),
    ],
)
def test_a_value_is_written_with_the_import_that_it_takes(
    source: str, above: tuple[str, ...], values: dict[str, Any], lines: list[str]
) -> None:
    notebook = cells(source, *above)
    injected = injection_of(notebook, check_parameters(checked_parameters(notebook), values))
    assert injected.source.splitlines()[1:] == lines


def test_a_parameter_that_has_the_name_of_its_type_is_set() -> None:
    namespace = executed(
        "import datetime\nfrom datetime import date\ndate: date = date(2020, 1, 1)\nend: datetime.date = date",
        {"date": "2024-01-01", "end": "2024-01-02"},
    )
    assert (namespace["date"], namespace["end"]) == (date(2024, 1, 1), date(2024, 1, 2))


def test_a_required_parameter_of_a_type_defined_in_the_same_cell_must_not_be_read_there() -> None:
    source = "from enum import Enum\nclass Color(Enum):\n    RED = 1\nx: Color\nname = x.name"
    with pytest.raises(InputError, match="before its type Color is defined"):
        injection_of(cells(source), {"x": Member("Color", "RED")})
    assert executed("x: Color\nname = x.name", {"x": "RED"}, IMPORTS)["name"] == "RED"


def test_a_secret_is_recorded_by_its_name() -> None:
    (parameter,) = checked_parameters(cells("x: int = 1"))
    value = check_value(parameter, "secret:PORT")
    assert value == SecretReference("PORT")
    assert to_stored(value, lambda form: check_value(parameter, form)) == to_plain(value) == "secret:PORT"

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.analysis.parameters.declared import (
    all_values,
    check_parameters,
    checked_parameters,
    parameters_of,
    parse_value,
)
from jupyter_mlops.analysis.parameters.types import choices_of
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.parameter import Member, Parameter, SecretReference
from jupyter_mlops.errors import InputError, NotebookError, UnknownNameError


def notebook(source: str, *tags: str) -> list[Cell]:
    return [Cell(0, "a", "markdown", "# title"), Cell(1, "b", "code", source, tags or ("parameters",))]


def declared(source: str) -> Parameter:
    return next(each for each in checked_parameters(notebook(source)) if each.name == "x")


@dataclass(frozen=True)
class Declaration:
    source: str
    type: str
    default: Any = None
    has_default: bool = True
    help: str = ""


DECLARATIONS = [
    Declaration("x = 3", "int", 3),
    Declaration("x = -0.5  # step size", "float", -0.5, help="step size"),
    Declaration("x = True", "bool", True),
    Declaration('x = "http://host?a=1#frag"', "str", "http://host?a=1#frag"),
    Declaration("x = None", "any"),
    Declaration("x: float = 1  # rate", "float", 1, help="rate"),
    Declaration("x: 'int | None' = None", "int | None"),
    Declaration("x = [\n  1,\n  2,  # two\n]  # sizes", "list", [1, 2], help="sizes"),
    Declaration('x = {"a": [1, None]}', "dict", {"a": [1, None]}),
    Declaration("x = 5  # type: float how fast", "float", 5, help="how fast"),
    Declaration("x = 5  # type: ignore", "int", 5, help="type: ignore"),
    Declaration("x = (1, 2)", "tuple", [1, 2]),
    Declaration("x = {1: 2}", "dict", {"1": 2}),
    Declaration("x = b'raw'", "bytes", has_default=False),
    Declaration("x = date(2024, 1, 31)", "date", "2024-01-31"),
    Declaration("x: dt.timedelta = dt.timedelta(hours=1)", "dt.timedelta", has_default=False),
    Declaration("import datetime as dt\nx: dt.timedelta = dt.timedelta(hours=1)", "dt.timedelta", "PT1H"),
    Declaration("x = Decimal('0.10')", "Decimal", "0.10"),
    Declaration("x = Path('a') / 'b'", "any", has_default=False),
    Declaration("x = {3, 1, 2}", "set", [1, 2, 3]),
    Declaration("x: float\nx = 2", "float", 2),
    Declaration("x = f(3)", "any", has_default=False),
    Declaration("x = 1e999", "float", "inf"),
    Declaration("x: int", "int", has_default=False),
    Declaration("# x = 1\n%matplotlib inline\n!ls\nx = 2", "int", 2),
    Declaration("%%step setup\nx = 2", "int", 2),
    Declaration("x = 1\nx = 'later'", "str", "later"),
]


@pytest.mark.parametrize("case", DECLARATIONS, ids=lambda case: case.source)
def test_a_declaration_is_read_from_the_source(case: Declaration) -> None:
    found = declared(case.source)
    assert (found.name, found.type, found.default, found.has_default, found.help) == (
        "x",
        case.type,
        case.default,
        case.has_default,
        case.help,
    )


def test_chained_and_unpacked_assignments_declare_each_name() -> None:
    found = checked_parameters(notebook("a = b = 1\nc, d = 'x', 2.0\nobj.e = 3"))
    assert [(parameter.name, parameter.default) for parameter in found] == [("a", 1), ("b", 1), ("c", "x"), ("d", 2.0)]


def test_a_default_that_is_no_literal_keeps_its_text() -> None:
    assert declared("x = date.today()").default_source == "date.today()"


def test_names_are_what_the_cells_above_made_of_them() -> None:
    above = Cell(
        0, "a", "code", "%matplotlib inline\nimport typing as t\nfrom enum import Enum\nclass Mode(Enum):\n    FAST = 1"
    )
    cells = [above, Cell(1, "b", "code", "x: t.Optional[Mode] = Mode.FAST\nPath = 3\ny: Path = 1", ("parameters",))]
    found = {each.name: each for each in checked_parameters(cells)}
    assert (found["x"].default, found["x"].choices, found["x"].base) == ("FAST", ("FAST", None), "Enum")
    assert found["y"].definition == "int"


@pytest.mark.parametrize(
    ("source", "base", "limits", "choices"),
    [
        ("x: Annotated[float, Field(gt=0, le=1)] = 0.5", "float", "> 0, <= 1", ()),
        ("x: Optional[PositiveInt] = None", "int", "> 0", ()),
        ("x: constr(min_length=2, pattern='a+')", "str", "length >= 2, like 'a+'", ()),
        ("x: Annotated[int, Interval(ge=1, lt=9)]", "int", ">= 1, < 9", ()),
        ("x: Literal['a', 'b'] = 'a'", "", "", ("a", "b")),
        ("x: int | str", "", "", ()),
        ("x: List[int]", "list", "", ()),
    ],
)
def test_a_parameter_tells_its_base_type_range_and_choices(
    source: str, base: str, limits: str, choices: tuple[Any, ...]
) -> None:
    found = declared(source)
    assert (found.base, found.range, found.choices) == (base, limits, choices)


def test_no_tagged_cell_declares_nothing() -> None:
    assert parameters_of(notebook("x = 1", "other")) == ()


def test_a_broken_cell_is_an_error_for_a_run_and_nothing_for_a_picture() -> None:
    cells = notebook("x = = 1")
    assert parameters_of(cells) == ()
    with pytest.raises(NotebookError, match=r"not valid Python.*line 1"):
        checked_parameters(cells)


@pytest.mark.parametrize(
    ("source", "text", "value"),
    [
        ("x = 'a'", "007", "007"),
        ("x: str", "None", "None"),
        ("x = 1", "7", 7),
        ("x = 1", "-7", -7),
        ("x = 1.0", "3", 3.0),
        ("x = 1.0", "1e-3", 0.001),
        ("x = False", "yes", True),
        ("x = False", "False", False),
        ("x = []", "[1, 'a']", [1, "a"]),
        ("x = []", "[true, null]", [True, None]),
        ("x = {}", '{"a": 1}', {"a": 1}),
        ("x: list[float] = []", "[1, 2]", [1.0, 2.0]),
        ("x: dict[str, int] = {}", '{"a": 1}', {"a": 1}),
        ("x: int | None = 3", "None", None),
        ("x: Optional[int] = 3", "4", 4),
        ("x: typing.Optional[typing.List[int]] = None", "[4]", [4]),
        ("x: int = None", "None", None),
        ("x: str | int = 'a'", "3", 3),
        ("x: Union[int, str] = 'a'", "b", "b"),
        ("x: Literal['gini', 'entropy'] = 'gini'", "entropy", "entropy"),
        ("x: Literal[1, 2] = 1", "2", 2),
        ("x = None", "007", "007"),
        ("x = None", "3.5", 3.5),
        ("x = None", "true", True),
        ("x = None", "hello world", "hello world"),
        ("x = f()", "(1, 2)", (1, 2)),
        ("x = f()", "{1: [2]}", {1: [2]}),
        ("x = f()", "1e999", "1e999"),
        ("x: Path = Path('a')", "007", Path("007")),
        ("x: Decimal", "0.10", Decimal("0.10")),
        ("x: date", "2024-02-29", date(2024, 2, 29)),
        ("x: datetime", "2024-02-29 12:30", datetime(2024, 2, 29, 12, 30)),
        ("x: datetime", "2024-02-29T12:30:00Z", datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)),
        ("x: timedelta", "90s", timedelta(seconds=90)),
        ("x: timedelta", "1h30m", timedelta(minutes=90)),
        ("x: timedelta", "-P1DT2H", -timedelta(days=1, hours=2)),
        ("x: timedelta", "1:30:00.5", timedelta(hours=1.5, milliseconds=500)),
        ("x: tuple[int, str]", "[1, 'a']", (1, "a")),
        ("x = (1, 2)", "[3, 4]", (3, 4)),
        ("x: set[date]", '["2024-01-01"]', {date(2024, 1, 1)}),
        ("x: dict[int, str]", '{"1": "a"}', {1: "a"}),
        ("x: date | str", "2024-01-01", date(2024, 1, 1)),
        ("x: date | str", "soon", "soon"),
        ("x: bool | int", "1", 1),
        ("x = 1.0", "-inf", float("-inf")),
        ("x: Annotated[float, Field(gt=0, le=1)]", "1", 1.0),
        ("x: PositiveInt | None", "None", None),
        ("class Color(Enum):\n    RED = 1\n    BLUE = auto()\nx: Color = Color.RED", "BLUE", Member("Color", "BLUE")),
        ("class Color(str, Enum):\n    RED = 'red'\nx = Color.RED", "red", Member("Color", "RED")),
        ("Color = Enum('Color', 'RED BLUE')\nx: Color", "RED", Member("Color", "RED")),
        ("Rate = Annotated[float, Field(gt=LOW)]\nLOW = 0\nx: Rate = 0.5", "0.25", 0.25),
        ("x: 'list[\"int\"]'", "[1]", [1]),
        ("x: conint(ge=2) = 2", "3", 3),
        ("x: str", "secret:db/password", SecretReference("db/password")),
        ("x: int = 3", "secret:PORT", SecretReference("PORT")),
    ],
)
def test_a_text_is_read_by_the_declared_type(source: str, text: str, value: Any) -> None:
    found = parse_value(declared(source), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("source", "text", "why"),
    [
        ("x = 1", "2.5", "whole number"),
        ("x = 1", "", "whole number"),
        ("x = 1.0", "abc", "not a number"),
        ("x = 1.0", "1e999", "too large"),
        ("x: Annotated[float, Field(gt=0, le=1)]", "2", "less than or equal to 1"),
        ("x: Annotated[float, Field(gt=0, le=1)] | None", "0", "greater than 0"),
        ("x: Annotated[str, Field(pattern='^[a-z]+$')]", "A", "match pattern"),
        ("x: Annotated[list[int], Field(min_length=2)]", "[1]", "at least 2 items"),
        ("x: Annotated[date, Field(ge=date(2024, 1, 1))]", "2023-01-01", "greater than or equal to 2024-01-01"),
        ("x: list[PositiveInt]", "[1, 0]", "item 1, 0: it should be greater than 0"),
        ("x: date", "20240101", "not a date"),
        ("x: datetime", "1704067200", "not a date and time"),
        ("x: timedelta", "90", "not a duration"),
        ("x: Decimal", "ten", "not a decimal"),
        ("x: Decimal", "NaN", "finite"),
        ("x: set[int]", "[1, 1]", "appears twice"),
        ("x = {}", '{"a": 1, "a": 2}', "appears twice"),
        ("class Color(Enum):\n    RED = 1\nx: Color", "GREEN", "not one of RED"),
        ("x: Model = Model()", "a", "only executing the notebook"),
        ("x: pd.Timestamp", "2024-01-01", "only executing the notebook"),
        ("x: str", "secret:my password", "not the name of a secret"),
        ("x = True", "maybe", "neither true nor false"),
        ("x = []", "{}", "is a dict"),
        ("x = []", "[1", "neither JSON nor"),
        ("x: list[int] = []", "[1, 'a']", "item 1, 'a'"),
        ("x: Literal['a', 'b'] = 'a'", "c", "not one of 'a', 'b'"),
        ("x: dict[str, int] = {}", "{1: 2}", "the key: it should be a valid string"),
        ("x = b'raw'", "text", "only executing the notebook"),
    ],
)
def test_a_text_of_the_wrong_type_is_refused_with_the_reason(source: str, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        parse_value(declared(source), text)
    assert caught.value.hint


def test_a_type_that_only_execution_knows_is_refused_with_what_to_do_about_it() -> None:
    with pytest.raises(InputError, match="declared Mode, and 'slow' is not") as caught:
        parse_value(declared("from modes import Mode\nx: Mode = Mode.FAST"), "slow")
    assert caught.value.hint == (
        "Declare a plain type, a Literal or an Enum that the notebook itself defines, or leave it at its default Mode.FAST."
    )


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x = 1", True),
        ("x = 1", 1.0),
        ("x = 1", "1"),
        ("x = 'a'", 7),
        ("x = 1.0", 2**53 + 1),
        ("x = 1.0", 10**400),
        ("x = 1.0", False),
        ("x = 1", None),
        ("x = True", 1),
        ("x = []", (1, 2)),
        ("x: Literal[1]", True),
        ("x: date", datetime(2024, 1, 1)),
        ("x: datetime", date(2024, 1, 1)),
        ("x: Decimal", True),
        ("x: set", (1, 2)),
        ("x: Any = 1", b"bytes"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(source: str, value: Any) -> None:
    with pytest.raises(InputError):
        check_parameters([declared(source)], {"x": value})


@pytest.mark.parametrize(
    ("source", "value"),
    [("x: Any = 1", None), ("x = None", None), ("x: int | float = 1", 3), ("x = {}", {1: 2}), ("x = None", {1, 2})],
)
def test_a_value_of_the_right_type_is_kept(source: str, value: Any) -> None:
    assert check_parameters([declared(source)], {"x": value}) == {"x": value}


def test_a_whole_number_given_for_a_float_becomes_one() -> None:
    assert repr(check_parameters([declared("x = 0.5")], {"x": 1})["x"]) == "1.0"


def test_an_unknown_name_gets_a_did_you_mean() -> None:
    with pytest.raises(UnknownNameError) as caught:
        check_parameters(checked_parameters(notebook("alpha = 1\nbeta = 2")), {"alhpa": 3})
    assert "'alhpa'" in caught.value.message
    assert "'alpha'" in caught.value.hint


def test_a_notebook_without_parameters_says_how_to_declare_them() -> None:
    with pytest.raises(UnknownNameError, match="declares none") as caught:
        check_parameters((), {"alpha": 3})
    assert "parameters" in caught.value.hint


def test_a_parameter_without_a_default_must_be_given() -> None:
    parameters = checked_parameters(notebook("x: int\ny = now()"))
    with pytest.raises(InputError, match=r"'x' \(int\) has no value"):
        check_parameters(parameters, {})
    assert check_parameters(parameters, {"x": 1}) == {"x": 1}


def test_a_run_records_defaults_and_what_was_given() -> None:
    parameters = checked_parameters(notebook("a = 1\nb = [2]\nc = date.today()\nd: int"))
    assert all_values(parameters, {"a": 5}) == {"a": 5, "b": [2], "c": "date.today()"}


@pytest.mark.parametrize(
    ("kind", "choices"),
    [
        ("Literal['a', 1, True]", ("a", 1, True)),
        ("Literal['a'] | None", ("a", None)),
        ("Literal['a', 'b'] | None", ("a", "b", None)),
        ("Literal['a', None] | None", ("a", None)),
        ("Literal['a'] | int", ()),
        ("str", ()),
        ("Enum['Color', ('RED', 1), ('BLUE',)] | None", ("RED", "BLUE", None)),
        ("None", ()),
        ("(", ()),
    ],
)
def test_a_type_that_names_each_value_tells_them(kind: str, choices: tuple[object, ...]) -> None:
    assert choices_of(kind) == choices

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from jupyter_mlops.analysis.parameters.declared import parameters_of
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.errors import InputError
from jupyter_mlops.widgets.fields import UNCHANGED, Field


def field_of(source: str) -> Field:
    [parameter] = parameters_of([Cell(0, "p", "code", source, ("parameters",))])
    return Field(parameter)


CASES: list[tuple[str, type, Any, Any, Any]] = [
    # source, widget, what it shows, what is entered, what is given
    ("n: int = 3", ipywidgets.IntText, 3, 4, 4),
    ("n = 3", ipywidgets.IntText, 3, 4, 4),
    ("x: float = 0.5", ipywidgets.FloatText, 0.5, 1.0, 1.0),
    ("x: float = 1", ipywidgets.FloatText, 1.0, 0.0, 0.0),
    ("on = True", ipywidgets.Checkbox, True, False, False),
    ("code: str = '007'", ipywidgets.Text, "007", "008", "008"),
    ("code: str = 'None'", ipywidgets.Text, "None", "", ""),
    ("text: str = 'a\\nb'", ipywidgets.Textarea, "a\nb", "c", "c"),
    ("kind: Literal['a', 'b'] = 'b'", ipywidgets.Dropdown, 1, 0, "a"),
    ("kind: Literal[1, True] = True", ipywidgets.Dropdown, 1, 0, 1),
    ("kind: Literal['a'] | None = None", ipywidgets.Dropdown, 1, 0, "a"),
    ("kind: Literal['a', 'b']", ipywidgets.Dropdown, None, 1, "b"),
    ("kind: Literal['a', 'b'] = 'c'", ipywidgets.Dropdown, None, 1, "b"),
    ("limit: int | None = None", ipywidgets.Text, "None", "5", 5),
    ("limit: int | None = 5", ipywidgets.Text, "5", "None", None),
    ("sizes: list[int] = [1, 2]", ipywidgets.Text, "[1, 2]", "[3]", [3]),
    ("table = {'a': 1}", ipywidgets.Text, "{'a': 1}", '{"b": 2}', {"b": 2}),
    ("n: int", ipywidgets.Text, "", "4", 4),
    ("big: int = 9007199254740993", ipywidgets.Text, "9007199254740993", "9007199254740995", 9007199254740995),
    ("rate: Annotated[float, Field(gt=0)] = 0.5", ipywidgets.FloatText, 0.5, 0.25, 0.25),
    ("start = date(2024, 1, 1)", ipywidgets.Text, "2024-01-01", "2024-02-29", date(2024, 2, 29)),
    ("sizes = {1, 2}", ipywidgets.Text, "[1, 2]", "[3]", {3}),
    ("where = Path('a')", ipywidgets.Text, "a", "007", Path("007")),
    ("class M(Enum):\n    A = 1\n    B = 2\nkind = M.B", ipywidgets.Dropdown, 1, 0, "A"),
    ("day: str = str(today())", ipywidgets.Text, "", "2026-01-01", "2026-01-01"),
]


@pytest.mark.parametrize(("source", "kind", "shown", "entered", "given"), CASES, ids=[case[0] for case in CASES])
def test_the_widget_fits_the_type(source: str, kind: type, shown: Any, entered: Any, given: Any) -> None:
    field = field_of(source)
    assert type(field.widget) is kind
    assert (type(field.widget.value), field.widget.value) == (type(shown), shown)
    assert field.value() is UNCHANGED
    field.widget.value = entered
    assert (type(field.value()), field.value()) == (type(given), given)


def test_a_checkbox_without_a_default_means_what_it_shows() -> None:
    assert field_of("on: bool").value() is False


@pytest.mark.parametrize(("source", "entered"), [("n: int", "x"), ("limit: int | None = 5", "five"), ("a = [1]", "[1")])
def test_a_text_that_does_not_fit_is_named(source: str, entered: str) -> None:
    field = field_of(source)
    field.widget.value = entered
    with pytest.raises(InputError) as caught:
        field.value()
    assert field.parameter.name in caught.value.message
    assert caught.value.hint


def test_type_and_help_stand_beside_the_field_and_are_escaped() -> None:
    _, text = field_of("x: dict[str, int] = {}  # <b>bold</b>").view.children
    assert "dict[str, int]" in text.value
    assert "&lt;b&gt;" in text.value
    _, text = field_of("x: Annotated[int, Field(lt=9)] = 3").view.children
    assert "&lt; 9" in text.value

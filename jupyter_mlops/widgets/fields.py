"""One field of the form per parameter: the widget that fits its type, and the value it holds."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets

from jupyter_mlops.analysis.parameters.declared import parse_value
from jupyter_mlops.analysis.parameters.types import takes_none
from jupyter_mlops.domain.parameter import Parameter

UNCHANGED = object()
"""What `Field.value` gives where the notebook's own default holds."""

_EXACT = 2**53
"""Whole numbers beyond it are not exact in a browser, so they are typed as text."""

_WIDE = {"description_width": "10em"}


class Field:
    """`widget` for the user, `view` with the help beside it, `value()` for the run."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self._choices = parameter.choices
        self.widget = self._make()
        self._initial = self.widget.value
        self.view = ipywidgets.HBox([self.widget, ipywidgets.HTML(self._help())])

    def value(self) -> Any:
        """What was entered, or `UNCHANGED`. Raises `InputError` for a text that is no value of the type."""
        entered = self.widget.value
        untouched = type(entered) is type(self._initial) and entered == self._initial
        if untouched and not (self.parameter.required and isinstance(entered, bool)):
            return UNCHANGED
        if self._choices:
            return self._choices[entered]
        return parse_value(self.parameter, entered) if isinstance(entered, str) else entered

    def _make(self) -> Any:
        parameter = self.parameter
        common = {"description": parameter.name, "description_allow_html": False, "style": _WIDE}
        default = parameter.default if parameter.has_default else None
        if self._choices:
            labels = [(str(choice), index) for index, choice in enumerate(self._choices)]
            known = enumerate(self._choices) if parameter.has_default else ()
            chosen = next((index for index, choice in known if _same(choice, default)), None)
            return ipywidgets.Dropdown(options=labels, value=chosen, **common)
        base = "" if takes_none(parameter.definition) else parameter.base
        if base == "bool" and (type(default) is bool or parameter.required):
            return ipywidgets.Checkbox(value=bool(default), indent=True, **common)
        if parameter.default_source and not parameter.has_default:
            return ipywidgets.Text(placeholder=parameter.default_source, **common)
        if base == "int" and type(default) is int and abs(default) <= _EXACT:
            return ipywidgets.IntText(value=default, **common)
        if base == "float" and type(default) in (int, float):
            return ipywidgets.FloatText(value=float(parameter.default), **common)
        text = _text(default) if parameter.has_default else ""
        kind = ipywidgets.Textarea if "\n" in text else ipywidgets.Text
        return kind(value=text, placeholder=parameter.type, continuous_update=True, **common)

    def _help(self) -> str:
        kind = html.escape(self.parameter.type)
        if self.parameter.range:
            kind += f"</code> <code>{html.escape(self.parameter.range)}"
        text = f" {html.escape(self.parameter.help)}" if self.parameter.help else ""
        return f"<span style='color: var(--jp-ui-font-color2, #666)'><code>{kind}</code>{text}</span>"


def _text(default: Any) -> str:
    """A default as it would be typed: a text without quotes, all else as Python writes it."""
    return default if isinstance(default, str) else repr(default)


def _same(choice: Any, default: Any) -> bool:
    return type(choice) is type(default) and bool(choice == default)

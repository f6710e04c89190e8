"""How a comparison of two runs is shown: one table of parameters, metrics and steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.brief import LeftOut
from jupyter_mlops.domain.status import Status
from jupyter_mlops.verbs.framework import tables

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from jupyter_mlops.operations.runs.compare import Comparison, ParameterPair, StepPair, StepSide

MOST = 100
"""Parameters and metrics that the table shows, of each."""


def comparison_table(comparison: Comparison) -> RenderableType:
    """The comparison as a rich table, made for `runs compare` and the demo."""
    from jupyter_mlops.verbs.framework.tables import seconds, state, table

    a, b = comparison.a, comparison.b
    made = table("", f"run #{a.number}>", f"run #{b.number}>", "difference>")
    if a.notebook != b.notebook:
        made.add_row("notebook", _text(a.notebook), _text(b.notebook))
    made.add_row("status", state(a.status), state(b.status))
    made.add_row("took", seconds(a.duration), seconds(b.duration))
    if comparison.parameters:
        _head(made, "parameters")
        for pair in sorted(comparison.parameters, key=lambda pair: not pair.differs)[:MOST]:
            made.add_row(f"  {_text(pair.name)}", *_parameter(pair), style="bold" if pair.differs else "dim")
        _more(made, len(comparison.parameters), comparison.left_out.get("parameters"))
    if comparison.metrics:
        _head(made, "metrics")
        for metric in comparison.metrics[:MOST]:
            made.add_row(f"  {_text(metric.name)}", _number(metric.a), _number(metric.b), _signed(metric.difference))
        _more(made, len(comparison.metrics), comparison.left_out.get("metrics"))
    if comparison.steps:
        _head(made, "steps")
        for step in comparison.steps:
            made.add_row(f"  {step.name}", _side(step.a), _side(step.b), _code(step))
    return made


def _head(table: Table, title: str) -> None:
    table.add_row("")
    table.add_row(f"[dim]{title}[/]")


def _more(table: Table, count: int, left: LeftOut | None) -> None:
    """That there are more than are shown."""
    more = max(0, count - MOST) + (left.items if left else 0)
    if more:
        table.add_row(f"  [dim]and {more:,} more[/]")


def _parameter(pair: ParameterPair) -> tuple[str, str, str]:
    a = "-" if pair.missing == "a" else _value(pair.a)
    b = "-" if pair.missing == "b" else _value(pair.b)
    if not pair.differs:
        return a, b, ""
    if pair.missing:
        return a, b, "only in one"
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (pair.a, pair.b))
    return a, b, _signed(pair.b - pair.a) if numbers else "differs"


def _side(side: StepSide | None) -> str:
    from jupyter_mlops.verbs.framework.tables import seconds, state

    if side is None:
        return "[dim]-[/]"
    word = "[green]executed[/]" if side.status is Status.COMPLETED else state(side.status)
    return f"{word} {seconds(side.duration):>7}"


def _code(step: StepPair) -> str:
    if step.a is None or step.b is None or step.same_version:
        return ""
    return f"code: v{step.a.version} → v{step.b.version}"


def _number(value: float | None) -> str:
    return "-" if value is None else tables.number(value, zeros=True)


def _signed(value: float | None) -> str:
    if value is None:
        return ""
    return "0" if value == 0 else tables.number(value, 3, sign="+").replace("-", "−")


def _value(value: Any) -> str:
    return _text(value if isinstance(value, str) else repr(value))


def _text(value: str) -> str:
    from rich.markup import escape

    return escape(value if len(value) <= 40 else value[:39] + "…")

"""A run, and a step run, as a list shows it, or a view of it alone: what is large is cut, and `left_out` says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_mlops.domain.brief import IN_DETAIL, IN_LIST, Extent, LeftOut, brief_texts, brief_values
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.reason import Reason, Reasons
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import beginning

_NOTHING = LeftOut()
BULK = ("known", "effects", "files", "extra")
"""What a step run holds that takes much where it makes much, and that nothing compares in a list."""
_OF_REASON = ("detail", "because", "where")


def listed_run(run: Run, unread: Mapping[str, LeftOut] = {}, extent: Extent = IN_LIST) -> Run:
    """`run`, of which `unread` was left in the index already."""
    told: dict[str, LeftOut] = dict(run.left_out) | dict(unread)
    cut: dict[str, Any] = {}
    for name in ("parameters", "metrics", "tags"):
        cut[name], more = brief_values(getattr(run, name), extent)
        told[name] = told.get(name, _NOTHING) + more
    options: dict[str, Any] = {}
    for name in ("given", "sources", "modules"):
        options[name], more = brief_values(getattr(run.options, name), extent)
        told["options"] = told.get("options", _NOTHING) + more
    if run.error is not None:
        cut["error"], more = brief_texts(run.error, ("message", "evalue", "ename", "step"), extent.text)
        told["error"] = told.get("error", _NOTHING) + more
    left_out = {name: left for name, left in told.items() if left}
    if not left_out:
        return run
    return replace(run, **cut, options=replace(run.options, **options), left_out=left_out)


@dataclass(frozen=True)
class ListedStepRun(StepRun):
    """A step run of which only the beginnings of texts and the first of its metrics are there.

    `label` is what people know the step by. Of a reuse `duration` is the time that the restoration took, and `computed`
    what computing the result had taken.
    """

    left_out: dict[str, LeftOut] = field(default_factory=dict)
    label: str = ""
    computed: float | None = None


def listed_step_run(step_run: StepRun, unread: Mapping[str, LeftOut] = {}, extent: Extent = IN_LIST) -> ListedStepRun:
    """`step_run`, of which `unread` was left in the index already."""
    told: dict[str, LeftOut] = dict(unread)
    cut: dict[str, Any] = {}
    cut["metrics"], more = brief_values(step_run.metrics, extent)
    told["metrics"] = told.get("metrics", _NOTHING) + more
    if len(step_run.error) > extent.text:
        cut["error"] = f"{step_run.error[: extent.text - 1]}…"
        told["error"] = told.get("error", _NOTHING) + LeftOut(texts={"error": len(step_run.error)})
    if step_run.why is not None:
        cut["why"], told["why"] = listed_reason(step_run.why, extent)
    reasons = [listed_reason(reason, extent) for reason in step_run.unrepeatable[: extent.items]]
    told["unrepeatable"] = LeftOut(items=len(step_run.unrepeatable) - len(reasons))
    for _, more in reasons:
        told["unrepeatable"] += more
    cut["unrepeatable"] = Reasons.of(reason for reason, _ in reasons)
    left_out = {name: left for name, left in told.items() if left}
    return ListedStepRun(**vars(step_run) | cut, left_out=left_out)


def shown_step_run(step_run: ListedStepRun, extent: Extent = IN_LIST) -> ListedStepRun:
    """The same with the first of the names and files that it read and made: a view shows no more of thousands."""
    told, cut = dict(step_run.left_out), dict[str, Any]()
    for name in ("inputs", "outputs", "ingredients", *BULK):
        cut[name], more = brief_values(getattr(step_run, name), extent)
        told[name] = told.get(name, _NOTHING) + more
    conditions: dict[str, Any] = {}
    told["conditions"] = _NOTHING
    for name in ("files", "random_before", "shapes", "together"):
        values = getattr(step_run.conditions, name)
        if values is not None:
            conditions[name], more = brief_values(values, extent)
            told["conditions"] += more
    cut["conditions"] = replace(step_run.conditions, **conditions)
    return replace(step_run, **cut, left_out={name: left for name, left in told.items() if left})


def whole_step_run(step_run: StepRun) -> ListedStepRun:
    """`step_run`, of which nothing is left out."""
    return ListedStepRun(**vars(step_run), label=step_run.step)


def listed_reason(reason: Reason, extent: Extent = IN_LIST) -> tuple[Reason, LeftOut]:
    """A reason with the beginnings of its texts; and what that leaves out."""
    return brief_texts(reason, _OF_REASON, extent.text)


def listed_parameter(parameter: Parameter) -> Parameter:
    """A parameter without a default that is too large to be shown, or to be edited in a form."""
    size = max(len(parameter.default_source), len(str(parameter.default)))
    if max(size, len(parameter.help)) <= IN_DETAIL.text:
        return parameter
    told = replace(parameter, help=beginning(parameter.help, IN_LIST.text))
    if size <= IN_DETAIL.text:
        return told
    return replace(told, default=None, default_source=beginning(parameter.default_source, IN_LIST.text), left_out=size)

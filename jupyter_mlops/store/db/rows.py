"""Rows to dataclasses and back, for the nested ones that live in JSON columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.run import CauseKind, Progress, Run, RunCause, RunFailure, RunKind, RunOptions, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.errors import beginning

OTHER_VERSION = Reasons.of([Reason(ReasonCode.OTHER_VERSION)])
_OPTIONS = {each.name for each in fields(RunOptions)}
_CONDITIONS = {each.name for each in fields(Conditions)}
_RECORDS = (Progress, RunFailure, RunOptions, Conditions)
"""None of them holds another."""
_ENUMS = (Status, RunKind)
SPARE = ("known", "effects", "files")
"""Columns of step runs that are NULL where there is nothing to tell."""
_SPARE = {*SPARE, "tracked_at", "changed_sources", "cause"}
"""All such columns."""


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Column values of dataclass fields: enums as text, nested dataclasses as dicts, nothing in a spare column as NULL."""
    found = {name: (_plain(value) or None) if name in _SPARE else _plain(value) for name, value in values.items()}
    if found.get("error"):
        found["error"] = _kept(found["error"])
    return found


def _kept(error: Any) -> Any:
    """An error as far as the record keeps its texts."""
    if isinstance(error, dict):
        return {name: _kept(text) for name, text in error.items()}
    return beginning(error, KEPT_ERROR) if isinstance(error, str) else error


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {name: dict(vars(item)) if type(item) is StepInput else item for name, item in value.items()}
    if kind in _ENUMS:
        return value.value
    if kind is TrackedAt:
        return {name: text for name, text in vars(value).items() if text}
    if kind in _RECORDS:
        return dict(vars(value))
    if kind is RunCause:
        return {**vars(value), "kind": value.kind.value}
    return value


def options_from(row: Mapping[str, Any]) -> RunOptions:
    """The options in a JSON column; what another version put there and this one does not know is left out."""
    options = {name: item for name, item in row.items() if name in _OPTIONS}
    return RunOptions(**options | {"notify": tuple(options.get("notify", ()))})


def cause_from(row: Mapping[str, Any] | None) -> RunCause | None:
    """The cause in a JSON column."""
    return RunCause(**{**row, "kind": CauseKind(row["kind"])}) if row else None


def run_from(row: Mapping[Any, Any], executed: int = 0, reused: int = 0) -> Run:
    """The Run of a row of `runs`, with its counts of step runs."""
    values = dict(row)
    values["status"] = Status(values["status"])
    values["kind"] = RunKind(values["kind"])
    values["tracked_at"] = TrackedAt(**(values["tracked_at"] or {}))
    values["changed_sources"] = tuple(values["changed_sources"] or ())
    values["progress"] = Progress(**values["progress"])
    values["error"] = RunFailure(**{"cause": "", "message": "", **values["error"]}) if values["error"] else None
    values["options"] = options_from(values["options"])
    values["cause"] = cause_from(values["cause"])
    return Run(**values, steps_executed=executed, steps_reused=reused)


def step_run_from(row: Mapping[Any, Any]) -> StepRun:
    """The StepRun of a row of `step_runs`. What another version put under conditions unknown here is not reused."""
    values = dict(row)
    given = values["conditions"]
    if not given.keys() <= _CONDITIONS:
        given = {name: value for name, value in given.items() if name in _CONDITIONS}
        values["unrepeatable"] = values["unrepeatable"] or OTHER_VERSION
    values["status"] = Status(values["status"])
    values["inputs"] = {name: StepInput(**item) for name, item in values["inputs"].items()}
    values["conditions"] = Conditions(**given)
    for name in SPARE:
        values[name] = values[name] or {}
    return StepRun(**values)

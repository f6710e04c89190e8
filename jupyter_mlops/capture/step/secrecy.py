"""What capture takes care of for secrets: a result depends on those it asked for, and no record holds the text of one."""

from __future__ import annotations

import dataclasses
import operator
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.key.conditions import depended_on
from jupyter_mlops.capture.session.events import AuthorWarned
from jupyter_mlops.domain.reason import Reasons
from jupyter_mlops.secrets.known import CONDITION, KNOWN, holds, redact

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.events import StepListener

Record = TypeVar("Record")


def asked() -> int:
    """A mark: how many secrets were asked for so far."""
    return len(KNOWN.asked)


def conditions(since: int) -> dict[str, str]:
    """Conditions that hold as long as the secrets that were asked for since a mark have the values they have."""
    return {CONDITION + name: depended_on(CONDITION + name) for name in sorted(set(KNOWN.asked[since:]))}


def cleaned(record: Record) -> Record:
    """A record with names in place of secrets in its texts; the very record where no secret was looked up."""
    if KNOWN.patterns is None:
        return record
    assert dataclasses.is_dataclass(record)
    assert not isinstance(record, type)
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        made = _cleaned(value)
        if made is not value:
            changed[field.name] = made
    return dataclasses.replace(record, **changed) if changed else record


def _cleaned(value: object) -> Any:
    if isinstance(value, Reasons):
        made = [cleaned(reason) for reason in value]
        return value if all(map(operator.is_, made, value)) else Reasons.of(made)
    if isinstance(value, Enum):
        return value
    return cleaned(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else redact(value)


def warn_of_source(listener: StepListener, step: StepCell) -> None:
    """Tell where a cell's own text holds a secret: that is not ours to change."""
    if holds(step.cell.source):
        listener.on_event(
            AuthorWarned(
                f"The source of step '{step.spec.name}' contains a secret as plain text: the notebook and the record of the "
                "step's code show it.",
                'Write secret("NAME") instead, and change the value of the secret.',
            )
        )

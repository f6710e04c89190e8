"""What a step did to the namespace: names bound or deleted, and values changed in place, which makes it unrepeatable."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.analysis.doubts import SHELL_NAMES
from jupyter_mlops.capture.digest import Fingerprint, Undigestible, Walker
from jupyter_mlops.capture.key import Examination
from jupyter_mlops.domain.step import StepSpec

_SHELLS_OWN = re.compile(r"_(i{0,3}|ii?|_{1,2}|i?\d+|oh|ih|dh|exit_code)\Z")


@dataclass
class Outcome:
    """`digests` of the names bound to storable values, `deleted` names, `bound` all names whose object is another."""

    digests: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)


def judge(
    found: Examination, before: dict[str, Any], now: dict[str, Any], watched: list[str], *, failed: bool
) -> Outcome:
    """Compare the namespace with what it was. Where the step failed only the bound names are looked for."""
    outcome = Outcome(reasons=[*found.reasons, *watched])
    missing = object()
    outcome.bound = {
        name for name, value in now.items() if before.get(name, missing) is not value and not _is_shells(name)
    }
    outcome.deleted = {name for name in before if name not in now and not _is_shells(name)}
    if failed:
        return outcome
    _changed_in_place(found, before, outcome)
    walker = Walker(now)
    outputs: dict[str, Fingerprint] = {}
    for name in sorted(outcome.bound):
        try:
            outputs[name] = walker.fingerprint(name, now[name])
        except Undigestible as error:
            outcome.reasons.append(f"makes '{error.path}', whose content cannot be told ({error.what})")
    outcome.digests = {name: item.digest for name, item in outputs.items()}
    for name, item in outputs.items():
        for other, input_ in found.inputs.items():
            if item.shares_with(input_):
                outcome.reasons.append(f"makes '{name}', which shares memory with its input '{other}'")
    return outcome


def _changed_in_place(found: Examination, before: dict[str, Any], outcome: Outcome) -> None:
    walker = Walker(found.walker.namespace)
    for name, item in found.inputs.items():
        try:
            changed = walker.fingerprint(name, before[name]).digest != item.digest
        except Undigestible:
            changed = True
        if changed:
            outcome.reasons.append(f"changes '{name}' in place")


def _is_shells(name: str) -> bool:
    return name in SHELL_NAMES or _SHELLS_OWN.match(name) is not None


def named_metrics(spec: StepSpec, namespace: dict[str, Any]) -> tuple[dict[str, float], list[str]]:
    """The metrics a step names, as finite-or-not floats, and a sentence for each that is no number."""
    metrics: dict[str, float] = {}
    problems: list[str] = []
    for name in spec.metrics:
        if name not in namespace:
            problems.append(f"Metric '{name}' of step '{spec.name}' was not logged: there is no variable of that name.")
            continue
        try:
            if isinstance(namespace[name], (str, bytes, bytearray)):
                raise TypeError
            metrics[name] = float(namespace[name])
        except (TypeError, ValueError):
            kind = type(namespace[name]).__name__
            problems.append(f"Metric '{name}' of step '{spec.name}' was not logged: it is a {kind}, not a number.")
    for name, value in list(metrics.items()):
        if not math.isfinite(value):
            problems.append(f"Metric '{name}' of step '{spec.name}' was not logged: it is {value}.")
            del metrics[name]
    return metrics, problems

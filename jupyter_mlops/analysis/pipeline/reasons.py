"""Why a step runs: the first ingredient of its key that differs from the last time."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.step_spec import is_cell

_OF_KIND = {
    "code": ReasonCode.CODE_CHANGED,
    "model": ReasonCode.MODEL_CHANGED,
    "input": ReasonCode.INPUT_CHANGED,
    "file": ReasonCode.FILE_CHANGED,
    "exists": ReasonCode.FILE_CAME_OR_WENT,
    "module": ReasonCode.MODULE_CHANGED,
    "environment": ReasonCode.VARIABLE_CHANGED,
    "library": ReasonCode.OPTIONS_CHANGED,
    "effects": ReasonCode.EFFECTS_CHANGED,
    "packages": ReasonCode.PACKAGES_CHANGED,
    "python": ReasonCode.PYTHON_CHANGED,
    "display": ReasonCode.DISPLAY_CHANGED,
    "quiet": ReasonCode.QUIET_CHANGED,
}
"""What stands before the ":" of an ingredient's name → why a step runs that differs in it; the most telling first."""
_RANKS = {kind: rank for rank, kind in enumerate(_OF_KIND)}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of the ingredients that differ, the most telling first."""
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return sorted(changed, key=lambda name: (_RANKS.get(name.partition(":")[0], len(_RANKS)), name))


def reason(name: str, producers: Mapping[str, str]) -> Reason:
    """Why a step runs of which this ingredient differs; `producers` says what bound an input."""
    kind, _, rest = name.partition(":")
    code = _OF_KIND.get(kind)
    if code is None:
        return Reason(ReasonCode.INGREDIENT_CHANGED, name)
    if code is ReasonCode.INPUT_CHANGED:
        producer = producers.get(rest, "")
        return Reason(code, rest, "" if is_cell(producer) else producer)
    return Reason(code, "" if rest == "*" else rest)

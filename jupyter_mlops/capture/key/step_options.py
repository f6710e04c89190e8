"""What a step's own options and its last character add to what was found of its code, and what they claim against it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from jupyter_mlops.analysis.code.facts import is_quiet
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.domain.reason import AUTHORS_WORD, Reason, ReasonCode
from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.errors import InputError
from jupyter_mlops.store.files.digests import file_digest

_MATPLOTLIB = re.compile(r"^[^\S\n]*%matplotlib\s+(?!inline\b)(\S+)", re.MULTILINE)


def add_asked(examination: Examination, step: StepCell) -> Examination:
    """Complete an examination by what the step asks for."""
    spec = step.spec
    if spec.model:
        examination.ingredients["model"] = spec.model  # to be logged, it must have been kept
    if is_quiet(step.code):
        examination.ingredients["quiet"] = "yes"
    for path in map(os.path.abspath, spec.reads):
        examination.ingredients[f"file:{path}"] = file_digest(path)
    magic = _MATPLOTLIB.search(step.code)
    if magic is not None:
        examination.reasons.append(Reason(ReasonCode.MAGIC, f"%matplotlib {magic[1]}"))
    examination.reasons = answered_for(spec, examination.reasons)
    return examination


def answered_for(spec: StepSpec, reasons: Iterable[Reason]) -> list[Reason]:
    """The reasons that are left where the author answers for the result with `--repeatable` or `--ttl`."""
    if not spec.repeatable and spec.ttl is None:
        return list(reasons)
    return [reason for reason in reasons if reason.code not in AUTHORS_WORD]


def contradicted_inputs(spec: StepSpec, found: Examination) -> InputError | None:
    """The error where the step may read a value that it does not claim. Modules, functions and classes need no claim."""
    if spec.inputs is None:
        return None
    values = {name for name, known in found.inputs.items() if known.kind == "value"}
    return _contradiction(spec.name, "reads", "--inputs", values - set(spec.inputs), set())


def contradicted_outputs(spec: StepSpec, made: set[str], known: Mapping[str, ValueFacts]) -> InputError | None:
    """The error where the step made or changed other values than it claims; `known` are those it made that are there."""
    if spec.outputs is None:
        return None
    values = {name for name in made if not name.startswith("_") and name in known and known[name].kind == "value"}
    missing = set(spec.outputs) - made
    return _contradiction(spec.name, "makes or changes", "--outputs", values - set(spec.outputs), missing)


def _contradiction(step: str, does: str, option: str, extra: set[str], missing: set[str]) -> InputError | None:
    if extra:
        names = ", ".join(f"'{name}'" for name in sorted(extra))
        return InputError(
            f"Step '{step}' {does} {names}, which its {option} does not list.",
            f"Add it to {option}, or change the code.",
        )
    if missing:
        names = ", ".join(f"'{name}'" for name in sorted(missing))
        return InputError(
            f"Step '{step}' lists {names} in {option}, but does not make or change it.",
            f"Remove it from {option}, or change the code.",
        )
    return None

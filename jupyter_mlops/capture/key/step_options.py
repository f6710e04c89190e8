"""What a step's own options and its last character add to what was found of its code, in a kernel and in a forecast."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from jupyter_mlops.analysis.code.facts import is_quiet
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.domain.reason import AUTHORS_WORD, Reason, ReasonCode
from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.store.files.digests import file_digest

_MATPLOTLIB = re.compile(r"^[^\S\n]*%matplotlib\s+(?!inline\b)(\S+)", re.MULTILINE)


def add_asked(found: Examination, step: StepCell) -> Examination:
    """Complete an examination by what the step asks for."""
    spec = step.spec
    if spec.model:
        found.ingredients["model"] = spec.model  # to be logged, it must have been kept
    if is_quiet(step.code):
        found.ingredients["quiet"] = "yes"
    for path in map(os.path.abspath, spec.reads):
        found.ingredients[f"file:{path}"] = file_digest(path)
    magic = _MATPLOTLIB.search(step.code)
    if magic is not None:
        found.reasons.append(Reason(ReasonCode.MAGIC, f"%matplotlib {magic[1]}"))
    found.reasons = answered_for(spec, found.reasons)
    return found


def answered_for(spec: StepSpec, reasons: Iterable[Reason]) -> list[Reason]:
    """The reasons that are left where the author answers for the result with `--repeatable` or `--ttl`."""
    if not spec.repeatable and spec.ttl is None:
        return list(reasons)
    return [reason for reason in reasons if reason.code not in AUTHORS_WORD]

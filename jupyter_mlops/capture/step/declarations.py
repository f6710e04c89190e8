"""What an author claims of a step (`--inputs`, `--outputs`), held against what was found."""

from __future__ import annotations

from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.step.outcome import StepOutcome
from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.errors import InputError


def contradicted_inputs(spec: StepSpec, found: Examination) -> InputError | None:
    """The error where the step may read a value that it does not claim. Modules, functions and classes need no claim."""
    if spec.inputs is None:
        return None
    values = {name for name, known in found.inputs.items() if known.kind == "value"}
    return _contradiction(spec.name, "reads", "--inputs", values - set(spec.inputs), set())


def contradicted_outputs(spec: StepSpec, outcome: StepOutcome) -> InputError | None:
    """The error where the step made other values than it claims."""
    if spec.outputs is None:
        return None
    made = {
        name
        for name in outcome.bound | outcome.changed
        if not name.startswith("_") and name in outcome.known and outcome.known[name].kind == "value"
    }
    missing = set(spec.outputs) - outcome.bound - outcome.changed
    return _contradiction(spec.name, "makes or changes", "--outputs", made - set(spec.outputs), missing)


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

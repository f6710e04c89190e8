"""Steps that are left out: `--skip`, and `--skip-if EXPRESSION`, which is weighed where the step's turn comes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.facts import CodeFacts, cell_facts
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.analysis.pipeline.links import later_reads, names_of_step
from jupyter_mlops.capture.key.value_facts import reached
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.errors import InputError

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.hydrating import Hydrating
    from jupyter_mlops.capture.session.later import LaterReads


def skipped(namespace: dict[str, Any], later: LaterReads, step: StepCell, facts: CodeFacts) -> Reason | None:
    """Why the step is left out; None where it is not.

    Raises `InputError` where the expression cannot be weighed, or where a later step needs what only this one makes.
    """
    spec = step.spec
    why = Reason(ReasonCode.SKIP) if spec.skip else None
    if why is None and spec.skip_if and _holds(namespace, later.hydrator, spec.name, spec.skip_if):
        why = Reason(ReasonCode.SKIP_IF, spec.skip_if)
    if why is not None:
        _check(later, step, facts)
    return why


def _holds(namespace: dict[str, Any], hydrator: Hydrating, step: str, expression: str) -> bool:
    hint = "Write an expression that uses names bound above the step, such as: --skip-if 'not retrain'"
    try:
        names = cell_facts(expression).names.reads
        code = compile(ast.parse(expression.strip(), mode="eval"), f"<--skip-if of {step}>", "eval")
    except (SyntaxError, ValueError) as error:
        raise InputError(f"'{expression}' of '--skip-if' is not a valid expression: {error}.", hint) from None
    hydrator.ready(names, libraries_used=True)
    try:
        return bool(eval(code, namespace))  # noqa: S307 - the author's own code, as the cell's is
    except Exception as error:  # noqa: BLE001 - the author's code may raise anything
        told = f"{type(error).__name__}: {error}"
        raise InputError(f"'{expression}' of '--skip-if' of step '{step}' failed: {told}.", hint) from None


def _check(later: LaterReads, step: StepCell, facts: CodeFacts) -> None:
    """Prove that no step below reads a name that nothing but this step binds."""
    steps, place = later.view.steps(), later.view.place(step)
    missing = {name for name in facts.names.writes if later.world.know(name) is None}
    if not missing or place < 0:
        return
    needed = missing & reached(later.world.know, later_reads(steps, place))
    if needed:
        name = min(needed)
        readers = (other for other in steps[place + 1 :] if name in getattr(names_of_step(other), "reads", ()))
        reader = next((other.spec.name for other in readers), "a later step")
        raise InputError(
            f"Step '{step.spec.name}' cannot be skipped: '{reader}' reads '{name}', which only it makes.",
            f"Bind '{name}' above it, or skip '{reader}' too.",
        )

"""A step that runs: what stood in the kernel when it began, and what watches it until it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.analysis.code.inert import PLAIN
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.draws import Draws
from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.observe import display, watch
from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.capture.step import secrecy
from jupyter_mlops.capture.step.attempts import Attempts
from jupyter_mlops.domain.step_spec import StepSpec


@dataclass(frozen=True)
class KernelBefore:
    """What stood in the kernel when a step began."""

    names: Mapping[str, Any]
    """Every name with its object: what is bound anew has its last words when the step has ended."""
    shapes: Mapping[str, str]
    """How the values hung together that the step may touch, as `World.shapes` says it."""
    together: dict[str, str]
    """How those it reads hung together, as `World.together` says it."""
    known: Mapping[str, ValueFacts]
    """What was known of the values."""
    libraries: Mapping[str, str]
    """Library → digest of its options."""
    packages: frozenset[str]
    """Packages that the step uses and of whose options nothing is known."""
    options: Mapping[str, Any]
    """What those packages held, as `libraries.package_snapshot` gives it."""


@dataclass(frozen=True)
class Observation:
    """Made as the step begins; `stop` ends what watches. Where the code is inert, nothing can happen that need be watched."""

    before: KernelBefore
    is_inert: bool
    draws: Draws | None
    watch: watch.StepWatch
    recorder: display.DisplayRecorder | None
    """Takes down what the step shows; None where the shell does not let that be seen."""
    attempts: Attempts | None
    """Where the step may be stopped, or be run again."""
    secrets: int
    """A mark: which secrets were asked for before."""
    began: float
    """By `time.perf_counter`."""
    began_at: int
    """By `time.time_ns`."""

    def stop(self) -> None:
        """Watch no more; once is enough, and twice does no harm."""
        _stop(self.watch, self.recorder)


def observe(
    session: Session, spec: StepSpec, examination: Examination, options: Mapping[str, str] | None
) -> Observation:
    """Begin to watch a step that begins now; `options` are those of libraries, where they were just looked at."""
    context = session.context
    before, is_inert = _look(context, examination, options)
    draws = None if is_inert else Draws(context.unseeded)
    recorder = None
    if display.can_record(context.shell):
        recorder = display.DisplayRecorder(context.shell, session.run.project.output_limit(session.listener))
    watching = watch.Unneeded() if is_inert else watch.StepWatch((session.run.store.folder,))
    attempts = Attempts(context.shell, spec) if spec.retries or spec.timeout is not None else None
    try:
        if recorder is not None:
            recorder.start()
        watching.__enter__()
        secrets = secrecy.asked()
        if attempts is not None:
            attempts.begin()
        began_at = time.time_ns()
        began = time.perf_counter()
        return Observation(before, is_inert, draws, watching, recorder, attempts, secrets, began, began_at)
    except BaseException:  # also an interrupt: nothing goes on then
        _stop(watching, recorder)
        raise


def _stop(watching: watch.StepWatch, recorder: display.DisplayRecorder | None) -> None:
    watching.__exit__()
    if recorder is not None:
        recorder.stop()


def _look(
    context: KernelContext, examination: Examination, options: Mapping[str, str] | None
) -> tuple[KernelBefore, bool]:
    """What stands in the kernel, and whether the step's code is inert on it."""
    world, names = context.world, examination.facts.names
    bound = dict(world.namespace)
    is_inert = _is_inert(context, examination.facts, bound)
    touched = {*examination.inputs, *(names.writes - names.settles)}
    shapes = world.shapes(name for name in touched if name in world.namespace)
    together = world.together(examination.inputs)
    known = world.known_now(touched if is_inert else None)
    if is_inert:
        return KernelBefore(bound, shapes, together, known, {}, frozenset(), {}), True
    packages = frozenset(
        name.partition(".")[0]
        for name in examination.packages
        if name not in sys.stdlib_module_names and name not in libraries.KNOWN_STATES
    )
    state = dict(world.libraries()) if options is None else options
    snapshot = libraries.package_snapshot(packages)
    return KernelBefore(bound, shapes, together, known, state, packages, snapshot), False


def _is_inert(context: KernelContext, facts: CodeFacts, bound: Mapping[str, Any]) -> bool:
    """Whether code can do nothing but bind names to new plain values."""
    return (
        facts.inert
        and context.runs_code_as_it_stands
        and context.shell.ast_node_interactivity != "last_expr_or_assign"  # which shows what it binds
        and all(type(bound.get(name, context)) in PLAIN for name in facts.names.reads)
    )

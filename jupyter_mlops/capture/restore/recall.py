"""In a kernel that was started anew: takes what the cells above had made from the record, when a cell first needs it.

Only names that are missing are taken, and only from steps that a run from the top would reuse, or run on the same again.
"""

from __future__ import annotations

import builtins
from collections.abc import Collection
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.forecast import forecast
from jupyter_mlops.capture.key.world import LiveWorld, Pending
from jupyter_mlops.capture.results.reuse import known_in
from jupyter_mlops.capture.session.events import AuthorWarned, ValuesRecalled
from jupyter_mlops.domain.plan import REUSE, SKIP, Forecast

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.session import Session
    from jupyter_mlops.domain.step import StepRun
    from jupyter_mlops.store.store import Store


def missing_names(world: LiveWorld, facts: CodeFacts) -> set[str]:
    """Names a cell may read that nothing is bound to."""
    return {name for name in facts.names.reads if world.know(name) is None and not hasattr(builtins, name)}


def recall(session: Session, step: StepCell, missing: Collection[str]) -> None:
    """In a kernel started anew, let a step find what the cells above it had made of the `missing` names."""
    taken = _recall(session, step, missing)
    if taken:
        session.listener.on_event(ValuesRecalled(taken))


def _recall(session: Session, step: StepCell, missing: Collection[str]) -> dict[str, str]:
    """Let the world know of the missing names what the steps above made of them; gives name → step."""
    world = session.context.world
    place = session.view.place(step)
    if place <= 0:
        return {}
    above = session.view.steps()[:place]
    told = {item.cell_index: item for item in forecast(session.run.store, session.run.notebook, session.view.cells())}
    taken: dict[str, str] = {}
    changed: dict[str, str] = {}
    open_ones = {item.name for item in told.values() if item.source is None and item.repeats is None}
    for other in above:
        item = told[other.cell.index]
        source = None if _is_contradicted(world, session.run.store, item, open_ones) else item.source or item.repeats
        _take(session, item, source, taken, changed)
        if item.decision not in (REUSE, SKIP) and _leaves_work(
            session.history.last_of(session.run.notebook, item.name)
        ):
            for name in list(taken):  # may have been changed since by what is not here
                changed[name] = item.name
                world.pending.pop(name, None)
                del taken[name]
    for name in sorted(changed.keys() & missing):
        session.listener.on_event(
            AuthorWarned(
                f"'{name}' is not in this kernel, and '{changed[name]}', which makes it, has no result that is still valid.",
                f"Run that step, or every step that is needed: %mlops run --until {step.spec.name}",
            )
        )
    return {name: taken[name] for name in sorted(taken.keys() & missing)}


def _is_contradicted(world: LiveWorld, store: Store, item: Forecast, open_ones: Collection[str]) -> bool:
    """Whether a result counts on a value that a step will bind when it runs, and this kernel still holds another."""
    foreseen = [name for name, maker in item.inputs.items() if maker in open_ones]
    if item.source is None or not foreseen:
        return False
    inputs = store.steps.run(item.source).inputs
    return any(
        name in world.namespace and name in inputs and getattr(world.know(name), "digest", "") != inputs[name].digest
        for name in foreseen
    )


def _leaves_work(last: StepRun | None) -> bool:
    return last is not None and bool(last.effects.get("behind"))


def _take(session: Session, item: Forecast, source: str | None, taken: dict[str, str], changed: dict[str, str]) -> None:
    if source is None:
        for name in item.outputs:
            changed[name] = item.name
            taken.pop(name, None)
        return
    run, world = session.run.store.steps.run(source), session.context.world
    for name, known in known_in(run).items():
        if name in world.namespace or (name in world.pending and name not in taken):
            continue
        result = None if known.lost else run.result
        world.pending[name] = Pending(known, run.id, result, frozenset({name, *known.shares}))
        session.history.producers[name] = item.name
        taken[name] = item.name
        changed.pop(name, None)
    for name in run.effects.get("deleted", ()):
        if taken.pop(name, None) is not None:
            world.pending.pop(name, None)
    for name in run.effects.get("imports", ()):
        session.hydrator.imports[name] = None

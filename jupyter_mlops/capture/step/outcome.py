"""What a step did to the namespace: names bound, changed in place or deleted, and which of them hang together."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.key.value_facts import ValueFacts, ended
from jupyter_mlops.capture.key.world import UNTOLD, LiveWorld
from jupyter_mlops.domain.reason import Reason, ReasonCode

_MISSING = object()


@dataclass
class StepOutcome:
    """`bound` are names whose object is another, `changed` names whose value changed in place, `deleted` names gone.

    `kept` are names that were there before and are part of the result, because what the step made or changed is
    reached from them too; `groups` are the sets of names that must be stored together, `known` what is known of them all.
    `shapes` says how the kept ones hung together before, as `World.shapes` does.
    """

    bound: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    groups: list[set[str]] = field(default_factory=list)
    known: dict[str, ValueFacts] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)

    @property
    def outputs(self) -> dict[str, str]:
        """Name → digest of what the step bound or changed."""
        return {name: self.known[name].digest for name in sorted(self.bound | self.changed) if name in self.known}


def names_bound(
    world: LiveWorld, before: Mapping[str, Any], among: Iterable[str] | None = None
) -> tuple[set[str], set[str]]:
    """The notebook's names that are bound to another object than `before`, and those that are gone.

    `among` names all that can have been bound, and that nothing can have been deleted.
    """
    now = world.namespace
    if among is not None:
        return {name for name in among if name in now and now[name] is not before.get(name, _MISSING)}, set()
    others = map(operator.is_not, now.values(), map(before.get, now, itertools.repeat(_MISSING)))
    bound = {name for name in itertools.compress(list(now), others) if not world.is_shells(name)}
    gone = {name for name in before if name not in now and not world.is_shells(name) and name not in world.pending}
    return bound, gone


def judge(
    world: LiveWorld,
    examination: Examination,
    before: Mapping[str, Any],
    known_before: Mapping[str, ValueFacts],
    shapes_before: Mapping[str, str],
    among: Iterable[str] | None = None,
) -> StepOutcome:
    """Compare the namespace with what it was; `among` as for `names_bound`."""
    inputs, touches = examination.inputs, examination.touches
    outcome = StepOutcome()
    outcome.bound, outcome.deleted = names_bound(world, before, among)
    perhaps = _bound_to_the_same(world, examination, before, outcome)
    suspects = world.touch(None if touches is None else touches | outcome.bound)
    for name in suspects - outcome.bound:
        old = known_before.get(name) or inputs.get(name)
        new = world.know(name)
        if new is None or world.is_shells(name) or old is None:
            continue
        if not old.digest or not new.digest:
            if name in inputs or old.digest:
                outcome.changed.add(name)
        elif old.digest != new.digest:
            outcome.changed.add(name)
    _group(world, shapes_before, perhaps, outcome)
    return outcome


def _bound_to_the_same(
    world: LiveWorld, found: Examination, before: Mapping[str, Any], outcome: StepOutcome
) -> set[str]:
    """Count names as bound that were bound to the very object they had, such as a small number.

    Gives those of which the code only may have bound: their value is the result, where it was the same before.
    """
    names = found.facts.names
    candidates = names.writes - outcome.bound - found.inputs.keys()
    same = {name for name in candidates if name in before and before[name] is world.namespace.get(name)}
    outcome.bound |= same
    return same - names.settles


def _group(world: LiveWorld, shapes_before: Mapping[str, str], perhaps: set[str], outcome: StepOutcome) -> None:
    made = outcome.bound | outcome.changed
    alone = {name for name in made if not world.has_parts(name)}
    together = world.component(made - alone) if made - alone else set()
    outcome.kept = together - outcome.bound
    left = set(together)
    while left:
        group = world.component({left.pop()})
        outcome.groups.append(group)
        left -= group
    outcome.groups += [{name} for name in sorted(alone)]
    for group in outcome.groups:
        shape = world.shape(group) if len(group) > 1 else ""
        for name in group:
            known = world.know(name)
            if known is not None:
                shares = tuple(sorted(group - {name}))
                outcome.known[name] = replace(known, shares=shares, shape="" if shape == UNTOLD else shape)
    outcome.reasons += ended(outcome.known, outcome.known.get)
    left = outcome.kept | perhaps
    for names, shape in shapes_before.items():
        members = set(names.split(","))
        if members & left and shape != UNTOLD:
            outcome.shapes[names] = shape
            left -= members
    for name in sorted(left):
        outcome.reasons.append(Reason(ReasonCode.UNTOLD_BEFORE, name))

"""What happens around a cell that runs in this kernel: values made ready for a plain one, and what any one leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jupyter_mlops.capture.key.effects import add_effects, effects_of
from jupyter_mlops.capture.key.examination import reads_everything
from jupyter_mlops.capture.key.value_facts import reached

if TYPE_CHECKING:
    from jupyter_mlops.analysis.code.facts import CodeFacts
    from jupyter_mlops.capture.key.value_facts import ValueFacts
    from jupyter_mlops.capture.key.world import LiveWorld
    from jupyter_mlops.capture.session.hydrating import Hydrating
    from jupyter_mlops.domain.reason import Reason


def make_ready(facts: CodeFacts, world: LiveWorld, hydrator: Hydrating) -> None:
    """Make ready what a cell of this code that is not a step may read."""
    if hydrator.is_idle:
        return
    called = _called(facts, world)
    everything = reads_everything(facts, called)
    uses_libraries = everything or _uses_libraries(facts, called)
    hydrator.ready(None if everything else facts.names.reads, libraries_used=uses_libraries)


def note_effects(
    facts: CodeFacts, world: LiveWorld, bound: set[str], effects: Mapping[str, list[Reason]] | None
) -> None:
    """Note what a cell that bound these names did to libraries: `effects`, None where the cell was no step.

    What a plain cell may have changed in place is looked at again.
    """
    if effects is None:
        effects = effects_of(facts.doubts, world)
        everything = reads_everything(facts, _called(facts, world))
        world.touch(None if everything else reached(world.know, facts.names.reads) | bound)
    add_effects(world, facts, effects)


def _called(facts: CodeFacts, world: LiveWorld) -> list[ValueFacts | None]:
    """What is known of the names that code may read, also in the functions it may call."""
    return [world.know(name) for name in reached(world.know, facts.names.reads)]


def _uses_libraries(facts: CodeFacts, called: list[ValueFacts | None]) -> bool:
    return bool(facts.names.imports) or any(item is not None and (item.modules or item.dotted) for item in called)

"""Lets the world be as a result left it: names, options of libraries, generators. Values come when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.key.world import LiveWorld, Pending
from jupyter_mlops.capture.results.reuse import Reuse

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.hydrating import Hydrating

_AT_ONCE = {"environ", "timezone", "cwd", "sys.path", "locale", "decimal", "logging"}
"""State of the process itself, set as soon as a step is reused; the options of libraries wait until one is needed."""


def put_in_place(world: LiveWorld, hydrator: Hydrating, reuse: Reuse) -> None:
    """Let the world be as a result left it; values are loaded when they are needed."""
    source = reuse.source
    known: dict[str, ValueFacts] = reuse.known
    for name, item in known.items():
        group = frozenset({name, *item.shares})
        world.pend(name, Pending(item, source.id, None if item.lost else source.result, group))
    for name in source.effects.get("deleted", ()):
        world.forget(name)
    for name in source.effects.get("imports", ()):
        hydrator.imports[name] = None
    if "matplotlib" in source.effects:
        hydrator.backend = source.effects["matplotlib"]
    changed = source.effects.get("libraries", {})
    libraries.restore_libraries({name: reuse.libraries[name] for name in changed if name in _AT_ONCE})
    for library in changed.keys() - _AT_ONCE:
        world.states[library] = (changed[library], reuse.libraries.get(library, {}))
    libraries.restore_random(reuse.random)

"""Brings what a run had made into a kernel: names, options and generators as they stood before a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.key.world import Pending
from jupyter_mlops.capture.restore.restore import put_in_place
from jupyter_mlops.capture.results.reuse import Reuse, known_in, open_result
from jupyter_mlops.capture.session.events import AuthorWarned
from jupyter_mlops.domain.reason_text import phrases
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import DamagedObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_mlops.capture.session.session import Session


def attach(session: Session, runs: list[StepRun]) -> tuple[list[str], dict[str, str]]:
    """Put in place what these step runs made, in order, up to the first that did not succeed.

    Gives the names that are there now, and those that were not stored: name → why. Values are loaded when a cell reads
    them; one that was not stored is made again by its step, where what that reads is there.
    """
    lost: dict[str, str] = {}
    there: dict[str, None] = {}
    session.run.writing.drain(30.0)
    for run in runs:
        if not run.status.succeeded:
            break
        source = (
            session.run.store.steps.run(run.reused_from) if run.status is Status.REUSED and run.reused_from else run
        )
        known = known_in(source)
        _put(session, source, known)
        for name in source.effects.get("deleted", ()):
            there.pop(name, None)
        for name, item in known.items():
            there[name] = None
            lost.pop(name, None)
            session.history.producers[name] = source.step
            if source.result is None or item.lost:
                lost[name] = item.lost or phrases(source.unrepeatable) or "its result was not stored"
    session.hydrator.load_small(there)
    return list(there), {name: why for name, why in lost.items() if name in there}


def _put(session: Session, source: StepRun, known: dict[str, ValueFacts]) -> None:
    if source.result is not None:
        try:
            put_in_place(session.context.world, session.hydrator, open_result(session.run.store, source))
            return
        except (DamagedObjectError, ValueError, KeyError, AttributeError, ImportError) as error:
            session.listener.on_event(
                AuthorWarned(f"The stored result of step '{source.step}' is not used: {error}.", _AGAIN)
            )
    put_in_place(session.context.world, session.hydrator, Reuse(source, []))
    for name, item in known.items():
        session.context.world.pend(name, Pending(item, source.id, None, frozenset({name, *item.shares})))


_AGAIN = "Its step runs again when a cell reads one of its values."


def take(ids: Iterable[str]) -> None:
    """Called in a kernel that executes steps of a run ahead of their turn: put in place what these step runs made."""
    from jupyter_mlops.capture.kernel.shell import current_session

    session = current_session()
    runs = [session.run.store.steps.run(item) for item in ids]
    attach(session, sorted(runs, key=lambda run: run.position))

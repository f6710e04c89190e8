"""Continues a run: what it had finished is put in place as it was, also where no other run may reuse it.

A result that depends on the clock, the network or a generator that no one seeded belongs to the run that made it: another
run must compute it anew, but this one is the same run going on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from jupyter_mlops.capture.results.reuse import Reuse, open_if_whole, shapes_hold
from jupyter_mlops.domain.reason import Reason
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.files.digests import EXISTS

if TYPE_CHECKING:
    from jupyter_mlops.capture.key.examination import Examination
    from jupyter_mlops.capture.key.world import World
    from jupyter_mlops.store.store import Store


def may_be_taken(reasons: Iterable[Reason]) -> bool:
    """Whether a result that is not repeatable for these reasons is still whole: what it drew from the world is in it."""
    return all(reason.is_of_the_world for reason in reasons)


class Resumed:
    """What the runs `run_ids` had finished, newest run first."""

    def __init__(self, store: Store, run_ids: Iterable[str]) -> None:
        self._store = store
        self._by_key: dict[str, list[StepRun]] = {}
        self.is_whole = True
        """Whether no step was executed so far: then the generators stand as they stood in those runs."""
        self._written: set[str] = set()
        """Files these runs wrote, and no step taken so far has put in place."""
        for run_id in run_ids:
            for run in store.steps.runs(run_id=run_id):
                if not run.status.succeeded:
                    continue
                source = store.steps.run(run.reused_from) if run.status is Status.REUSED and run.reused_from else run
                self._by_key.setdefault(run.key, []).append(source)
                self._written |= set(source.effects.get("written", ()))

    def find(self, examination: Examination, world: World, accept: Callable[[StepRun], bool]) -> Reuse | None:
        """The result of the step that `examination` is of, where it had finished and nothing it read has changed since."""
        if not may_be_taken(examination.reasons):
            return None
        for run in self._by_key.get(examination.key, ()):
            taken = run.result is not None and may_be_taken(run.unrepeatable)
            if not taken or not self._holds(run, world) or not accept(run):
                continue
            reuse = open_if_whole(self._store, run)
            if reuse is None:
                continue
            self._written -= set(run.effects.get("written", ()))
            return reuse
        return None

    def _holds(self, run: StepRun, world: World) -> bool:
        """Whether files and values are as the step found them. A file that the run itself wrote later counts as it was."""
        conditions = run.conditions
        if conditions.folder not in ("", world.folder()):
            return False
        for path, digest in conditions.files.items():
            if path.removeprefix(EXISTS) not in self._written and world.file(path) != digest:
                return False
        if not run.unrepeatable and not self.is_whole:
            now = world.randoms()
            if any(now.get(name, digest) != digest for name, digest in conditions.random_before.items()):
                return False
        return shapes_hold(run, world)

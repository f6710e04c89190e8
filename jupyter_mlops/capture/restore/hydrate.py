"""Loads the values of reused steps just before code runs that may need them; where a value was not stored, its step runs.

What is made ready: the modules that reused steps had imported, the values, and the options of libraries they had set.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.doubts import SHELL_NAMES
from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.value_facts import reached
from jupyter_mlops.capture.key.world import LiveWorld, Pending
from jupyter_mlops.capture.restore.unseen import run_unseen
from jupyter_mlops.capture.session.author import warn
from jupyter_mlops.domain.reason import DAMAGED
from jupyter_mlops.errors import DamagedObjectError, NotStoredError

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.context import KernelContext
    from jupyter_mlops.capture.session.events import StepListener
    from jupyter_mlops.capture.session.project import KernelProject
    from jupyter_mlops.domain.step import StepRun

log = logging.getLogger(__name__)
SMALL_BYTES = 1 << 20
"""Results up to this size are loaded at once in a notebook that someone works in."""


class NotRestored:
    """Stands in `_` and `Out` for a value that a reused step showed: its step (`source`) runs again where it is read.

    Where the value is that of a name which is not loaded yet, `name` and `held` say so: it comes with that.
    """

    def __init__(self, step: str, source: str, name: str = "", held: Pending | None = None) -> None:
        self._step = step
        self.source = source
        self.name = name
        self.held = held

    def __repr__(self) -> str:
        return f"<the value that step '{self._step}' showed was not stored; run it with --no-cache to see it>"


class Hydrator:
    """Works on the kernel's world."""

    def __init__(self, context: KernelContext, project: KernelProject, listener: StepListener) -> None:
        self._context = context
        self._project = project
        self._listener = listener
        self.imports: dict[str, None] = {}
        """Modules that reused steps imported, and which may not be loaded yet."""
        self.backend = ""
        """What a reused step had given to `%matplotlib`, and which is not set yet."""
        self._producing: set[str] = set()
        self._shown: list[NotRestored] = []
        """What stands in the shell's history for values that are not loaded yet."""

    @property
    def _world(self) -> LiveWorld:
        return self._context.world

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be loaded or set."""
        return not (self._world.pending or self._world.states or self.imports or self.backend)

    def ready(self, names: Iterable[str] | None, *, libraries_used: bool) -> None:
        """Make ready what code needs that may read `names` (None: any) and, if so, uses libraries.

        What libraries draw from the global generators while they are imported now, they drew at another time in a run
        from the top: the generators stay as they are.
        """
        if self.is_idle:
            return
        generators = libraries.random_states(list(libraries.random_digests()))
        try:
            self._ready(names, libraries_used)
        finally:
            libraries.restore_random(generators)

    def _ready(self, names: Iterable[str] | None, libraries_used: bool) -> None:
        world = self._world
        if libraries_used:
            self._import()
            if self.backend:
                backend, self.backend = self.backend, ""
                self._context.shell.run_line_magic("matplotlib", backend)
        if world.pending:
            needed = set(world.pending) if names is None else reached(world.know, names) & set(world.pending)
            self._load(needed)
        if libraries_used and world.states:
            states = {name: value for name, (_, value) in world.states.items()}
            world.states.clear()
            libraries.restore_libraries(states)

    def load_small(self, names: Iterable[str]) -> None:
        """In a notebook that someone works in, load small values at once, so that they are there to look at."""
        if self._context.is_job:
            return
        small = self._small(names)
        if small:
            self.ready(small, libraries_used=True)

    def _small(self, names: Iterable[str]) -> set[str]:
        """Those of `names` that are pending and take little to load."""
        found: set[str] = set()
        for name in names:
            pending = self._world.pending.get(name)
            if pending is not None and pending.result is not None and self._stored(pending).nbytes <= SMALL_BYTES:
                found.add(name)
        return found

    def _import(self) -> None:
        for name in list(self.imports):
            del self.imports[name]
            try:
                importlib.import_module(name)
            except ImportError as error:
                log.info("%s, imported by a reused step, cannot be imported now: %s", name, error)

    def _load(self, needed: set[str]) -> None:
        """Load the groups of these names, lost ones by running the step that made them."""
        world = self._world
        for name in sorted(needed):
            pending = world.pending.get(name)
            if pending is None:
                continue
            if pending.result is None:
                self._produce(name, pending)
                continue
            try:
                self._bind(pending)
            except DamagedObjectError as error:
                self._make_again(name, pending, error.message)
            except Exception as error:  # noqa: BLE001 - unpickling runs the code of foreign types, which may raise anything
                self._make_again(name, pending, f"it cannot be read back ({type(error).__name__}: {error}).")

    def _make_again(self, name: str, pending: Pending, why: str) -> None:
        """A stored value cannot be had: tell, let no one take it again, and run the step that made it."""
        warn(self._listener, f"The stored value of '{name}' is not used: {why}", "The step that made it runs again.")
        self._project.store.steps.update_run(pending.source, unrepeatable=DAMAGED)
        self._produce(name, pending)

    def _bind(self, pending: Pending) -> None:
        world = self._world
        wanted = [name for name in pending.group if _is(world.pending.get(name), pending)]
        for module in sorted({module for name in wanted for module in world.pending[name].known.modules}):
            if module not in ("__main__", "builtins"):
                self._try_import(module)
        loaded = self._stored(pending).load(wanted)
        for name in wanted:
            world.loaded(name, loaded[name], world.pending[name].known)
            for place in [place for place in self._shown if place.name == name and _is(place.held, pending)]:
                self._put_shown(place, loaded[name])

    def _stored(self, pending: Pending) -> Any:
        from jupyter_mlops.capture.values import Values

        return Values.open(self._project.store.objects, str(pending.result), self._world.namespace)

    @staticmethod
    def _try_import(module: str) -> None:
        try:
            importlib.import_module(module)
        except ImportError as error:
            log.debug("%s cannot be imported: %s", module, error)

    def _produce(self, name: str, pending: Pending) -> None:
        """Run the step that made a lost value again, unseen; what it reads must be as it was then."""
        self._again(self._project.store.steps.run(pending.source), name)
        if name not in self._world.namespace:
            raise NotStoredError(
                f"'{name}' was not stored, and running its step again did not create it.", _FROM_THE_TOP
            )

    def _again(self, run: StepRun, name: str) -> Any:
        """Run a step's code on the same values as in `run`, unseen; gives what it would have shown last."""
        world = self._world
        if run.id in self._producing:
            raise NotStoredError(f"'{name}' cannot be recomputed: its own step needs it.", _FROM_THE_TOP)
        self._producing.add(run.id)
        try:
            for item, made in run.inputs.items():
                known = world.know(item)
                if known is None or known.digest != made.digest:
                    raise NotStoredError(
                        f"'{name}' of step '{run.step}' was not stored, and something that step reads has changed since "
                        f"('{item}').",
                        f"Run step '{run.step}' again first.",
                    )
            for other in [item for item, held in world.pending.items() if held.source == run.id]:
                del world.pending[other]
            self.ready([*run.inputs], libraries_used=True)
            shown = run_unseen(self._context.shell, self._project.store.steps.source(run))
            world.touch({*run.inputs, *run.known})
            return shown
        finally:
            self._producing.discard(run.id)

    def showed(self, source: StepRun) -> None:
        """A step was reused that had shown something: put it, or what stands for it, into `_` and `Out`."""
        name, world = source.effects["result"], self._world
        place: Any = NotRestored(source.step, source.id)
        if isinstance(name, str) and name in world.namespace:
            place = world.namespace[name]
        elif isinstance(name, str) and name in world.pending:
            place = NotRestored(source.step, source.id, name, world.pending[name])
            self._shown.append(place)
        self._context.shell.displayhook.update_user_ns(place)

    def has_shown(self, names: set[str]) -> bool:
        """Whether the history holds something of the values of `names` that are not loaded yet."""
        pending = self._world.pending
        return any(place.name in names and _is(pending.get(place.name), place.held) for place in self._shown)

    def show(self, facts: CodeFacts) -> bool:
        """Put in `_` and `Out` what reused steps had shown, where code may read it: these steps run again, unseen.

        Gives whether any did.
        """
        read = {name for name in facts.names.reads if name in SHELL_NAMES or name.startswith("_")}
        if not read:
            return False
        namespace = self._world.namespace
        out = namespace.get("Out", {})
        shown = [namespace.get(name) for name in sorted(read)]
        if read & {"Out", "_oh"}:
            shown += list(out.values())
        places = {id(item): item for item in shown if isinstance(item, NotRestored)}
        for place in places.values():
            try:
                self._put_shown(place, self._shown_by(place))
            except (NotStoredError, DamagedObjectError) as error:
                warn(self._listener, error.message, error.hint)
        return bool(places)

    def _shown_by(self, place: NotRestored) -> Any:
        """What a reused step had shown: the value of a name as the step left it, or made again."""
        if place.held is None or place.held.result is None:
            return self._again(self._project.store.steps.run(place.source), "_")
        if _is(self._world.pending.get(place.name), place.held):
            self._load({place.name})
            return self._world.namespace[place.name]
        return self._stored(place.held).load([place.name])[place.name]  # the name has been bound anew since

    def _put_shown(self, place: NotRestored, value: object) -> None:
        self._shown = [other for other in self._shown if other is not place]
        # Both have a `_` of their own, and take a difference for the notebook having bound that name itself.
        shell, namespace = self._context.shell, self._world.namespace
        for held in (namespace, namespace.get("Out", {}), vars(shell.displayhook), shell.user_ns_hidden):
            for key in [key for key, item in held.items() if item is place]:
                held[key] = value


_FROM_THE_TOP = "Run the notebook from the top."


def _is(held: Pending | None, pending: Pending | None) -> bool:
    return held is not None and pending is not None and held.source == pending.source and held.group == pending.group

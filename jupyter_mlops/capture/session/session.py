"""One kernel's view: which notebook and run it works for, what its cells bound and changed, and the store, opened late."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.pipeline.cells import StepCell, cells_of
from jupyter_mlops.analysis.pipeline.links import later_reads
from jupyter_mlops.analysis.pipeline.shown import reads_shown
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.effects import add_effects, effects_of
from jupyter_mlops.capture.key.examination import reads_everything
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.capture.key.value_facts import reached
from jupyter_mlops.capture.key.world import LiveWorld
from jupyter_mlops.capture.observe.threads import ConcurrentWork
from jupyter_mlops.capture.session.events import AuthorWarned, StepListener
from jupyter_mlops.capture.session.hydrating import Hydrating
from jupyter_mlops.capture.session.notebook import NotebookView, sent_position
from jupyter_mlops.capture.session.owners import Owners
from jupyter_mlops.capture.session.rewriters import has_rewriters
from jupyter_mlops.domain.reason import Reason
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun, cell_label
from jupyter_mlops.domain.variables import KernelTask
from jupyter_mlops.errors import NotStoredError
from jupyter_mlops.secrets.known import redact
from jupyter_mlops.store.files.notebooks import parse_notebook, read_bytes

if TYPE_CHECKING:
    from jupyter_mlops.capture.key.value_facts import ValueFacts
    from jupyter_mlops.capture.results.resume import Resumed
    from jupyter_mlops.capture.results.saver import Saver
    from jupyter_mlops.domain.run import TrackedAt
    from jupyter_mlops.store.store import Store

LIVE = "(no notebook)"
_NEEDED = ("jupyter_mlops.capture.results.saver", "jupyter_mlops.capture.step.execution", "jupyter_mlops.store.store")


class Session:
    """Made when the extension is loaded; costs nothing until the first step."""

    def __init__(
        self,
        shell: Any,
        listener: StepListener,
        tracked_at: Callable[[Path], TrackedAt],
        hydrator_of: Callable[[Session], Hydrating],
    ) -> None:
        libraries.begin()
        self.shell = shell
        self.listener = listener
        self._tracked_at = tracked_at
        self.modules = LocalModules().install()
        self.world = LiveWorld(shell.user_ns, shell.user_ns_hidden)
        self.hydrator = hydrator_of(self)
        self.world.load = lambda names: self.hydrator.ready(names, libraries_used=False)
        self.view = NotebookView(self)
        self.beside = ConcurrentWork()
        self.producers: dict[str, str] = {}
        self.unseeded = {libraries.random_digests()["random"]}
        """Digests of states of `random` that no cell has set."""
        self.owners = Owners(self.view, self._cell_of)
        self.task = KernelTask.of_environment(os.environ)
        self.is_job = bool(self.task.run_id)
        """Whether the engine started this kernel."""
        self.capture_all = self.task.captures_all
        """Whether cells that no one named are steps too."""
        self.forced = frozenset(self.task.forced)
        """Names of steps that run whatever could be reused; "*" stands for all."""
        self._positions = 0
        self._path: tuple[Path | None, ...] = ()
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._saver: Saver | None = None
        self.owed = 0.0
        """Seconds that the longest step of a job took whose result may not be written yet."""
        self.begun_run: str | None = None
        """The run this kernel works for; None before its first step."""
        self.output_limit: int | None = None
        self._resumed: Resumed | None = None
        self._undescribed: str | None = None
        self._last: dict[tuple[str, str], StepRun | None] = {}
        self._recorded: tuple[str, Callable[[str], StepRun | None]] = ("", lambda _: None)
        """A notebook, and what gives the newest runs of its steps from before this session."""

    @property
    def namespace(self) -> dict[str, Any]:
        """The shell's names."""
        namespace: dict[str, Any] = self.shell.user_ns
        return namespace

    @property
    def notebook_path(self) -> Path | None:
        """The live notebook's file, as Jupyter, VS Code or the engine tell it; None where no one does.

        Asking the system lets other threads go first: it is done once per cell.
        """
        found = self._path
        if not found:
            found = self._path = (self._find_notebook(),)
        return found[0]

    def _find_notebook(self) -> Path | None:
        if self.task.notebook:
            return Path(self.task.project, self.task.notebook)
        for name in (os.environ.get("JPY_SESSION_NAME"), self.namespace.get("__vsc_ipynb_file__")):
            if isinstance(name, str) and name.endswith(".ipynb") and Path(name).is_file():
                return Path(name)
        return None

    @property
    def start_folder(self) -> Path:
        """The folder the project is looked up from."""
        path = self.notebook_path
        return Path(self.task.project) if self.task.project else path.parent if path is not None else Path.cwd()

    def forces(self, step: str) -> bool:
        """Whether a step is to run whatever could be reused."""
        return not self.forced.isdisjoint((step, "*"))

    @property
    def has_store(self) -> bool:
        """Whether the project's store is open."""
        return self._store is not None

    @property
    def store(self) -> Store:
        """The project's store; opened, and made where it is missing, on first use."""
        with self._opening:
            if self._store is None:
                from jupyter_mlops.store.store import Store

                self._store = Store.open(self.start_folder)
            return self._store

    @property
    def saver(self) -> Saver:
        """The thread that writes results."""
        if self._saver is None:
            from jupyter_mlops.capture.results.saver import Saver

            self._saver = Saver(self.store, self.namespace)
        return self._saver

    @property
    def notebook(self) -> str:
        """The notebook as the index names it."""
        if self.task.notebook:
            return self.task.notebook
        path = self.notebook_path
        return self.store.relative(path) if path is not None else LIVE

    @property
    def run_id(self) -> str:
        """The run this kernel works for: the engine's, else a session's own, made with its first step."""
        if self.begun_run is None:
            self.begun_run = self.task.run_id or self._new_run()
        return self.begun_run

    @property
    def resumed(self) -> Resumed | None:
        """What the runs that this kernel's run continues had finished."""
        if self.is_job and self.task.resumes and self._resumed is None:
            from jupyter_mlops.capture.results.resume import Resumed

            self._resumed = Resumed(self.store, self.task.resumes)
        return self._resumed

    def _new_run(self) -> str:
        from jupyter_mlops.domain.run import Run, RunKind

        store = self.store
        now = store.now()
        made = store.new_id(), 0, RunKind.SESSION, self.notebook, Status.PENDING
        run = Run(*made, tracked_at=self._tracked_at(store.root), created_at=now)
        store.runs.create(run)
        store.runs.start(run.id, now=now)
        self._undescribed = run.id
        return run.id

    def _describe(self, run_id: str) -> None:
        """Record where the session comes from: notebook, parameters, git, environment. Takes its time, behind the cell."""
        from jupyter_mlops.store.project.provenance import git_tags, keep_environment

        store, path = self.store, self.notebook_path
        known: dict[str, Any] = {
            "tags": git_tags(self.start_folder),
            "environment": keep_environment(store.objects),
        }
        if path is not None:
            from jupyter_mlops.analysis.parameters.declared import parameters_of

            data = read_bytes(path)
            known["notebook_object"] = store.objects.put(data)
            declared = parameters_of(cells_of(parse_notebook(data, path.name)))
            known["parameters"] = {
                item.name: redact(self.namespace[item.name])
                for item in declared
                if isinstance(self.namespace.get(item.name), (bool, int, float, str))
            }
        store.runs.update(run_id, told_at=store.now(), **known)

    def tell_notices(self) -> None:
        """Show the author what went wrong behind the cells; a job's notebook shows only what its cells show."""
        if self._saver is None or self.is_job:
            return
        while self._saver.notices:
            self.listener.on_event(AuthorWarned(*self._saver.notices.pop(0)))

    def stir(self) -> None:
        """A cell begins or ends."""
        self._path = ()
        self.view.look_again()
        if self._saver is not None:
            self._saver.stir()

    def settle_debt(self) -> None:
        """Before a job's next step is executed: wait a moment for what took long to be written, should this one be killed."""
        owed, self.owed = self.owed, 0.0
        if owed:
            self.drain(min(0.4, owed / 20))

    def drain(self, timeout: float) -> bool:
        """Wait until all results are written."""
        return True if self._saver is None else self._saver.drain(timeout)

    def close(self) -> None:
        """End a session's own run when the kernel ends in good order."""
        if self._store is not None and self.begun_run is not None and not self.is_job:
            self.drain(60.0)
            self._store.runs.finish(self.begun_run, Status.COMPLETED, now=self._store.now())

    def warm(self) -> None:
        """Import what the first step will need, beside the kernel's own work."""
        if all(name in sys.modules for name in _NEEDED):
            return
        threading.Thread(target=_import_needed, name="jupyter-mlops-warm", daemon=True).start()

    def next_position(self) -> int:
        """A number for the next step run: its cell's place where the engine says it, else one more than the last."""
        self._positions = sent_position(self.shell) or self._positions + 1
        return self._positions

    @property
    def display_mode(self) -> str:
        """How the shell shows results: part of every key."""
        return f"{self.shell.ast_node_interactivity} {type(self.shell).__name__}"

    @property
    def runs_code_as_it_stands(self) -> bool:
        """Whether no one but us rewrites cells before they run."""
        return not has_rewriters(self.shell)

    def last_of(self, notebook: str, step: str) -> StepRun | None:
        """The newest run of a step."""
        if (notebook, step) not in self._last:
            if self._recorded[0] != notebook:
                self._recorded = notebook, self.store.steps.last_by_need(notebook)
            self._last[notebook, step] = self._recorded[1](step)
        return self._last[notebook, step]

    def _cell_of(self, step: str) -> str | None:
        """The cell that a step was when it last ran."""
        last = self.last_of(self.notebook, step)
        return None if last is None else last.cell_id

    def remember_last(self, step_run: StepRun) -> None:
        """Note the newest run of a step."""
        self._last[step_run.notebook, step_run.step] = step_run

    def before_plain(self, facts: CodeFacts) -> None:
        """Make ready what a cell that is not a step may read."""
        self.hydrator.show(facts)
        if self._saver is not None:
            self._saver.secure()
        if self.hydrator.is_idle:
            return
        everything = reads_everything(facts, self._called(facts))
        names = None if everything else facts.names.reads
        self.hydrator.ready(names, libraries_used=everything or self._uses_libraries(facts))

    def _called(self, facts: CodeFacts) -> list[ValueFacts | None]:
        """What is known of the names that code may read, also in the functions it may call."""
        return [self.world.know(name) for name in reached(self.world.know, facts.names.reads)]

    def _uses_libraries(self, facts: CodeFacts) -> bool:
        known = self._called(facts)
        return bool(facts.names.imports) or any(item is not None and (item.modules or item.dotted) for item in known)

    def later_reads(self, step: StepCell, names: set[str]) -> bool:
        """Whether a cell below `step` may read one of `names`."""
        found = later_reads(self.view.steps(), self.view.place(step))
        return EVERYTHING in found or bool(reached(self.world.know, found) & names)

    def later_shows(self, step: StepCell) -> bool:
        """Whether a cell below `step` may read what `step` shows, as `_` or `Out`."""
        return reads_shown(self.view.steps()[self.view.place(step) + 1 :])

    def run_unseen(self, code: str) -> Any:
        """Run code as a cell of which nothing shows; gives what it would have shown last. Raises `NotStoredError`."""
        from IPython.utils.capture import capture_output

        shown: list[Any] = []
        trap = self.shell.display_trap
        hook, trap.hook = trap.hook, shown.append
        try:
            with capture_output():
                result = self.shell.run_cell(code, store_history=False)
        finally:
            trap.hook = hook
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            raise NotStoredError(
                f"A value that was not stored cannot be recomputed: {type(error).__name__}: {error}",
                "Run the notebook from the top.",
            )
        return shown[-1] if shown else None

    def settle(self, names: Iterable[str]) -> None:
        """In a notebook that someone works in, load small values at once, so that they are there to look at."""
        if self.is_job:
            return
        small = self.hydrator.small(names)
        if small:
            self.hydrator.ready(small, libraries_used=True)

    def cell_ended(
        self, facts: CodeFacts, name: str, bound: set[str], effects: Mapping[str, list[Reason]] | None
    ) -> None:
        """Note what a cell (a step called `name`, or "") left behind: who bound which name, and effects on libraries
        (None where the cell was no step)."""
        undescribed, self._undescribed = self._undescribed, None
        if undescribed is not None:
            self.saver.do(lambda: self._describe(undescribed))
        label = name or cell_label(facts.digest)
        for item in bound:
            self.producers[item] = label
        self.modules.look()
        if effects is None:
            effects = effects_of(facts.doubts, self.world)
            everything = reads_everything(facts, self._called(facts))
            names = None if everything else reached(self.world.know, facts.names.reads) | bound
            self.world.touch(names)
        add_effects(self.world, facts, effects)


def _import_needed() -> None:
    for name in _NEEDED:
        importlib.import_module(name)

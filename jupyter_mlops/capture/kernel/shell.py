"""The one mechanism in the kernel: an input transformer takes `%%step` off, shell hooks record before and after, and a
reuse replaces the cell's code by its restoration. The cell itself is run by IPython as ever."""

from __future__ import annotations

import ast
import importlib
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.facts import CodeFacts, cell_facts
from jupyter_mlops.analysis.pipeline.cells import MAGIC, StepCell, spec_from_tags, split_magic
from jupyter_mlops.analysis.pipeline.step_options import spec_named
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.kernel.plain_cells import make_ready, note_effects
from jupyter_mlops.capture.restore.hydrate import Hydrator
from jupyter_mlops.capture.session.author import warn
from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.capture.session.history import CellHistory
from jupyter_mlops.capture.session.later import LaterReads
from jupyter_mlops.capture.session.notebook import NotebookView, parent_metadata, sent_metadata, sent_tags
from jupyter_mlops.capture.session.owners import Owners
from jupyter_mlops.capture.session.policy import CapturePolicy
from jupyter_mlops.capture.session.run import RunHandle
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.capture.step.outcome import names_bound
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.reason import Reason
from jupyter_mlops.domain.step_spec import StepSpec, cell_label
from jupyter_mlops.domain.variables import KernelTask
from jupyter_mlops.errors import InputError, MLOpsError, RunError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

    from jupyter_mlops.capture.session.events import StepListener
    from jupyter_mlops.capture.step.execution import StepExecution
    from jupyter_mlops.domain.run import TrackedAt

log = logging.getLogger(__name__)
_RESTORE = f"__import__({__name__!r}, fromlist=['_']).restore()"
_OURS = re.compile(r"(%mlops\b.*|%(re|un)?load_ext\s+jupyter_mlops|#.*)?")
"""Lines that only steer this extension: asked of each line by itself, as one expression for all would try each way to cut
empty lines apart.
"""
_NEEDED = ("jupyter_mlops.capture.results.saver", "jupyter_mlops.capture.step.execution", "jupyter_mlops.store.store")
_CALLS = re.compile(r"[(@%!/]|\bimport\b")
"""In code that calls anything by its own words: native code may then have changed the working folder."""
_sessions: list[ShellHooks] = []


def open_session(
    shell: InteractiveShell,
    listener_of: Callable[[InteractiveShell, RunHandle], StepListener],
    tracked_at: Callable[[Path], TrackedAt],
) -> Session:
    """A kernel's session, and what gives its cells the values of reused steps.

    `listener_of` makes who is told what happens; `tracked_at` is asked where a run that is made in a project is to be
    tracked.
    """
    context = KernelContext(shell, KernelTask.of_environment(os.environ))
    run = RunHandle(context, tracked_at)
    listener = listener_of(shell, run)
    hydrator = Hydrator(context, run.project, listener)
    context.world.load = lambda names: hydrator.ready(names, libraries_used=False)
    history, view = CellHistory(shell, run), NotebookView(context, run)
    return Session(
        context=context,
        run=run,
        history=history,
        view=view,
        owners=Owners(view, history.cell_of),
        later=LaterReads(view, context.world, hydrator),
        policy=CapturePolicy(context.task),
        hydrator=hydrator,
        listener=listener,
    )


def import_ahead() -> None:
    """Import what the first step will need, beside the kernel's own work."""
    if all(name in sys.modules for name in _NEEDED):
        return
    threading.Thread(target=_import_needed, name="jupyter-mlops-warm", daemon=True).start()


def _import_needed() -> None:
    for name in _NEEDED:
        importlib.import_module(name)


class ShellHooks(ast.NodeTransformer):
    """Ties a session to a shell. `install` and `remove` are each other's inverse."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shell = session.context.shell
        self._depth = 0
        self._execution: StepExecution | None = None
        self._facts: CodeFacts | None = None
        self._is_interrupted = False
        """Whether the cell was to be stopped while it was looked at, before it began."""
        self._names_before: dict[str, Any] = {}
        self._thread = threading.get_ident()

    def install(self) -> None:
        """Hook into the shell."""
        self.session.owners.heard(parent_metadata(self.shell))
        self.shell.input_transformers_cleanup.insert(0, strip_magic)
        self.shell.ast_transformers.append(self)
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.after_cell)
        _sessions.append(self)

    def remove(self) -> None:
        """Leave the shell as it was."""
        self.shell.input_transformers_cleanup.remove(strip_magic)
        self.shell.ast_transformers.remove(self)
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.after_cell)
        _sessions.remove(self)

    def before_cell(self, info: ExecutionInfo) -> None:
        """Before any cell. A failure of ours never keeps a cell from running: it is told, and the cell runs plainly."""
        if threading.get_ident() != self._thread:
            return
        self._depth += 1
        if self._depth > 1:
            return
        self._execution, self._facts, self._is_interrupted = None, None, False
        self.session.stir()
        # In the trap `get_ipython` is a builtin, as in a cell: a library imported here must find itself in a notebook.
        with self.shell.builtin_trap:
            self._before(info)

    def _look_beside(self) -> None:
        """Before and after each cell: values may have changed by what goes on, or did when this was asked last."""
        context = self.session.context
        if context.beside.look(self.shell) or context.world.has_last_words:
            context.world.touch(None)

    def _before(self, info: ExecutionInfo) -> None:
        try:
            try:
                spec, code = split_magic(info.raw_cell or "")
            except InputError:
                return  # the input transformer has told, and IPython will not run the cell
            self._tell_notices()
            self._look_beside()
            facts = self._facts = cell_facts(code)
            sent = sent_metadata(info, self.shell)
            self.session.owners.heard(sent)
            spec = spec or self._spec(info, code, facts, sent)
            if spec is not None:
                self._begin_step(spec, code, facts, info)
            else:
                self._claim(info.cell_id, None, facts)
                self._begin_plain(facts)
            self._names_before = dict(self.session.context.namespace)
        except SyntaxError:
            pass  # IPython is about to say so
        except KeyboardInterrupt:
            # IPython would print that a callback failed, and go on with the cell that was to be stopped.
            self._abandon()
            self._is_interrupted = True
        except MLOpsError as error:
            self._give_up(error.message, error.hint)
        except Exception as error:
            log.debug("A step could not be recorded", exc_info=True)
            self._give_up(f"This step is not recorded: {type(error).__name__}: {error}", "The cell runs as usual.")

    def _spec(self, info: ExecutionInfo, code: str, facts: CodeFacts, sent: dict[str, Any]) -> StepSpec | None:
        """What the cell's tags ask for; where all cells are captured, any cell but one that only steers us."""
        tags, name = sent_tags(sent)
        if tags is None:
            tags = () if self.session.context.is_job else self.session.view.tags(info.cell_id)
        spec = spec_from_tags(tags)
        if spec is not None or not self.session.policy.capture_all or only_steers(code) or _is_empty(facts):
            return spec
        return spec_named(name or self.session.view.step_name(info.cell_id, facts), tags, named=False)

    def _begin_step(self, spec: StepSpec, code: str, facts: CodeFacts, info: ExecutionInfo) -> None:
        from jupyter_mlops.capture.step.execution import StepExecution

        cell = Cell(-1, info.cell_id or "", "code", info.raw_cell or "")
        refused = self._claim(info.cell_id, spec, facts)
        self._execution = StepExecution(self.session, StepCell(cell, spec, code), facts, refused)
        self._execution.before()

    def _begin_plain(self, facts: CodeFacts) -> None:
        session = self.session
        session.hydrator.show(facts)
        session.run.writing.secure()
        make_ready(facts, session.context.world, session.hydrator)

    def _claim(self, cell_id: str | None, spec: StepSpec | None, facts: CodeFacts) -> MLOpsError | None:
        """The error where the step's name is another cell's. A job's notebook was looked at when it was asked for."""
        if self.session.context.is_job:
            return None
        name = spec.name if spec is not None and spec.named else None
        return self.session.owners.claim(cell_id, name, facts.digest)

    def _tell_notices(self) -> None:
        for message, hint in self.session.run.writing.notices():
            warn(self.session.listener, message, hint)

    def _give_up(self, message: str, hint: str) -> None:
        self._abandon()
        warn(self.session.listener, message, hint)

    def _abandon(self) -> None:
        if self._execution is not None:
            self._execution.abandon()
            self._execution = None

    def visit(self, node: ast.AST) -> ast.AST:
        """As an AST transformer: put the restoration in place of a cell whose result is reused."""
        if self._is_interrupted and self._depth == 1:
            return ast.parse(_RESTORE)
        execution = self._execution
        if self._depth != 1 or execution is None or execution.placed or not execution.is_replaced:
            return node
        execution.placed = True
        return ast.parse(_RESTORE)

    def restore(self) -> None:
        """What the replaced cell calls. Raises `BadStepLine` where the step's claims are contradicted."""
        if self._is_interrupted:
            self._is_interrupted = False
            raise _Interrupt
        execution = self._execution
        assert execution is not None
        if execution.refused is not None:
            raise BadStepLine(execution.refused)
        execution.restore()

    def after_cell(self, result: ExecutionResult) -> None:
        """After any cell."""
        if threading.get_ident() != self._thread or self._depth == 0:
            return
        try:
            if self._depth == 1:
                with self.shell.builtin_trap:
                    self._after(result)
                self.session.stir()
        finally:
            self._depth -= 1

    def _after(self, result: ExecutionResult) -> None:
        execution, facts = self._execution, self._facts
        self._execution = None
        self._look_beside()
        if result.info is None or _CALLS.search(result.info.raw_cell or ""):
            libraries.cell_ended()
        try:
            effects: Mapping[str, list[Reason]] | None = None
            if execution is not None:
                bound = execution.after(result)
                effects = execution.effects
                self._refuse(execution, result)
            else:
                bound, _ = names_bound(self.session.context.world, self._names_before)
            if facts is not None:
                self._note(facts, execution.step.spec.name if execution else cell_label(facts.digest), bound, effects)
        except KeyboardInterrupt:
            self._not_recorded(execution, "it was interrupted just after it had ended")
        except Exception as error:
            log.debug("A step could not be recorded", exc_info=True)
            self._not_recorded(execution, f"{type(error).__name__}: {error}")
        finally:
            self._names_before = {}

    def _note(self, facts: CodeFacts, label: str, bound: set[str], effects: Mapping[str, list[Reason]] | None) -> None:
        """Note what a cell, known by `label`, left behind."""
        session = self.session
        session.run.describe()
        session.history.bound(bound, label)
        session.context.modules.look()
        note_effects(facts, session.context.world, bound, effects)

    def _not_recorded(self, execution: StepExecution | None, why: str) -> None:
        if execution is not None:
            execution.abandon()
        warn(
            self.session.listener,
            f"This step ran, but was not recorded: {why}",
            "Its result is in the kernel, but will not be reused.",
        )

    def _refuse(self, execution: StepExecution, result: ExecutionResult) -> None:
        """Let a cell fail whose claims about its outputs turned out wrong when it had run."""
        if execution.refused is None or result.error_in_exec is not None or result.error_before_exec is not None:
            return
        error = (StepTimedOut if isinstance(execution.refused, RunError) else BadStepLine)(execution.refused)
        result.error_in_exec = error
        self.shell.showtraceback((type(error), error, None))


class _Interrupt(KeyboardInterrupt):
    """The cell was interrupted before its first line: IPython shows no traceback of ours."""

    def _render_traceback_(self) -> list[str]:
        return ["KeyboardInterrupt: "]


_Interrupt.__name__ = KeyboardInterrupt.__name__


class BadStepLine(Exception):
    """A bad `%%step` line: IPython shows its two lines and no traceback."""

    def __init__(self, error: MLOpsError) -> None:
        super().__init__(error.message)
        self.error = error

    def _render_traceback_(self) -> list[str]:
        return [f"Error: {self.error.message}", f"Hint: {self.error.hint}"]


class StepTimedOut(BadStepLine):
    """A step took longer than its `--timeout`; who executes the notebook knows it by this name."""


def only_steers(code: str) -> bool:
    """Whether a cell does nothing but steer this extension."""
    return all(_OURS.fullmatch(line.strip()) for line in code.split("\n"))


def strip_magic(lines: list[str]) -> list[str]:
    """The input transformer: takes a `%%step` line off. Raises `BadStepLine`."""
    if not any(line.startswith(MAGIC) for line in lines[:3]):
        return lines
    try:
        spec, code = split_magic("".join(lines))
    except InputError as error:
        raise BadStepLine(error) from None
    return lines if spec is None else code.splitlines(keepends=True)


def _is_empty(facts: CodeFacts) -> bool:
    return facts.digest == cell_facts("").digest


def current_session() -> Session:
    """The session of this kernel."""
    return _sessions[-1].session


def restore() -> None:
    """Called in place of a reused cell's code."""
    _sessions[-1].restore()


@contextmanager
def cells_within(session: Session) -> Iterator[None]:
    """While a cell of ours runs other cells (`%mlops run`): each of them counts as if it were run by hand."""
    hooks = next(item for item in _sessions if item.session is session)
    kept = hooks._depth, hooks._execution, hooks._facts
    hooks._depth, hooks._execution, hooks._facts = 0, None, None
    try:
        yield
    finally:
        hooks._depth, hooks._execution, hooks._facts = kept
        hooks._names_before = dict(session.context.namespace)

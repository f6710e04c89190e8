"""Completes `%mlops ...` and `%%step ...` lines, as a matcher of IPython's completer: with Jedi or without it.

It opens no store that is not there, loads no value, and a failure of ours leaves completion to the others.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import MAGIC as STEP_MAGIC
from jupyter_mlops.store.project.folder import find_project, place_file

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.context import KernelContext
    from jupyter_mlops.capture.session.notebook import NotebookView
    from jupyter_mlops.capture.session.run import RunHandle
    from jupyter_mlops.capture.session.session import Session
    from jupyter_mlops.store.store import Store

log = logging.getLogger(__name__)
_VERBS = re.compile(r"\s*(?:[\w, ]+=\s*)?%mlops\s+(.*)\Z", re.DOTALL)
_STEP = re.compile(rf"{STEP_MAGIC}\s+(.*)\Z", re.DOTALL)
_MOST = 200
"""So many runs are offered."""
_PRIORITY = 100
"""Before IPython's own: where we know the answer, Jedi need not look for Python in the line."""
_FILES = "IPCompleter.file_matcher"
_Found = tuple[str, list[tuple[str, str]]]
"""What is replaced, and what may stand there, each with its kind."""


class _Nothing(list[Any]):
    """No completions, which count as some: IPython lets a matcher without any keep none of the others from guessing."""

    def __len__(self) -> int:
        return 1


def add_matcher(completer: Any, session: Session) -> Callable[[], None]:
    """Let IPython's completer know our lines; gives what takes the matcher away again."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    names = KernelNames(session.context, session.run, session.view)

    def matcher(context: Any) -> dict[str, Any]:
        try:
            answer = _complete(context.text_until_cursor, context.full_text, names)
        except Exception:  # names of the notebook's own are looked at, and completion must never fail
            log.debug("A line could not be completed", exc_info=True)
            answer = None
        if answer is None:
            return {"completions": []}
        fragment, candidates = answer
        completions = [SimpleCompletion(text=text, type=kind) for text, kind in candidates]
        told = {"completions": completions, "matched_fragment": fragment, "ordered": True, "suppress": True}
        return told if candidates else {**told, "completions": _Nothing(), "do_not_suppress": {_FILES}}

    ours = context_matcher(identifier="jupyter_mlops", priority=_PRIORITY)(matcher)
    completer.custom_matchers.append(ours)
    return lambda: completer.custom_matchers.remove(ours)


def _complete(line: str, cell: str, names: KernelNames) -> _Found | None:
    """What to say of a line; None where it is none of ours."""
    if len(line) > 1 and STEP_MAGIC.startswith(line):
        return line, [(STEP_MAGIC, "magic")]
    verbs, step = _VERBS.match(line), _STEP.match(line)
    if verbs is not None:
        return _complete_verbs(verbs[1], names)
    return None if step is None else _complete_step(step[1], cell, names)


def _complete_verbs(line: str, names: KernelNames) -> _Found:
    from jupyter_mlops.verbs.completion import complete, split_last
    from jupyter_mlops.verbs.framework.verb import MAGIC

    words, begun = split_last(line)
    return begun, [(each.text, each.kind) for each in complete(words, begun, MAGIC, names)]


def _complete_step(line: str, cell: str, names: KernelNames) -> _Found:
    from jupyter_mlops.analysis.pipeline.step_completion import complete_step
    from jupyter_mlops.verbs.completion import split_last

    words, begun = split_last(line)
    fragment, found = complete_step(words, begun, cell, names)
    return fragment, [(text, "option" if text.startswith("--") else "name") for text in found]


class KernelNames:
    """Names that this kernel knows: of its notebook, its namespace, and its project's record."""

    def __init__(self, context: KernelContext, run: RunHandle, view: NotebookView) -> None:
        self._context = context
        self._run = run
        self._view = view

    def steps(self) -> Iterable[str]:
        """Names of steps: those of the notebook in their order, named ones first, then what else is on record."""
        steps = [step.spec for step in self._view.steps()]
        names = [step.name for step in sorted(steps, key=lambda step: not step.named)]
        store = self._store()
        recorded = [] if store is None else store.steps.names(self._run.notebook)
        return dict.fromkeys([*names, *recorded])

    def runs(self) -> Iterable[str]:
        """Numbers of runs, newest first."""
        store = self._store()
        return [] if store is None else map(str, store.runs.newest_numbers(limit=_MOST))

    def versions(self, step: str) -> Iterable[str]:
        """Versions of a step of this notebook, newest first."""
        store = self._store()
        if store is None:
            return []
        found = store.steps.versions(step, self._run.notebook)
        return [f"v{version.number}" for version in reversed(found)]

    def notebooks(self, begun: str) -> Iterable[str]:
        """Notebooks and folders in the folder that `begun` leads to."""
        before, slash, _ = begun.rpartition("/")
        folder = self._context.start_folder / Path(before + slash).expanduser()
        with os.scandir(folder) as entries:
            shown = sorted(entry.name + "/" * entry.is_dir() for entry in entries if entry.name[:1] != ".")
        return [f"{before}{slash}{name}" for name in shown if name.endswith((".ipynb", "/"))]

    def kinds(self) -> Iterable[str]:
        """What the notebook's steps say of their kind."""
        return [step.spec.kind for step in self._view.steps() if step.spec.kind]

    def numbers(self) -> Iterable[str]:
        """Names that hold a number."""
        return self._holding(lambda kind: issubclass(kind, Real) and not issubclass(kind, bool))

    def plain(self) -> Iterable[str]:
        """Names that hold a number, a text or a truth value."""
        return self._holding(lambda kind: kind in (bool, int, float, str))

    def models(self) -> Iterable[str]:
        """Names that hold something which predicts."""
        return self._holding(lambda kind: hasattr(kind, "predict"))

    def names(self) -> Iterable[str]:
        """All names that the notebook has bound."""
        world = self._context.world
        return sorted({*world.user_names(), *world.pending} - {name for name in world.user_names() if name[:1] == "_"})

    def _holding(self, fits: Callable[[type], bool]) -> list[str]:
        """Names of values that are there and of such a type; the values themselves are not asked."""
        world = self._context.world
        return sorted(name for name in world.user_names() if name[:1] != "_" and fits(type(world.namespace[name])))

    def _store(self) -> Store | None:
        """The project's store where it is there, on this machine, and ready to be asked."""
        if not self._run.project.is_open:
            project = find_project(self._context.start_folder)
            if project is None or "jupyter_mlops.store.store" not in sys.modules:
                return None
            file = place_file(project / ".mlops")
            if not file.is_file() or file.suffix != ".db":
                return None
        store = self._run.store
        return store if store.index.engine.dialect.name == "sqlite" else None

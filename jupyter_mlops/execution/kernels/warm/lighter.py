"""What ipykernel and IPython do in each kernel or cell and no one needs, or can have done before the fork.

A forked process copies each page that it writes to, and Python writes to whatever it looks at: what looks through all that
is loaded costs milliseconds.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import ipykernel.ipkernel

MODULES = 5000
"""As many modules are prepared for: pandas, scikit-learn and mlflow together have 1,800."""


def quiet(log: logging.Logger, level: int) -> Callable[..., None]:
    """In the place of a logger's method for `level`: ipykernel makes four records a cell. None where no one is told."""
    tell = getattr(log, logging.getLevelName(level).lower())

    def said(*arguments: Any, **options: Any) -> None:
        logger: logging.Logger | None = log
        while logger is not None:
            if any(handler.level <= level for handler in logger.handlers):
                tell(*arguments, stacklevel=options.pop("stacklevel", 1) + 1, **options)
                return
            logger = logger.parent if logger.propagate else None

    return said


def remember_signatures() -> None:
    """Let ipykernel look only once at what parameters a method takes, where it would with each cell."""
    look = getattr(ipykernel.ipkernel, "_accepts_parameters", None)
    if look is None:
        return
    known: dict[object, object] = {}

    def accepts(method: object, names: list[str]) -> object:
        if method not in known:
            known.clear()
            known[method] = look(method, names)
        return known[method]

    ipykernel.ipkernel._accepts_parameters = accepts  # type: ignore[attr-defined]


def transform_once(shell: Any) -> Callable[[], None]:
    """Let a cell be transformed, and looked at for `await`, once: ipykernel does it, and IPython then does it again.

    Gives what is to be called before each request. Only where all transformers are IPython's or ours: another may count how
    often it is called.
    """
    transform, should_run_async = shell.transform_cell, shell.should_run_async
    are_known = _KnownTransformers(shell)
    cells: list[tuple[str, str]] = []
    answers: list[tuple[Any, bool, bool]] = []
    is_first = False

    def begin() -> None:
        nonlocal is_first
        is_first = True
        cells.clear()

    def transform_cell(raw_cell: str) -> str:
        nonlocal is_first
        is_asked_first, is_first = is_first, False
        known = cells.pop() if cells else None
        if known is not None and known[0] is raw_cell:
            return known[1]
        made: str = transform(raw_cell)
        if is_asked_first and are_known():
            cells.append((raw_cell, made))
        return made

    def asks(raw_cell: str, *, transformed_cell: Any = None, preprocessing_exc_tuple: Any = None) -> bool:
        if preprocessing_exc_tuple is None and answers:
            known, autoawait, answer = answers.pop()
            if known is transformed_cell and autoawait == shell.autoawait:
                return answer
        found = bool(
            should_run_async(
                raw_cell, transformed_cell=transformed_cell, preprocessing_exc_tuple=preprocessing_exc_tuple
            )
        )
        if preprocessing_exc_tuple is None:
            answers.append((transformed_cell, shell.autoawait, found))
        return found

    shell.transform_cell, shell.should_run_async = transform_cell, asks
    return begin


class _KnownTransformers:
    """Whether all that transforms a shell's cells is IPython's or ours."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._seen: tuple[list[Any], bool] = ([], False)

    def __call__(self) -> bool:
        shell, manager = self._shell, self._shell.input_transformer_manager
        functions = [*manager.cleanup_transforms, *manager.line_transforms, *manager.token_transformers]
        handlers = [*shell.prefilter_manager.transformers, *shell.prefilter_manager.checkers]
        there = [*functions, *handlers]
        if self._seen[0] != there:
            modules = {getattr(item, "__module__", "") or "" for item in (*functions, *map(type, handlers))}
            self._seen = there, all(name.startswith(("IPython.", "jupyter_mlops.")) for name in modules)
        return self._seen[1] and not shell.input_transformers_post


def names_side_by_side(modules: dict[str, Any]) -> None:
    """Let the names of modules stand in few pages: whoever looks through them all would else have a page of each copied."""
    copies = [(name.encode().decode(), module) for name, module in modules.items()]
    modules.clear()
    modules.update(copies)


@contextlib.contextmanager
def modules_side_by_side() -> Iterator[None]:
    """Let modules that are imported in the block stand in few pages, for the same reason."""
    bootstrap: Any = importlib._bootstrap
    spare = [ModuleType.__new__(ModuleType) for _ in range(MODULES)]
    before = bootstrap._new_module

    def new_module(name: str) -> ModuleType:
        if not spare:
            return ModuleType(name)
        module = spare.pop()
        ModuleType.__init__(module, name)
        return module

    bootstrap._new_module = new_module
    try:
        yield
    finally:
        bootstrap._new_module = before


def begin_history(shell: Any) -> None:
    """Make the tables of the history, which is in memory; a kernel that ends has no need to take them apart."""
    history = shell.history_manager
    with contextlib.suppress(AttributeError):
        history._finalizer.detach()
    history.db.close()
    history.init_db()
    with contextlib.suppress(AttributeError):
        history._finalizer.detach()
    history.close = lambda: None

"""What is the same in all jobs of a notebook, found once: what its cells mean, and their code as plain Python.

The process that forks kernels looks at the cells of a notebook when it has forked a kernel for it; later kernels know them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.pipeline.cells import split_magic
from jupyter_mlops.capture.kernel.shell import strip_magic
from jupyter_mlops.errors import MLOpsError

if TYPE_CHECKING:
    from IPython.core.inputtransformer2 import TransformerManager
    from IPython.core.interactiveshell import InteractiveShell

MOST = 4000
"""As many cells are known at most."""


class Learned:
    """Cells and what becomes of them where no one but IPython and we transform cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        manager = shell.input_transformer_manager
        self._manager = manager
        self._transform = manager.transform_cell
        self._known: dict[str, str | None] = {}
        """Cells, and what they are transformed to; None for one that is no code."""
        self._usual = _transformers(manager)
        self._with_ours = ([strip_magic, *self._usual[0]], *self._usual[1:])
        manager.transform_cell = self.transform_cell

    def learn(self, cells: Iterable[str]) -> bool:
        """Look at cells; whether one was new."""
        new = [cell for cell in dict.fromkeys(cells) if cell not in self._known]
        if len(self._known) + len(new) > MOST:
            self._known.clear()
        for cell in new[:MOST]:
            # A cell that fails here fails in its kernel too, which says so.
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError, MLOpsError):
                self._known[cell] = None
                _, code = split_magic(cell)
                self._known[cell] = self._transform(cell if code == cell else code)
                cell_facts(code)
        return bool(new)

    def transform_cell(self, cell: str) -> str:
        """As `TransformerManager.transform_cell`."""
        known = self._known.get(cell)
        if known is not None and _transformers(self._manager) == self._with_ours:
            return known
        transformed: str = self._transform(cell)
        return transformed


def _transformers(manager: TransformerManager) -> tuple[list[Any], ...]:
    return list(manager.cleanup_transforms), list(manager.line_transforms), list(manager.token_transformers)

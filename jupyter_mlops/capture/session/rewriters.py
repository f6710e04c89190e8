"""Whether a shell has transformers besides IPython's own and ours, which rewrite cells before they run."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def has_rewriters(shell: InteractiveShell) -> bool:
    """Whether anyone but us rewrites cells before they run."""
    found = len(shell.ast_transformers), len(shell.input_transformers_post), len(shell.input_transformers_cleanup)
    return found != (1, 0, _own_cleanups() + 1)


@lru_cache(maxsize=1)
def _own_cleanups() -> int:
    """How many transformers IPython itself begins with."""
    from IPython.core.inputtransformer2 import TransformerManager

    return len(TransformerManager().cleanup_transforms)

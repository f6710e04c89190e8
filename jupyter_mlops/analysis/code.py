"""What a piece of Python may read, bind, import and touch, found by its AST. Doubt widens the answer, never narrows it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from jupyter_mlops.analysis.doubts import Doubts, find_doubts
from jupyter_mlops.analysis.names import Names, find_names
from jupyter_mlops.analysis.tree import canonical

_PROMPT = re.compile(r"(?m)^\s*(>>>|\.\.\.|In \[|\[)")
"""Lines that IPython may take for pasted prompts."""


@dataclass(frozen=True)
class CodeFacts:
    """`digest` is equal for equal meaning (comments and layout do not count); `names` and `doubts` as their types say."""

    digest: str
    names: Names
    doubts: Doubts


@lru_cache(maxsize=512)
def cell_facts(code: str) -> CodeFacts:
    """The facts of a cell's code (without `%%step`), through IPython's own transformer. Raises `SyntaxError`."""
    if not _PROMPT.search(code):
        with contextlib.suppress(SyntaxError, ValueError):  # what is Python as it stands, IPython leaves as it is
            return source_facts(code)
    from IPython.core.inputtransformer2 import TransformerManager

    return source_facts(TransformerManager().transform_cell(code))


@lru_cache(maxsize=512)
def source_facts(source: str) -> CodeFacts:
    """The facts of plain Python. Raises `SyntaxError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the author is told when the code itself is compiled
        tree = compile(source, "<step>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    digest = hashlib.sha256(canonical(tree).encode("utf-8", "surrogatepass")).hexdigest()
    return CodeFacts(digest, find_names(tree), find_doubts(tree))

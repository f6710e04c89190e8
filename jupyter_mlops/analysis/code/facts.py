"""What a piece of Python may read, bind, import and touch, found by its AST. Doubt widens the answer, never narrows it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import re
import tokenize
from dataclasses import dataclass, replace
from functools import lru_cache

from jupyter_mlops.analysis.code.bounds import LONGEST_WITH_MAGICS, UnreadError, check_length, read
from jupyter_mlops.analysis.code.doubts import Doubts, find_doubts
from jupyter_mlops.analysis.code.inert import is_inert
from jupyter_mlops.analysis.code.magics import automagic
from jupyter_mlops.analysis.code.names import Names, find_names
from jupyter_mlops.analysis.code.tree import canonical
from jupyter_mlops.analysis.code.unwarned import unwarned
from jupyter_mlops.domain.reason import Reason, ReasonCode

_PROMPT = re.compile(r"(?m)^[^\S\n]*(>>>|\.\.\.|In \[|\[)")
"""Lines that IPython may take for pasted prompts."""


@dataclass(frozen=True)
class CodeFacts:
    """`digest` is equal for equal meaning (comments and layout do not count); `names` and `doubts` as their types say."""

    digest: str
    names: Names
    doubts: Doubts
    inert: bool = False
    """Whether it does nothing but compute, where all it reads is plain: see `analysis.code.inert`."""


@lru_cache(maxsize=2048)
def cell_facts(code: str) -> CodeFacts:
    """The facts of a cell's code (without `%%step`), through IPython's own transformer. Raises `SyntaxError`.

    Functions it only defines count where they are called: their doubts are those of `source_facts` of their source.
    """
    try:
        return _cell_facts(code)
    except UnreadError as error:
        return _unread(code, error)


def _cell_facts(code: str) -> CodeFacts:
    check_length(code)
    magic, line = automagic(code)
    if not _PROMPT.search(code):
        with contextlib.suppress(SyntaxError):  # what is Python as it stands, IPython leaves as it is
            return _facts(code, cell=True, automagic=magic)
    if not code.startswith("%%"):
        check_length(code, LONGEST_WITH_MAGICS)
    from IPython.core.inputtransformer2 import TransformerManager

    return _facts(read(lambda: TransformerManager().transform_cell(line)), cell=True)


def _unread(code: str, why: UnreadError) -> CodeFacts:
    """Of code that is beyond what can be read: anything may be in it."""
    digest = hashlib.sha256(b"unread " + code.encode("utf-8", "surrogatepass")).hexdigest()
    nothing: frozenset[str] = frozenset()
    names = Names(nothing, nothing, nothing, nothing, everything=True, anything=True)
    doubts = Doubts((why.reason,), nothing, nothing, nothing, nothing, nothing, nothing, nothing, ())
    return CodeFacts(digest, names, doubts)


@lru_cache(maxsize=2048)
def source_facts(source: str) -> CodeFacts:
    """The facts of plain Python, of all its functions. Raises `SyntaxError`."""
    try:
        check_length(source)
        return _facts(source, cell=False)
    except UnreadError as error:
        return _unread(source, error)


def _facts(source: str, *, cell: bool, automagic: str = "") -> CodeFacts:
    try:
        return read(lambda: _read_facts(source, cell=cell, automagic=automagic))
    except UnreadError:
        raise
    except ValueError as error:  # NUL, as Python 3.12 says of it
        raise SyntaxError(str(error)) from error


def _read_facts(source: str, *, cell: bool, automagic: str) -> CodeFacts:
    with unwarned():  # the author is told when the code itself is compiled
        tree = compile(source, "<step>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    digest = hashlib.sha256(canonical(tree).encode("utf-8", "surrogatepass")).hexdigest()
    names = find_names(tree)
    free = names.reads.union(*(function.reads for function in names.functions.values()))
    doubts = find_doubts(tree, idle=names.idle if cell else (), free=free)
    if names.everything and not doubts.certain:
        doubts = replace(doubts, certain=(Reason(ReasonCode.ANY_VARIABLE),))
    if automagic:
        doubts = replace(doubts, automagic=automagic)
    return CodeFacts(digest, names, doubts, inert=not automagic and is_inert(tree))


def is_quiet(code: str) -> bool:
    """Whether a cell ends with a semicolon, which keeps IPython from showing its last value."""
    if ";" not in code:
        return False
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code.rstrip()).readline))
    except (tokenize.TokenError, SyntaxError):
        return code.rstrip().endswith(";")
    idle = (tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
    last = next((token for token in reversed(tokens) if token.type not in idle), None)
    return last is not None and last.string == ";"

"""IPython's own syntax, after its transformer: what a magic, a shell line or a help line reads, binds and runs."""

from __future__ import annotations

import ast
import re
import shlex
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from jupyter_mlops.analysis.code.tree import walk

EVERYTHING = "*"
"""Stands among names for "any name": no variable is called so."""
CODE_MAGICS = {
    "time": "",
    "timeit": "nrpv",
    "prun": "Dlrs" + "T",
    "capture": "",
    "memit": "rti",
    "lprun": "fmsTDzu",
    "mprun": "fT",
}
"""Magics whose text is code that runs in the namespace, and their options that take a value."""
_LOCAL = ("timeit", "memit")
"""Among them those whose code runs as the body of a function: what it binds is gone."""
DISPLAYS = frozenset({"html", "HTML", "latex", "markdown", "svg", "SVG", "javascript", "js"})
"""Cell magics that only show their text."""
SCRIPTS = frozenset({"bash", "sh", "script", "perl", "ruby", "python", "python2", "python3", "pypy", "cmd", "system"})
SCRIPTS |= {"sx", "!", "!!"}
"""Cell magics whose text another process runs."""
FILES = frozenset({"writefile", "file"})
_HELP = frozenset({"pinfo", "pinfo2", "pdoc", "psource", "pdef", "pfile", "pycat", "page", "psearch"})
_LISTING = frozenset({"who", "whos", "who_ls", "psearch"})
_PLAIN = frozenset(
    str.split(
        "matplotlib load_ext reload_ext unload_ext mlops config precision cd pwd ls ll la mkdir rmdir rm cp "
        "mv cat env set_env pip conda mamba uv autoreload aimport xmode colors alias unalias bookmark dirs "
        "pushd popd dhist gui history hist lsmagic magic quickref doctest_mode notebook rehashx tb pdb pprint "
        "connect_info watermark killbgscripts logstart logstop logon logoff logstate system sx sc less more "
        "man"
    )
)
"""Line magics that touch no name, but those in `$name` and `{name}` of their text."""


_ONLY_MAGICS = frozenset(
    str.split(
        "run store reset reset_selective xdel macro save recall rerun rep edit ed load loadpy loadhtml sql automagic gui"
    )
)
_WORD = re.compile(r"([A-Za-z_]\w*)(\s+\S.*)?\Z")


def automagic(code: str) -> tuple[str, str]:
    """The magic that a cell of one line without `%` may be for IPython, and the line with the sign; "" where it is none.

    It is one only where no variable has that name.
    """
    line = code.strip()
    match = None if "\n" in line else _WORD.match(line)
    if match is None or match[1] not in _PLAIN | _HELP | _LISTING | _ONLY_MAGICS | CODE_MAGICS.keys() | {"matplotlib"}:
        return "", code
    return match[1], f"%{line}"


@dataclass(frozen=True)
class MagicCall:
    """What IPython makes of its syntax: `kind` is "line", "cell", "shell", or "other" for any other use of the shell."""

    kind: str
    name: str = ""
    line: str = ""
    body: str = ""


@dataclass
class MagicNames:
    """The names a magic reads and binds itself, its code aside. `EVERYTHING` among them where that is not known."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)


def magic_call(node: ast.AST) -> MagicCall | None:
    """What a call of `get_ipython().METHOD(...)` stands for; None for anything else."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_shell(node.func.value)):
        return None
    texts = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    method = node.func.attr
    if len(texts) == len(node.args) and not node.keywords:
        if method == "run_line_magic" and len(texts) == 2:
            return MagicCall("line", texts[0], texts[1])
        if method == "run_cell_magic" and len(texts) == 3:
            return MagicCall("cell", *texts)
        if method in ("system", "getoutput") and len(texts) == 1:
            return MagicCall("shell", "", texts[0])
    return MagicCall("other", method)


def _is_shell(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


def code_of(call: MagicCall) -> tuple[ast.Module, bool] | None:
    """The code inside a code magic, and whether it runs as the body of a function. None where there is none to be seen."""
    if call.name not in CODE_MAGICS or call.kind not in ("line", "cell"):
        return None
    tree = _parsed(call)
    return None if tree is None else (tree, call.name in _LOCAL)


@lru_cache(maxsize=512)
def _parsed(call: MagicCall) -> ast.Module | None:
    from IPython.core.inputtransformer2 import TransformerManager

    rest = _without_options(call.line, CODE_MAGICS[call.name])
    if call.name == "capture" or (call.kind == "cell" and call.name != "timeit"):
        rest = ""
    try:
        text = TransformerManager().transform_cell(f"{rest}\n{call.body}")
        tree = compile(text, "<magic>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if isinstance(tree, ast.Module) else None


def _without_options(line: str, valued: str) -> str:
    """What follows the options of a magic's line."""
    rest = line.lstrip()
    while match := re.match(r"-(-[\w-]+|\w)(\S*)\s*", rest):
        rest = rest[match.end() :]
        if match[1] in valued and not match[2]:
            rest = rest.partition(" ")[2].lstrip()
    return rest


def names_of(call: MagicCall) -> MagicNames:
    """The names a magic itself reads and binds; the code of a code magic is not looked at."""
    if call.kind == "other":
        return MagicNames({EVERYTHING}, {EVERYTHING})
    names = MagicNames(reads=expanded_names(call.line))
    if call.kind == "shell" or not call.name:
        return names
    words = _words(call.line)
    if call.name == "capture":
        names.writes |= {word for word in words if word.isidentifier()}
    elif call.name in CODE_MAGICS:
        if code_of(call) is None:
            return MagicNames({EVERYTHING}, {EVERYTHING})
    elif call.kind == "cell" and call.name in SCRIPTS:
        names.writes |= _captured(words)
        names.reads |= expanded_names(call.body) if call.name in ("system", "sx", "!", "!!") else set()
    elif call.kind == "line" and call.name in _HELP | _LISTING:
        names.reads |= set(re.findall(r"[^\W\d]\w*", call.line)[:1])
        names.reads |= {EVERYTHING} if call.name in _LISTING else set()
    elif not (call.kind == "line" and call.name in _PLAIN) and not (
        call.kind == "cell" and call.name in DISPLAYS | FILES
    ):
        return MagicNames({EVERYTHING}, {EVERYTHING})
    return names


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _captured(words: list[str]) -> set[str]:
    """Names that `--out NAME` and its like bind."""
    found = set()
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in ("--out", "--err", "--proc"):
            found.add(value if equals else next(iter(words[place + 1 :]), ""))
    return {name for name in found if name.isidentifier()}


def expanded_names(text: str) -> set[str]:
    """The names that IPython puts the values of into a shell line or magic: `$name` and `{expression}`."""
    if "$" not in text and "{" not in text:
        return set()
    names = set(re.findall(r"\$\{?([^\W\d]\w*)", text))
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError:  # unbalanced: IPython leaves such a text as it is, but for what it could expand before
        return names | (set(re.findall(r"[^\W\d]\w*", text)) if "{" in text else set())
    for expression in fields:
        names |= set(_loaded(expression))
    return names


def _loaded(expression: str) -> Iterator[str]:
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in walk(tree):
        if isinstance(node, ast.Name):
            yield EVERYTHING if node.id in ("eval", "exec", "globals", "locals", "vars", "dir") else node.id


def nodes_of(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree, and those of the code inside its code magics."""
    for node in walk(tree):
        yield node
        call = magic_call(node) if node.__class__ is ast.Call else None
        inner = code_of(call) if call is not None else None
        if inner is not None:
            yield from nodes_of(inner[0])

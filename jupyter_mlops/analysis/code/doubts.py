"""What makes a step's result depend on more than its code and inputs, or change more than its names.

The answer is symbolic: dotted chains with their roots as written. `capture` knows what the roots are at run time and
asks `reason_for` with the real module's name in front.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jupyter_mlops.analysis.code import side_effects
from jupyter_mlops.analysis.code.magics import DISPLAYS, FILES, SCRIPTS, MagicCall, code_of, magic_call
from jupyter_mlops.analysis.code.parts import (
    argument,
    chain_of,
    is_environ,
    is_none,
    is_path,
    none_parameters,
    text_of,
    texts_of_names,
)
from jupyter_mlops.analysis.code.side_effects import configures, reason_for
from jupyter_mlops.analysis.code.texts import constant_text
from jupyter_mlops.analysis.code.tree import children
from jupyter_mlops.domain.reason import Reason, ReasonCode

__all__ = ["SHELL_NAMES", "Doubts", "configures", "find_doubts", "reason_for"]
SHELL_NAMES = frozenset({"_", "__", "___", "Out", "In", "_oh", "_ih", "_dh", "_i", "_ii", "_iii"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Doubts:
    """What was found, for `capture` to weigh.

    `certain` are reasons that hold whatever the names stand for; `chains` dotted uses (`np.random.default_rng`), to be
    asked of `reason_for`; `stores` chains that are assigned into; `calls` chains called for their effect; `environment`
    the constant names of environment variables read; `magics` the names of IPython magics that may change what later
    cells give.
    """

    certain: tuple[Reason, ...]
    chains: frozenset[str]
    stores: frozenset[str]
    calls: frozenset[str]
    environment: frozenset[str]
    magics: frozenset[str]
    native_texts: frozenset[str]
    native_names: frozenset[str]
    """What native readers are given: texts as written, and names of variables."""
    aliases: tuple[tuple[str, str], ...]
    """What the code itself imports: (name as bound, dotted module or member)."""
    native_write_texts: frozenset[str] = frozenset()
    native_write_names: frozenset[str] = frozenset()
    """The same of native writers: files that are written without Python's knowing."""
    looks: frozenset[str] = frozenset()
    """Paths of which the code asks only whether they exist."""
    seed_names: frozenset[str] = frozenset()
    """Variables given as seeds: where one holds None, fresh entropy is drawn."""
    automagic: str = ""
    """The magic that a cell of one word (`pwd`) is, where no variable has that name."""


def find_doubts(tree: ast.Module, *, idle: Iterable[str] = (), free: Iterable[str] | None = None) -> Doubts:
    """The doubts of a cell, function or module.

    `idle` are functions of it that it cannot call itself: their bodies do not count. `free` are names that may come from
    outside or are built in; None for any.
    """
    finder = _Finder(frozenset(idle), None if free is None else frozenset(free), tree)
    finder.each(tree.body, top=True)
    return Doubts(
        tuple(dict.fromkeys(finder.certain)),
        frozenset(finder.chains),
        frozenset(finder.stores),
        frozenset(finder.calls),
        frozenset(finder.environment),
        frozenset(finder.magics),
        frozenset(finder.native_texts),
        frozenset(finder.native_names),
        tuple(sorted(finder.aliases)),
        frozenset(finder.native_write_texts),
        frozenset(finder.native_write_names),
        frozenset(finder.looks),
        frozenset(finder.seed_names),
    )


class _Finder:
    def __init__(self, idle: frozenset[str], free: frozenset[str] | None, tree: ast.Module) -> None:
        self.certain: list[Reason] = []
        self.chains: set[str] = set()
        self.stores: set[str] = set()
        self.calls: set[str] = set()
        self.environment: set[str] = set()
        self.magics: set[str] = set()
        self.native_texts: set[str] = set()
        self.native_names: set[str] = set()
        self.native_write_texts: set[str] = set()
        self.native_write_names: set[str] = set()
        self.looks: set[str] = set()
        self.seed_names: set[str] = set()
        self.aliases: set[tuple[str, str]] = set()
        self._idle = idle
        self._free = free
        self._tree = tree
        self._none: set[str] = set()
        """Parameters around that are None where nothing is given."""

    @cached_property
    def _texts(self) -> dict[str, set[str]]:
        return texts_of_names(self._tree)

    def each(self, nodes: Iterable[ast.AST], *, top: bool = False) -> None:
        """Look at nodes; `top` says that they run where they stand, in no function."""
        for node in nodes:
            visit = _VISITS.get(type(node))
            if visit is not None:
                visit(self, node, top)
            else:
                self.each(children(node), top=top)

    def _define(self, node: Any, top: bool) -> None:
        """A function or class: the body of one that the code cannot call does not count."""
        below: list[ast.AST] = children(node)
        outer = self._none
        if isinstance(node, _FUNCTIONS):
            self._none = outer | none_parameters(node.args)
        if not isinstance(node, ast.Lambda) and node.name in self._idle and top:
            bodies = node.body if isinstance(node, ast.ClassDef) else [node]
            skipped = {id(item) for function in bodies if isinstance(function, _FUNCTIONS) for item in _body(function)}
            if isinstance(node, ast.ClassDef):
                for item in node.body:
                    rest = children(item) if isinstance(item, _FUNCTIONS) else [item]
                    self.each([part for part in rest if id(part) not in skipped])
                below = [item for item in below if item not in node.body]
            below = [item for item in below if id(item) not in skipped]
        self.each(below, top=isinstance(node, ast.ClassDef))
        self._none = outer

    def _import(self, node: ast.Import, top: bool) -> None:
        for alias in node.names:
            self.aliases.add((alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2)

    def _import_from(self, node: ast.ImportFrom, top: bool) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.certain.append(Reason(ReasonCode.IMPORTS_ALL, str(node.module)))
            elif not node.level:
                self.aliases.add((alias.asname or alias.name, f"{node.module}.{alias.name}"))

    def _assign(self, node: ast.Assign, top: bool) -> None:
        """A second name for a module or a part of one is an alias."""
        chain = chain_of(node.value) if isinstance(node.value, (ast.Name, ast.Attribute)) else None
        if chain is not None:
            root, dot, rest = chain.partition(".")
            for real in [real for name, real in self.aliases if name == root]:
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.aliases.add((target.id, f"{real}{dot}{rest}"))
        self.each(children(node), top=top)

    def _name(self, node: ast.Name, top: bool) -> None:
        if isinstance(node.ctx, ast.Load):
            if node.id in side_effects.BARE and self._is_free(node.id):
                self.certain.append(Reason(side_effects.BARE[node.id], node.id))
            self.chains.add(node.id)

    def _is_free(self, name: str) -> bool:
        return self._free is None or name in self._free

    def _attribute(self, node: ast.Attribute, top: bool) -> None:
        chain = chain_of(node)
        if chain is not None:
            (self.chains if isinstance(node.ctx, ast.Load) else self.stores).add(chain)
        if isinstance(node.ctx, ast.Load) and node.attr in side_effects.ATTRIBUTES:
            self.certain.append(Reason(side_effects.ATTRIBUTES[node.attr], node.attr))
        if is_environ(node):
            self.certain.append(Reason(ReasonCode.ENVIRONMENT))
        self.each([node.value], top=top)

    def _subscript(self, node: ast.Subscript, top: bool) -> None:
        if is_environ(node.value) and text_of(node.slice) is not None:
            if isinstance(node.ctx, ast.Load):
                self.environment.add(str(text_of(node.slice)))
            return
        if not isinstance(node.ctx, ast.Load):
            chain = chain_of(node.value)
            if chain is not None and "." in chain:
                self.stores.add(chain)
        self.each(children(node), top=top)

    def _compare(self, node: ast.Compare, top: bool) -> None:
        if len(node.comparators) == 1 and is_environ(node.comparators[0]) and text_of(node.left) is not None:
            self.environment.add(str(text_of(node.left)))
            return
        self.each(children(node), top=top)

    def _expression(self, node: ast.Expr, top: bool) -> None:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call):
            chain = chain_of(call.func)
            if chain is not None:
                self.calls.add(chain)
        self.each([node.value], top=top)

    def _call(self, node: ast.Call, top: bool) -> None:
        magic = magic_call(node)
        if magic is not None:
            self._magic(magic, top)
            return
        if self._reads_environment(node, top) or self._looks(node, top):
            return
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = argument(node, 0, ("seed", "entropy", "x"))
        if name in side_effects.UNSEEDED:
            self._seed(name, first)
        if (
            name in side_effects.LOCAL_BARE
            and isinstance(node.func, ast.Name)
            and top
            and not (node.args or node.keywords)
        ):
            self.certain.append(Reason(side_effects.LOCAL_BARE[name], name))
        if name in ("setattr", "delattr") and isinstance(node.func, ast.Name):
            self._attribute_by_name(name, node)
        queried = name in ("query", "eval") and isinstance(node.func, ast.Attribute) and (node.args or node.keywords)
        if queried and constant_text(argument(node, 0, ("expr",)) or node) is None:
            self.certain.append(Reason(ReasonCode.COMPUTED_QUERY, name))
        self._native(name, node)
        if name in ("Timestamp", "to_datetime", "datetime64") and text_of(argument(node, 0, ())) in ("now", "today"):
            self.certain.append(Reason(ReasonCode.CLOCK, name))
        self.each(children(node), top=top)

    def _seed(self, name: str, given: ast.expr | None) -> None:
        if given is None or is_none(given):
            self.certain.append(Reason(ReasonCode.ENTROPY_NO_SEED, name))
        elif isinstance(given, ast.Name) and given.id in self._none:
            self.certain.append(Reason(ReasonCode.ENTROPY_SEED_MAY_BE_NONE, name))
        elif isinstance(given, ast.Name):
            self.seed_names.add(given.id)

    def _attribute_by_name(self, name: str, node: ast.Call) -> None:
        """`setattr(o, "a", 1)` is as `o.a = 1`."""
        chain = chain_of(node.args[0]) if node.args else None
        if chain is None:
            self.certain.append(Reason(ReasonCode.SETS_BY_NAME, name))
        else:
            self.stores.add(f"{chain}.{text_of(node.args[1] if len(node.args) > 1 else None) or '?'}")

    def _native(self, name: str, node: ast.Call) -> None:
        given = argument(node, side_effects.NATIVE_WRITERS.get(name, 0), side_effects.PATHS)
        if name in side_effects.NATIVE_READERS:
            reason = Reason(ReasonCode.COMPUTED_READ, name)
            if given is not None:
                self._file(given, reason, self.native_texts, self.native_names)
            elif node.keywords:
                self.certain.append(reason)
        elif name in side_effects.MAYBE_READERS and is_path(given):
            self._file(given, Reason(ReasonCode.COMPUTED_READ, name), self.native_texts, self.native_names)
        elif name in side_effects.NATIVE_WRITERS and not (given is None or is_none(given)):
            texts, names = self.native_write_texts, self.native_write_names
            self._file(given, Reason(ReasonCode.COMPUTED_WRITE, name), texts, names)

    def _file(self, given: ast.expr, reason: Reason, texts: set[str], names: set[str]) -> None:
        text = constant_text(given)
        if text is not None:
            texts.add(text)
        elif isinstance(given, ast.Name) and given.id in self._texts:
            texts.update(self._texts[given.id])
        elif isinstance(given, ast.Name):
            names.add(given.id)
        else:
            self.certain.append(reason)

    def _reads_environment(self, node: ast.Call, top: bool) -> bool:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        given = text_of(node.args[0] if node.args else None)
        if given is None:
            return False
        asked = isinstance(function, ast.Attribute) and name in ("get", "setdefault") and is_environ(function.value)
        if name == "getenv" or asked:
            self.environment.add(given)
            self.each(node.args[1:], top=top)
            return True
        return False

    def _looks(self, node: ast.Call, top: bool) -> bool:
        """`os.path.exists("a")` and `Path("a").exists()`."""
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr not in side_effects.EXISTENCE:
            return False
        given = node.args[0] if node.args else None
        if given is None and isinstance(function.value, ast.Call) and len(function.value.args) == 1:
            owner = function.value.func
            is_path = (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")) in (
                "Path",
                "PurePath",
            )
            given = function.value.args[0] if is_path else None
        text = None if given is None else constant_text(given)
        texts = {text} if text is not None else self._texts.get(given.id) if isinstance(given, ast.Name) else None
        if not texts:
            return False
        self.looks |= texts
        return True

    def _magic(self, magic: MagicCall, top: bool) -> None:
        inner = code_of(magic)
        if inner is not None:
            self.each(inner[0].body, top=top)
        elif magic.kind == "shell":
            self.certain.append(Reason(ReasonCode.PROCESS, "!"))
        elif magic.kind == "other":
            self.certain.append(Reason(ReasonCode.SHELL))
        elif magic.kind == "cell":
            self._cell_magic(magic)
        elif not _is_silent(magic):
            self.certain.append(Reason(ReasonCode.MAGIC, f"%{magic.name}"))
            if magic.name not in side_effects.QUIET_MAGICS:
                self.magics.add(magic.name)

    def _cell_magic(self, magic: MagicCall) -> None:
        if magic.name in SCRIPTS:
            self.certain.append(Reason(ReasonCode.PROCESS, f"%%{magic.name}"))
        elif magic.name not in DISPLAYS | FILES:
            self.certain.append(Reason(ReasonCode.MAGIC, f"%%{magic.name}"))
            self.magics.add(magic.name)


_VISITS: dict[type, Callable[[_Finder, Any, bool], None]] = {
    ast.Import: _Finder._import,
    ast.ImportFrom: _Finder._import_from,
    ast.Assign: _Finder._assign,
    ast.Name: _Finder._name,
    ast.Attribute: _Finder._attribute,
    ast.Subscript: _Finder._subscript,
    ast.Compare: _Finder._compare,
    ast.Expr: _Finder._expression,
    ast.Call: _Finder._call,
    ast.Constant: lambda finder, node, top: None,
    **dict.fromkeys((*_FUNCTIONS, ast.ClassDef), _Finder._define),
}


def _body(node: Any) -> list[ast.AST]:
    return [node.body] if isinstance(node, ast.Lambda) else list(node.body)


def _is_silent(magic: MagicCall) -> bool:
    """Whether a line magic is no reason to run a step again; one without a name only prints that there is none such."""
    return (
        not magic.name
        or magic.name in side_effects.SILENT_MAGICS
        or (magic.name == "config" and magic.line.startswith("InlineBackend."))
    )

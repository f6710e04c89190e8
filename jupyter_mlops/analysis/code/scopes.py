"""What a function or class takes from the module around it when it is called: its free names, whatever way it goes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from jupyter_mlops.analysis.code.changes import changed_by_call, root_of
from jupyter_mlops.analysis.code.magics import EVERYTHING, code_of, magic_call, names_of
from jupyter_mlops.analysis.code.texts import text_reads
from jupyter_mlops.analysis.code.tree import children, walk

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda"
Comprehension: TypeAlias = "ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
NAMESPACE = frozenset({"eval", "exec", "globals", "get_ipython", "execfile", "__main__"})
"""Names of functions that reach any name, wherever they are called."""
FRAME = frozenset({"f_globals", "f_locals", "f_builtins", "__globals__", "_getframe", "currentframe", "user_ns"})
FRAME |= {"user_global_ns", "user_module"}
"""Attributes that lead to the namespace."""


@dataclass
class Called:
    """What a call may take from the namespace and do to it. `EVERYTHING` among the names for what cannot be known."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)

    def add(self, other: Called) -> None:
        """Take another's names in."""
        self.reads |= other.reads
        self.writes |= other.writes
        self.changes |= other.changes


@dataclass
class _BodyScope:
    """One function or class being walked. `free` are names found, in it and in what it holds, that may not be its own."""

    stores: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    free: Called = field(default_factory=Called)
    settled: Called = field(default_factory=Called)
    """Names that are the module's for certain."""
    private: str = ""
    imports: set[str] = field(default_factory=set)

    def closed(self, *, hides: bool = True) -> _BodyScope:
        """The scope seen from around it: `free` without its own names."""
        own = (self.stores - self.globals - self.nonlocals) if hides else set()
        for kind in ("reads", "writes", "changes"):
            names = getattr(self.free, kind)
            getattr(self.settled, kind).update(names & self.globals)
            names -= own | self.globals
        self.settled.writes |= self.stores & self.globals
        return self

    def take(self, inner: _BodyScope) -> None:
        """Take in a closed scope that stands in this one."""
        self.free.add(inner.free)
        self.settled.add(inner.settled)
        self.imports |= inner.imports


def called(node: Function | ast.stmt, *, private: str = "") -> tuple[Called, set[str]]:
    """What calling a function takes from the module, and the dotted modules it imports.

    `private` is the class it stands in. Decorators, defaults and annotations are not its body: they run where it stands.
    """
    scope = _BodyScope(private=private)
    inner = _function(node, scope) if isinstance(node, FUNCTIONS) else _class(node, scope)
    inner.free.add(inner.settled)
    return inner.free, inner.imports


def evaluated_outside(node: Function) -> list[ast.expr]:
    """Expressions of a definition that run where it stands: decorators, defaults, annotations."""
    arguments = node.args
    outside = [*arguments.defaults, *(item for item in arguments.kw_defaults if item is not None)]
    outside += [item.annotation for item in parameters(arguments) if item.annotation is not None]
    if not isinstance(node, ast.Lambda):
        outside += [*node.decorator_list, *([node.returns] if node.returns else [])]
    return outside


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, starred ones included."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return every + [item for item in (arguments.vararg, arguments.kwarg) if item is not None]


def imported(node: ast.Import | ast.ImportFrom) -> tuple[set[str], set[str]]:
    """The names an import binds, and the dotted modules it names."""
    bound, modules = set(), set()
    for alias in node.names:
        if isinstance(node, ast.Import):
            modules.add(alias.name)
            bound.add(alias.asname or alias.name.partition(".")[0])
        else:
            module = "." * node.level + (node.module or "")
            modules |= {module}
            if alias.name != "*":
                modules.add(f"{module}.{alias.name}" if node.module else f"{module}{alias.name}")
            bound.add(EVERYTHING if alias.name == "*" else alias.asname or alias.name)
    return bound, modules


def mangled(name: str, private: str) -> str:
    """The name Python looks up for `name` inside the class `private`."""
    if private and name.startswith("__") and not name.endswith("__") and private.strip("_"):
        return f"_{private.lstrip('_')}{name}"
    return name


def _function(node: Function, outer: _BodyScope) -> _BodyScope:
    scope = _BodyScope(
        private=outer.private, stores={mangled(item.arg, outer.private) for item in parameters(node.args)}
    )
    _type_parameters(node, scope)
    _walk([node.body] if isinstance(node, ast.Lambda) else node.body, scope)
    return scope.closed()


def _class(node: ast.AST, outer: _BodyScope) -> _BodyScope:
    """A class inside a function: what its body binds hides nothing, nor for certain from itself."""
    assert isinstance(node, ast.ClassDef)
    scope = _BodyScope(private=node.name)
    _walk(node.body, scope)
    scope.closed(hides=False)
    around = _BodyScope(private=outer.private)
    _type_parameters(node, around)
    around.take(scope)
    return around.closed()


def _type_parameters(node: ast.AST, scope: _BodyScope) -> None:
    for item in getattr(node, "type_params", ()):
        scope.stores.add(item.name)
        _walk([part for part in (getattr(item, "bound", None), getattr(item, "default_value", None)) if part], scope)


def _comprehension(node: Comprehension, outer: _BodyScope) -> None:
    """Its targets are its own; names bound by `:=` are the function's."""
    inner = _BodyScope(private=outer.private)
    _walk([node.generators[0].iter], outer)
    for place, generator in enumerate(node.generators):
        inner.stores |= {name.id for name in walk(generator.target) if isinstance(name, ast.Name)}
        _walk([generator.target, *([generator.iter] if place else []), *generator.ifs], inner)
    _walk([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)
    outer.stores |= {
        item.target.id for part in children(node) for item in walk(part) if isinstance(item, ast.NamedExpr)
    }
    outer.take(inner.closed())


def _walk(nodes: Iterable[ast.AST], scope: _BodyScope) -> None:
    for node in nodes:
        visit = _VISITS.get(type(node))
        if visit is None:
            _bind_fields(node, scope)
            _walk(children(node), scope)
        else:
            visit(node, scope)


def _bind_fields(node: ast.AST, scope: _BodyScope) -> None:
    """Names that a node binds by a plain text: exception handlers and patterns."""
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        scope.stores.add(mangled(node.name, scope.private))
    elif isinstance(node, ast.MatchMapping) and node.rest:
        scope.stores.add(mangled(node.rest, scope.private))


def _name(node: ast.Name, scope: _BodyScope) -> None:
    name = mangled(node.id, scope.private)
    if isinstance(node.ctx, ast.Load):
        scope.free.reads.add(name)
        if name in NAMESPACE:
            reach_everything(scope.settled)
    else:
        scope.stores.add(name)


def reach_everything(found: Called) -> None:
    """Note that any name may be read and bound."""
    found.reads.add(EVERYTHING)
    found.writes.add(EVERYTHING)


def _attribute(node: ast.Attribute, scope: _BodyScope) -> None:
    if node.attr in FRAME or reaches_modules(node):
        reach_everything(scope.settled)
    if not isinstance(node.ctx, ast.Load):
        scope.free.changes |= root_of(node)
    _walk([node.value], scope)


def reaches_modules(node: ast.Attribute) -> bool:
    """Whether this is `sys.modules`, where the notebook's own module stands too."""
    return node.attr == "modules" and isinstance(node.value, ast.Name) and node.value.id == "sys"


def _subscript(node: ast.Subscript, scope: _BodyScope) -> None:
    if not isinstance(node.ctx, ast.Load):
        scope.free.changes |= root_of(node)
    _walk([node.value, node.slice], scope)


def _call(node: ast.Call, scope: _BodyScope) -> None:
    magic = magic_call(node)
    if magic is not None:
        _magic(node, scope)
        return
    scope.free.reads |= text_reads(node)
    scope.free.changes |= changed_by_call(node)
    _walk(children(node), scope)


def _magic(node: ast.Call, scope: _BodyScope) -> None:
    """A magic inside a function runs in the module's namespace."""
    magic = magic_call(node)
    assert magic is not None
    names = names_of(magic)
    scope.free.reads |= names.reads
    scope.settled.writes |= names.writes
    inner = code_of(magic)
    if inner is not None:
        body = _BodyScope()
        _walk(inner[0].body, body)
        body.settled.writes |= set() if inner[1] else body.stores
        scope.take(body.closed(hides=False))


def _define(node: ast.AST, scope: _BodyScope) -> None:
    if isinstance(node, ast.ClassDef):
        outside: list[ast.expr] = [*node.decorator_list, *node.bases, *(item.value for item in node.keywords)]
        inner = _class(node, scope)
        scope.stores.add(mangled(node.name, scope.private))
    else:
        assert isinstance(node, FUNCTIONS)
        outside, inner = evaluated_outside(node), _function(node, scope)
        if not isinstance(node, ast.Lambda):
            scope.stores.add(mangled(node.name, scope.private))
    _walk(outside, scope)
    scope.take(inner)


def _import(node: ast.Import | ast.ImportFrom, scope: _BodyScope) -> None:
    bound, modules = imported(node)
    scope.stores |= bound
    scope.imports |= modules
    if modules & {"__main__"}:
        reach_everything(scope.settled)


def _annotated(node: ast.AnnAssign, scope: _BodyScope) -> None:
    """Annotations inside a function are not evaluated; a name only annotated is local all the same."""
    _walk([node.target, *([node.value] if node.value else [])], scope)


def _type_alias(node: ast.AST, scope: _BodyScope) -> None:
    scope.stores.add(node.name.id)  # type: ignore[attr-defined]
    inner = _BodyScope(private=scope.private)
    _type_parameters(node, inner)
    _walk([node.value], inner)  # type: ignore[attr-defined]
    scope.take(inner.closed())


_VISITS: dict[type, Callable[[Any, _BodyScope], None]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.AnnAssign: _annotated,
    ast.Global: lambda node, scope: scope.globals.update(node.names),
    ast.Nonlocal: lambda node, scope: scope.nonlocals.update(node.names),
    ast.Constant: lambda node, scope: None,
    **dict.fromkeys((*FUNCTIONS, ast.ClassDef), _define),
    **dict.fromkeys(COMPREHENSIONS, _comprehension),
    **({ast.TypeAlias: _type_alias} if hasattr(ast, "TypeAlias") else {}),
}

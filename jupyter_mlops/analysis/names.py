"""May-read-before-write: the names a piece of code may take from outside, and those it may bind or delete there.

A name counts as bound only where every path has bound it; the body of a function counts as read where it is defined.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Names:
    """`reads` may come from outside; `writes` may be bound or deleted; `imports` are dotted module names."""

    reads: frozenset[str]
    writes: frozenset[str]
    imports: frozenset[str]
    strings: frozenset[str]
    """Text constants: any of them may be a path."""


@dataclass
class _Scope:
    bound: set[str]
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)


def find_names(tree: ast.Module) -> Names:
    """The names of a cell or module."""
    scope = _Scope(set())
    _block(tree.body, scope)
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for text in strings & _query_texts(tree):
        scope.reads.update(_at_names(text))
    return Names(frozenset(scope.reads), frozenset(scope.writes), frozenset(scope.imports), frozenset(strings))


def function_reads(node: ast.AST) -> set[str]:
    """The names a function, lambda, class or comprehension may take from the module around it."""
    scope = _Scope(set())
    _expressions([node], scope)
    return scope.reads


def _block(body: Iterable[ast.stmt], scope: _Scope) -> None:
    for statement in body:
        _statement(statement, scope)


def _statement(node: ast.stmt, scope: _Scope) -> None:
    if isinstance(node, (ast.If, ast.While)):
        _expressions([node.test], scope)
        _branches([node.body, node.orelse], scope)
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        _expressions([node.iter], scope)
        _branches([[ast.Assign(targets=[node.target], value=ast.Constant(None)), *node.body], node.orelse], scope)
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            _expressions([item.context_expr], scope)
            if item.optional_vars is not None:
                _target(item.optional_vars, scope)
        _branches([node.body], scope)
    elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
        _try(node, scope)  # type: ignore[arg-type]
    elif isinstance(node, ast.Match):
        _expressions([node.subject], scope)
        _branches([_case(case) for case in node.cases], scope)
    else:
        _simple(node, scope)


def _try(node: ast.Try, scope: _Scope) -> None:
    handlers: list[list[ast.stmt]] = []
    for handler in node.handlers:
        if handler.type is not None:
            _expressions([handler.type], scope)
        bind: list[ast.stmt] = []
        if handler.name:
            bind = [ast.Assign(targets=[ast.Name(handler.name, ast.Store())], value=ast.Constant(None))]
        handlers.append([*bind, *handler.body])
    _branches([[*node.body, *node.orelse], *handlers, node.finalbody], scope)


def _case(case: ast.match_case) -> list[ast.stmt]:
    captured = [
        name
        for pattern in ast.walk(case.pattern)
        for name in (getattr(pattern, "name", None), getattr(pattern, "rest", None))
        if isinstance(name, str)
    ]
    bind: list[ast.stmt] = [
        ast.Assign(targets=[ast.Name(name, ast.Store())], value=ast.Constant(None)) for name in captured
    ]
    values = [node.value for node in ast.walk(case.pattern) if isinstance(node, ast.MatchValue)]
    classes = [node.cls for node in ast.walk(case.pattern) if isinstance(node, ast.MatchClass)]
    read: list[ast.stmt] = [ast.Expr(node) for node in (*values, *classes, *([case.guard] if case.guard else []))]
    return [*bind, *read, *case.body]


def _branches(bodies: list[list[ast.stmt]], scope: _Scope) -> None:
    """Code that may or may not run: it reads and writes, but binds nothing for certain."""
    for body in bodies:
        inner = _Scope(set(scope.bound), scope.reads, scope.writes, scope.imports)
        _block(body, inner)


def _simple(node: ast.stmt, scope: _Scope) -> None:
    if isinstance(node, ast.Assign):
        _expressions([node.value], scope)
        for target in node.targets:
            _target(target, scope)
    elif isinstance(node, ast.AugAssign):
        if isinstance(node.target, ast.Name):
            _read(node.target.id, scope)
        _expressions([node.value], scope)
        _target(node.target, scope)
    elif isinstance(node, ast.AnnAssign):
        _expressions([node.annotation, *([node.value] if node.value else [])], scope)
        if node.value is not None:
            _target(node.target, scope)
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            _delete(target, scope)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        _import(node, scope)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        _expressions([node], scope)
        _bind(node.name, scope)
    else:
        _expressions(list(ast.iter_child_nodes(node)), scope)


def _import(node: ast.Import | ast.ImportFrom, scope: _Scope) -> None:
    for alias in node.names:
        if isinstance(node, ast.Import):
            scope.imports.add(alias.name)
            _bind(alias.asname or alias.name.partition(".")[0], scope)
        else:
            module = "." * node.level + (node.module or "")
            scope.imports.add(module)
            scope.imports.add(f"{module}.{alias.name}" if node.module else f"{module}{alias.name}")
            _bind(alias.asname or alias.name, scope)


def _target(node: ast.expr, scope: _Scope) -> None:
    if isinstance(node, ast.Name):
        _bind(node.id, scope)
    elif isinstance(node, (ast.Tuple, ast.List)):
        for item in node.elts:
            _target(item, scope)
    elif isinstance(node, ast.Starred):
        _target(node.value, scope)
    else:
        _expressions([node], scope)


def _delete(node: ast.expr, scope: _Scope) -> None:
    if isinstance(node, ast.Name):
        _read(node.id, scope)
        scope.writes.add(node.id)
        scope.bound.discard(node.id)
    elif isinstance(node, (ast.Tuple, ast.List)):
        for item in node.elts:
            _delete(item, scope)
    else:
        _expressions([node], scope)


def _bind(name: str, scope: _Scope) -> None:
    scope.bound.add(name)
    scope.writes.add(name)


def _read(name: str, scope: _Scope) -> None:
    if name not in scope.bound:
        scope.reads.add(name)


def _expressions(nodes: Iterable[ast.AST], scope: _Scope) -> None:
    for node in nodes:
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                _read(node.id, scope)
        elif isinstance(node, ast.NamedExpr):
            _expressions([node.value], scope)
            scope.writes.add(node.target.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            _function(node, scope)
        elif isinstance(node, ast.ClassDef):
            _expressions([*node.decorator_list, *node.bases, *(item.value for item in node.keywords)], scope)
            inner = _Scope(set(scope.bound), scope.reads, set(), scope.imports)
            _block(node.body, inner)
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            _comprehension(node, scope)
        else:
            _expressions(ast.iter_child_nodes(node), scope)


def _comprehension(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: _Scope) -> None:
    inner = _Scope(set(scope.bound), scope.reads, scope.writes, scope.imports)
    for generator in node.generators:
        _expressions([generator.iter], inner)
        inner.bound |= {name.id for name in ast.walk(generator.target) if isinstance(name, ast.Name)}
        _expressions(generator.ifs, inner)
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    _expressions(parts, inner)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: _Scope) -> None:
    arguments = node.args
    _expressions([*arguments.defaults, *(item for item in arguments.kw_defaults if item is not None)], scope)
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    _expressions([item.annotation for item in every if item.annotation is not None], scope)
    body: list[ast.stmt] = [ast.Expr(node.body)] if isinstance(node, ast.Lambda) else node.body
    if not isinstance(node, ast.Lambda):
        _expressions([*node.decorator_list, *([node.returns] if node.returns else [])], scope)
    declared = {name for item in ast.walk(node) if isinstance(item, ast.Global) for name in item.names}
    local = {item.arg for item in every} | _assigned(body)
    inner = _Scope(scope.bound | (local - declared), set(), set(), scope.imports)
    _block(body, inner)
    scope.reads |= inner.reads | (declared - scope.bound)
    scope.writes |= declared


def _assigned(body: Iterable[ast.stmt]) -> set[str]:
    """The names local to a function of this body (without those of the functions inside)."""
    scope = _Scope(set())
    _block(body, scope)
    return scope.writes


def _query_texts(tree: ast.Module) -> set[str]:
    """Constant texts given to `.query(...)` and `.eval(...)`."""
    return {
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("query", "eval")
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def _at_names(text: str) -> set[str]:
    """The variables a pandas query takes from the namespace: `@name`."""
    import re

    return set(re.findall(r"@\s*([^\W\d]\w*)", text))

"""The walk over a cell's names and expressions in the order they run: what is read before it is settled.

A name is settled once the code has bound or deleted it on every path: what it held before can not be seen any more.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.analysis.code import scopes
from jupyter_mlops.analysis.code.changes import changed_by_call, root_of
from jupyter_mlops.analysis.code.magics import EVERYTHING, code_of, magic_call, names_of
from jupyter_mlops.analysis.code.scopes import Called, mangled
from jupyter_mlops.analysis.code.texts import text_reads
from jupyter_mlops.analysis.code.tree import children, walk


@dataclass
class Found:
    """What the walk collects."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    functions: dict[str, Called] = field(default_factory=dict)
    """Name bound to a function or class → what calling it takes."""
    released: set[str] = field(default_factory=set)
    """Functions of the code that it may itself call."""
    escaped: set[str] = field(default_factory=set)
    """Names that functions which may be called look up."""


class CellWalk:
    """A walk of a cell, or of a class body in it (`outer` is then the walk around); `flow.Flow` knows the statements."""

    def __init__(self, found: Found, *, outer: CellWalk | None = None, private: str = ""):
        self.found = found
        self.settled: set[str] = set()
        self.live = True
        self.methods: dict[str, Called] = {}
        """In a class: its functions."""
        self.outer = outer
        self.private = private
        self.hidden: tuple[str, ...] = ()

    def block(self, body: Iterable[ast.stmt]) -> None:
        """Walk statements one after the other, as far as they can be reached."""
        raise NotImplementedError

    # Names

    def read(self, name: str) -> None:
        """Note a read, and what calling the function of that name may read."""
        if name not in self.hidden:
            self._read(mangled(name, self.private), set())

    def _read(self, name: str, seen: set[str]) -> None:
        if self.outer is not None:
            if name not in self.settled:
                self.outer._read(name, seen)
            elif name in self.methods:
                self.release(self.methods[name], name)
            return
        if name not in self.settled:
            self.found.reads.add(name)
        if name in scopes.NAMESPACE and EVERYTHING not in seen:
            self.found.writes.add(EVERYTHING)
            self._read(EVERYTHING, seen)
        if name == EVERYTHING:
            seen.add(name)
            self.found.escaped.add(name)
        for known in list(self.found.functions) if name == EVERYTHING else [name]:
            function = self.found.functions.get(known)
            if function is not None and known not in seen:
                seen.add(known)
                self.found.released.add(known)
                self._release(function, seen)

    def release(self, function: Called, name: str = "") -> None:
        """Note that a function, one of the code's own if it has a name, may be called from here on."""
        self._root()._release(function, set())
        flow = self
        while flow.outer is not None and name:
            flow, name = flow.outer, flow.private
        self.found.released |= {name} - {""}

    def _release(self, function: Called, seen: set[str]) -> None:
        self.found.escaped |= function.reads
        for name in function.reads:
            self._read(name, seen)
        self.found.writes |= function.writes
        self.found.changes |= function.changes

    def reach_everything(self) -> None:
        """Note that any name may be read here, and bound."""
        self.found.writes.add(EVERYTHING)
        self._root()._read(EVERYTHING, set())

    def _root(self) -> CellWalk:
        flow = self
        while flow.outer is not None:
            flow = flow.outer
        return flow

    def bind(self, name: str) -> None:
        """Note that a name is bound or deleted here."""
        name = mangled(name, self.private)
        self.settled.add(name)
        if self.outer is None:
            self.found.writes.add(name)

    def change(self, names: set[str]) -> None:
        """Note that values may be changed in place."""
        if names and self.outer is None:
            self.found.changes |= names.difference(self.hidden)

    def define(self, name: str, function: Called) -> None:
        """Bind a name to a function that is not called yet."""
        if self.outer is not None:
            self.methods.setdefault(name, Called()).add(function)
        else:
            self.found.functions.setdefault(name, Called()).add(function)
            if not self.found.escaped.isdisjoint((name, EVERYTHING)):
                self.release(function, name)
        self.bind(name)

    def target(self, node: ast.expr) -> None:
        """Bind what an assignment binds; read what it goes through."""
        if isinstance(node, ast.Name):
            self.bind(node.id)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self.target(item)
        elif isinstance(node, ast.Starred):
            self.target(node.value)
        else:
            self.expression(node)

    # Expressions

    def each(self, nodes: Iterable[ast.AST]) -> None:
        """Walk expressions in order."""
        for node in nodes:
            self.expression(node)

    def expression(self, node: ast.AST) -> None:
        """Walk one expression, or whatever else holds expressions."""
        visit = _EXPRESSIONS.get(type(node))
        if visit is not None:
            visit(self, node)
        else:
            self.each(children(node))

    def perhaps(self, nodes: Iterable[ast.AST]) -> None:
        """Walk expressions that may not be evaluated."""
        before = set(self.settled)
        self.each(nodes)
        self.settled = before

    def _name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id)

    def _attribute(self, node: ast.Attribute) -> None:
        if node.attr in scopes.FRAME or scopes.reaches_modules(node):
            self.reach_everything()
        if not isinstance(node.ctx, ast.Load):
            self.change(root_of(node))
        self.expression(node.value)

    def _subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.change(root_of(node))
        self.expression(node.value)
        self.expression(node.slice)

    def _walrus(self, node: ast.NamedExpr) -> None:
        self.expression(node.value)
        self.bind(node.target.id)

    def _lambda(self, node: ast.Lambda) -> None:
        self.each(scopes.evaluated_outside(node))
        self._use(scopes.called(node, private=self.private)[0])

    def _use(self, function: Called) -> None:
        """A nameless function may be called at once; names of comprehensions around it are not the module's."""
        inner = Called(function.reads - set(self.hidden), function.writes, function.changes - set(self.hidden))
        self.release(inner)

    def _first_certain(self, node: ast.BoolOp | ast.Compare) -> None:
        certain, rest = (node.values[:1], node.values[1:]) if isinstance(node, ast.BoolOp) else (
            [node.left, node.comparators[0]], node.comparators[1:]
        )  # fmt: skip
        self.each(certain)
        self.perhaps(rest)

    def _choice(self, node: ast.IfExp) -> None:
        self.expression(node.test)
        before = set(self.settled)
        self.expression(node.body)
        one, self.settled = self.settled, before
        self.expression(node.orelse)
        self.settled &= one

    def _dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            self.each([value] if key is None else [key, value])

    def _comprehension(self, node: scopes.Comprehension) -> None:
        self.expression(node.generators[0].iter)
        before, hidden = set(self.settled), self.hidden
        inside: CellWalk = self if self.outer is None else _Inside(self)
        for place, generator in enumerate(node.generators):
            if place:
                inside.perhaps([generator.iter])
            names = tuple(item.id for item in walk(generator.target) if isinstance(item, ast.Name))
            inside.hidden = (*inside.hidden, *names)
            inside.expression(generator.target)
            inside.perhaps(generator.ifs)
        inside.perhaps([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        if isinstance(node, ast.GeneratorExp):
            inner = [item for item in walk(node) if isinstance(item, ast.Name)]
            own = {item.id for item in inner if isinstance(item.ctx, ast.Store)}
            self.found.escaped |= {item.id for item in inner} - own
        self.hidden, self.settled = hidden, before

    def _call(self, node: ast.Call) -> None:
        magic = magic_call(node)
        if magic is None:
            if isinstance(node.func, ast.Name) and node.func.id in ("locals", "vars", "dir") and not node.args:
                self.reach_everything()
            self.each(children(node))
            for name in text_reads(node):
                self.read(name)
            self.change(changed_by_call(node))
            return
        names = names_of(magic)
        for name in names.reads:
            self.read(name)
        inner = code_of(magic)
        if inner is not None and inner[1]:
            body = ast.Lambda(args=NO_ARGUMENTS, body=ast.Constant(None))
            function = ast.FunctionDef(name="_", args=body.args, body=inner[0].body, decorator_list=[])
            self.release(scopes.called(function)[0])
        elif inner is not None:
            self.block(inner[0].body)
        for name in names.writes:
            self.bind(name)


NO_ARGUMENTS = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])


class _Inside(CellWalk):
    """A comprehension inside a class body: it does not see what the class has bound."""

    def __init__(self, around: CellWalk):
        super().__init__(around.found, outer=around.outer, private=around.private)
        self.hidden = around.hidden


_EXPRESSIONS: dict[type, Callable[[CellWalk, Any], None]] = {
    ast.Name: CellWalk._name,
    ast.Attribute: CellWalk._attribute,
    ast.Subscript: CellWalk._subscript,
    ast.NamedExpr: CellWalk._walrus,
    ast.Lambda: CellWalk._lambda,
    ast.BoolOp: CellWalk._first_certain,
    ast.Compare: CellWalk._first_certain,
    ast.IfExp: CellWalk._choice,
    ast.Dict: CellWalk._dict,
    ast.Call: CellWalk._call,
    ast.Constant: lambda flow, node: None,
    **dict.fromkeys(scopes.COMPREHENSIONS, CellWalk._comprehension),
}

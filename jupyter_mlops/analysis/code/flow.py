"""The walk over a cell's statements along the ways it can take: conditions, loops, exceptions, patterns."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.analysis.code import scopes
from jupyter_mlops.analysis.code.changes import root_of
from jupyter_mlops.analysis.code.scopes import Called
from jupyter_mlops.analysis.code.tree import children, walk
from jupyter_mlops.analysis.code.walk import NO_ARGUMENTS, CellWalk, Found

_TRANSPARENT = frozenset({"property", "staticmethod", "classmethod", "abstractmethod", "cached_property", "overload"})
"""Decorators that call nothing of what they decorate when they do."""
_TRANSPARENT_CLASS = frozenset({"dataclass", "total_ordering", "final", "unique"})
_TRANSPARENT_BASES = frozenset(
    str.split(
        "object Exception ValueError RuntimeError BaseEstimator TransformerMixin ClassifierMixin RegressorMixin "
        "ClusterMixin Module Dataset IterableDataset ABC Protocol NamedTuple TypedDict Generic dict list set tuple str int"
    )
)
"""Classes that call nothing of a class derived from them when it is made."""
_PASSING = frozenset(
    str.split(
        "open catch_warnings errstate printoptions option_context no_grad inference_mode enable_grad autocast "
        "context rc_context start_run GradientTape ZipFile TarFile Pool ThreadPoolExecutor "
        "ProcessPoolExecutor TemporaryDirectory BytesIO NamedTemporaryFile connect config_context axes_style "
        "plotting_context color_palette StringIO redirect_stdout redirect_stderr urlopen File ExcelFile "
        "ExcelWriter HDFStore closing nullcontext Lock RLock Semaphore localcontext parallel_backend "
        "parallel_config tqdm read_csv"
    )
)
"""Context managers that let every exception pass, by the last part of their name."""


@dataclass
class _Loop:
    breaks: list[set[str] | None] = field(default_factory=list)
    rounds: list[set[str] | None] = field(default_factory=list)
    """States at the end of a round: by `continue`, or at the bottom."""


class Flow(CellWalk):
    """A walk that knows the statements."""

    def __init__(self, found: Found, *, outer: CellWalk | None = None, private: str = ""):
        super().__init__(found, outer=outer, private=private)
        self.loops: list[_Loop] = []

    def block(self, body: Iterable[ast.stmt]) -> None:
        """Walk statements one after the other, as far as they can be reached."""
        for statement in body:
            if not self.live:
                return
            visit = _STATEMENTS.get(type(statement))
            if visit is not None:
                visit(self, statement)
            else:
                self.each(children(statement))

    def state(self) -> set[str] | None:
        """What is settled here; None where the code cannot be reached."""
        return set(self.settled) if self.live else None

    def go(self, state: set[str] | None) -> None:
        """Go on from another state."""
        self.live = state is not None
        self.settled = set() if state is None else set(state)


def _join(*states: set[str] | None) -> set[str] | None:
    """What is settled whichever of the ways was taken; None where none can be."""
    possible = [state for state in states if state is not None]
    return set.intersection(*possible) if possible else None


def _assign(flow: Flow, node: ast.Assign) -> None:
    if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Lambda):
        flow.each(scopes.evaluated_outside(node.value))
        flow.define(node.targets[0].id, scopes.called(node.value, private=flow.private)[0])
        return
    flow.expression(node.value)
    for target in node.targets:
        flow.target(target)


def _augmented(flow: Flow, node: ast.AugAssign) -> None:
    if isinstance(node.target, ast.Name):
        flow.read(node.target.id)
    flow.change(root_of(node.target))
    flow.expression(node.value)
    flow.target(node.target)


def _annotated(flow: Flow, node: ast.AnnAssign) -> None:
    flow.each([*([node.value] if node.value else []), node.annotation])
    if node.simple and flow.outer is None:  # it is noted in a dictionary of that name, which is changed in place
        flow.read("__annotations__")
        flow.found.writes.add("__annotations__")
    if node.value is not None or not isinstance(node.target, ast.Name):
        flow.target(node.target)


def _delete(flow: Flow, node: ast.Delete) -> None:
    for target in node.targets:
        for item in _flat(target):
            if isinstance(item, ast.Name):
                flow.read(item.id)
            flow.target(item)


def _flat(node: ast.expr) -> list[ast.expr]:
    return [part for item in node.elts for part in _flat(item)] if isinstance(node, (ast.Tuple, ast.List)) else [node]


def _import(flow: Flow, node: ast.Import | ast.ImportFrom) -> None:
    bound, modules = scopes.imported(node)
    flow.found.imports |= modules
    if "__main__" in modules:
        flow.reach_everything()
    for name in bound:
        flow.bind(name)
        if flow.outer is None:
            flow.found.modules.add(name)


def _function(flow: Flow, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    outside = scopes.evaluated_outside(node)
    own = {item.name for item in getattr(node, "type_params", ())}
    hidden, flow.hidden = flow.hidden, (*flow.hidden, *own)
    flow.each(outside)
    flow.hidden = hidden
    function, imports = scopes.called(node, private=flow.private)
    flow.found.imports |= imports
    if any(_last(item) not in _TRANSPARENT and not _is_setter(item) for item in node.decorator_list):
        flow.release(function, node.name)
    flow.define(node.name, function)


def _is_setter(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("setter", "getter", "deleter")


def _last(node: ast.expr) -> str:
    """The last part of a dotted name, with or without a call of it."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _class(flow: Flow, node: ast.ClassDef) -> None:
    flow.each(node.decorator_list)
    own = tuple(item.name for item in getattr(node, "type_params", ()))
    hidden, flow.hidden = flow.hidden, (*flow.hidden, *own)
    flow.each([*node.bases, *(item.value for item in node.keywords)])
    body = Flow(flow.found, outer=flow, private=node.name)
    body.hidden = own
    body.block([item for item in node.body if not isinstance(item, ast.Global)])
    declared = {name for item in node.body if isinstance(item, ast.Global) for name in item.names}
    flow.found.writes |= declared & body.settled
    flow.hidden = hidden
    methods = Called()
    for method in body.methods.values():
        methods.add(method)
    methods.reads -= set(own)
    bases = [base for base in node.bases if _last(base) not in _TRANSPARENT_BASES]
    if bases or node.keywords or any(_last(item) not in _TRANSPARENT_CLASS for item in node.decorator_list):
        flow.release(methods, node.name)
    flow.define(node.name, methods)


def _if(flow: Flow, node: ast.If) -> None:
    flow.expression(node.test)
    before = flow.state()
    flow.block(node.body)
    end = flow.state()
    flow.go(before)
    flow.block(node.orelse)
    flow.go(_join(end, flow.state()))


def _for(flow: Flow, node: ast.For | ast.AsyncFor) -> None:
    flow.expression(node.iter)
    before, loop = flow.state(), _Loop()
    flow.loops.append(loop)
    flow.target(node.target)
    flow.block(node.body)
    flow.loops.pop()
    rounds = _join(flow.state(), *loop.rounds)
    flow.go(rounds if _runs(node.iter) else _join(before, rounds))
    flow.block(node.orelse)
    flow.go(_join(flow.state(), *loop.breaks))


def _runs(node: ast.expr) -> bool:
    """Whether iterating over this has at least one round for certain."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return any(not isinstance(item, ast.Starred) for item in node.elts)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes)) and bool(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("range", "enumerate"):
        if node.func.id == "enumerate":
            return bool(node.args) and _runs(node.args[0])
        numbers = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, int)]
        return len(numbers) == len(node.args) and len(numbers) in (1, 2) and len(range(*numbers)) > 0
    return False


def _while(flow: Flow, node: ast.While) -> None:
    flow.expression(node.test)
    tested, loop = flow.state(), _Loop()
    flow.loops.append(loop)
    flow.block(node.body)
    flow.loops.pop()
    endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
    flow.go(None if endless else tested)
    flow.block(node.orelse)
    flow.go(_join(flow.state(), *loop.breaks))


def _leave(flow: Flow, node: ast.Break | ast.Continue) -> None:
    if flow.loops:
        states = flow.loops[-1].breaks if isinstance(node, ast.Break) else flow.loops[-1].rounds
        states.append(flow.state())
    flow.live = False


def _raise(flow: Flow, node: ast.stmt) -> None:
    flow.each(children(node))
    flow.live = False


def _try(flow: Flow, node: ast.Try) -> None:
    before = set(flow.settled)
    flow.block(node.body)
    flow.block(node.orelse)
    ends = [flow.state()]
    for handler in node.handlers:
        flow.go(before)
        if handler.type is not None:
            flow.expression(handler.type)
        if handler.name:
            flow.bind(handler.name)
        flow.block(handler.body)
        ends.append(flow.state())
    end = _join(*ends)
    flow.go(before)
    flow.block(node.finalbody)
    if not flow.live:
        return
    flow.go(None if end is None else end | flow.settled)


def _with(flow: Flow, node: ast.With | ast.AsyncWith) -> None:
    passing = True
    entered: set[str] | None = None
    for item in node.items:
        flow.expression(item.context_expr)
        if _last(item.context_expr) not in _PASSING:
            passing = False
            entered = set(flow.settled) if entered is None else entered
        if item.optional_vars is not None:
            flow.target(item.optional_vars)
    flow.block(node.body)
    if not passing:
        flow.go(_join(flow.state(), entered))


def _match(flow: Flow, node: ast.Match) -> None:
    flow.expression(node.subject)
    before = flow.state()
    ends: list[set[str] | None] = []
    for case in node.cases:
        flow.go(before)
        _pattern(flow, case.pattern)
        if case.guard is not None:
            flow.expression(case.guard)
        flow.block(case.body)
        ends.append(flow.state())
    last = node.cases[-1]
    certain = last.guard is None and isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
    flow.go(_join(*ends) if certain else _join(before, *ends))


def _pattern(flow: Flow, pattern: ast.pattern) -> None:
    """Read what a pattern compares with, then bind its captures; those of an alternative are bound by each of them."""
    for node in walk(pattern):
        if isinstance(node, (ast.MatchValue, ast.MatchClass)):
            flow.expression(node.value if isinstance(node, ast.MatchValue) else node.cls)
        elif isinstance(node, ast.MatchMapping):
            flow.each(node.keys)
    for node in walk(pattern):
        name = getattr(node, "rest", None) if isinstance(node, ast.MatchMapping) else getattr(node, "name", None)
        if isinstance(name, str):
            flow.bind(name)


def _type_alias(flow: Flow, node: ast.AST) -> None:
    """`type X = ...` evaluates nothing yet: what it names is read when X is asked for its value."""
    holder = ast.FunctionDef(
        name="_", args=NO_ARGUMENTS, body=[node], decorator_list=[]  # type: ignore[list-item]
    )  # fmt: skip
    function, _ = scopes.called(holder)
    flow.define(node.name.id, function)  # type: ignore[attr-defined]


_STATEMENTS: dict[type, Callable[[Flow, Any], None]] = {
    ast.Assign: _assign,
    ast.AugAssign: _augmented,
    ast.AnnAssign: _annotated,
    ast.Delete: _delete,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Break: _leave,
    ast.Continue: _leave,
    ast.Raise: _raise,
    ast.Try: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Match: _match,
    **({ast.TryStar: _try} if hasattr(ast, "TryStar") else {}),
    **({ast.TypeAlias: _type_alias} if hasattr(ast, "TypeAlias") else {}),
}

"""The cell that sets a run's parameters: assignments, and what the parameters cell computes from them, once more.

Values computed from a parameter (`n = 10; m = n * 2`) follow it: the statements of the parameters cell that depend on
what is given are executed again, in their order. So are those without which they would not come out the same, since
they start from what the statements change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jupyter_mlops.analysis.code.names import Names, find_names
from jupyter_mlops.analysis.parameters.declared import before_and_at, bindings
from jupyter_mlops.analysis.parameters.source import SourceWriter, words_of
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.parameter import Member
from jupyter_mlops.errors import InputError

HEAD = "# Parameters"
AGAIN = "# Computed again from the parameters above"
_HIDDEN = {"__annotations__"}
"""Names that an annotation changes."""
NEEDED = "# Parameters that the next cell needs"


@dataclass(frozen=True)
class Injection:
    """`source` is the cell after the parameters cell; `needed` that before it, "" where none is."""

    source: str
    needed: str = ""


@dataclass(frozen=True)
class _CellStatement:
    node: ast.stmt
    source: str
    names: Names
    reads: frozenset[str]
    touches: frozenset[str]
    """Names bound, deleted or changed in place."""


def injection_of(cells: Sequence[Cell], values: Mapping[str, Any]) -> Injection:
    """The cell that gives a notebook the values, and one before the parameters cell where that needs some already.

    Raises `InputError` where a value cannot be written before the parameters cell, and `NotebookError`.
    """
    place = before_and_at(cells)
    statements = [_statement(node, place.source) for node in place.tree.body] if place.tree else []
    words = words_of(cell.source for cell in cells if cell.kind == "code")
    rebound = {name for tree in place.before for name in _rebound(tree.body)}
    here = rebound | _rebound([statement.node for statement in statements]) | values.keys()
    writer = SourceWriter(place.scope, words | values.keys(), frozenset(here))
    set_lines = {name: f"{name} = {writer.source(value)}" for name, value in values.items()}
    again = _again(statements, values.keys())
    lines = [HEAD, *writer.imports.values(), *set_lines.values()]
    if again:
        lines.append(AGAIN)
    for statement in again:
        lines.append(statement.source)
        lines += [line for name, line in set_lines.items() if _is_changed(name, values[name], statement.names)]
    needed = _needed(statements, values)
    before = SourceWriter(place.scope_before, words | values.keys(), frozenset(rebound | values.keys()))
    return Injection("\n".join(lines) + "\n", _needed_source(needed, values, before, place.scope_before.enums))


def _is_changed(name: str, value: Any, names: Names) -> bool:
    """Whether a statement leaves something else in a name that was given."""
    return name in names.writes or (name in names.changes and isinstance(value, (list, dict, set)))


def _needed(statements: Sequence[_CellStatement], values: Mapping[str, Any]) -> list[str]:
    """Required parameters that the parameters cell itself reads."""
    bound = {name for statement in statements for name in statement.names.writes}
    read = {name for statement in statements for name in statement.reads}
    return [name for name in values if name in read and name not in bound]


def _needed_source(names: Sequence[str], values: Mapping[str, Any], writer: SourceWriter, enums: Iterable[str]) -> str:
    if not names:
        return ""
    for name in names:
        value = values[name]
        if isinstance(value, Member) and value.enum not in enums:
            raise InputError(
                f"Parameter '{name}' is needed in the parameters cell before its type {value.enum} is defined there.",
                f"Define {value.enum} in a cell above, or give '{name}' a default.",
            )
    lines = [f"{name} = {writer.source(values[name])}" for name in names]
    return "\n".join([NEEDED, *writer.imports.values(), *lines]) + "\n"


def _again(statements: Sequence[_CellStatement], given: Iterable[str]) -> list[_CellStatement]:
    given = frozenset(given)
    if not given:
        return []
    open_ones = [
        index
        for index, statement in enumerate(statements)
        if not _only_sets(statement, given) and not isinstance(statement.node, (ast.Import, ast.ImportFrom))
    ]
    chosen: set[int] = set()
    before: set[int] | None = None
    while chosen != before:
        before = set(chosen)
        chosen |= {index for index in open_ones if _depends(statements, index, chosen, given)}
    return [statements[index] for index in sorted(chosen)]


def _only_sets(statement: _CellStatement, given: frozenset[str]) -> bool:
    """Whether nothing comes of a statement but a value that is replaced by what is given."""
    names = [name for name, _, _ in bindings(statement.node)]
    return bool(names) and statement.names.writes <= given and set(names) >= statement.names.writes


def _depends(statements: Sequence[_CellStatement], index: int, chosen: set[int], given: frozenset[str]) -> bool:
    statement = statements[index]
    if statement.names.everything or statement.reads & given:
        return True
    for other_index in chosen:
        other = statements[other_index]
        changed = other.touches - given
        # It reads what is computed again, or bound a name after that was.
        if other_index < index and (statement.reads | statement.touches) & changed:
            return True
        # The other starts from what this one made: a value that it changes, or one changed since it read it.
        takes = other.reads | other.touches - other.names.settles
        if other_index > index and statement.touches & changed & takes:
            return True
        if statement.touches & (other.reads - given) and _touched_later(statements, other_index, statement.touches):
            return True
    return False


def _touched_later(statements: Sequence[_CellStatement], index: int, names: frozenset[str]) -> bool:
    read = statements[index].reads
    return any(later.touches & names & read for later in statements[index + 1 :])


def _statement(node: ast.stmt, source: str) -> _CellStatement:
    names = find_names(ast.Module([node], []))
    writes, changes = names.writes - _HIDDEN, names.changes - _HIDDEN
    reads = (names.reads | names.carries) - _HIDDEN
    names = replace(names, writes=writes, changes=changes)
    return _CellStatement(node, _source_of(node, source), names, reads, writes | changes)


def _source_of(node: ast.stmt, source: str) -> str:
    """A statement's text, from its first decorator on."""
    decorators = getattr(node, "decorator_list", [])
    if not decorators:
        return ast.get_source_segment(source, node) or ast.unparse(node)
    first = min(decorator.lineno for decorator in decorators)
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


def _rebound(body: Iterable[ast.stmt]) -> set[str]:
    """Names bound by anything but an import."""
    found: set[str] = set()
    for node in body:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            names = find_names(ast.Module([node], []))
            found |= names.writes - names.modules
    return found

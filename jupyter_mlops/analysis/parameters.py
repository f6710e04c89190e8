"""The parameters a notebook declares: the assignments of its cell tagged `parameters`, and values checked against them.

Everything is read from the source as it stands; nothing is executed. How values are typed: `parameter_types`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jupyter_mlops.analysis.notebook import split_magic
from jupyter_mlops.analysis.parameter_types import fit, is_json_like, named, parse
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.pipeline import Cell
from jupyter_mlops.errors import InputError, NotebookError, UnknownNameError

TAG = "parameters"
_TYPE_COMMENT = re.compile(r"type:\s*(?!ignore)(\S+)\s*(.*)", re.DOTALL)


def parameters_of(cells: Sequence[Cell]) -> tuple[Parameter, ...]:
    """What the notebook declares; nothing where it has no such cell, or one that is no Python (yet)."""
    try:
        return checked_parameters(cells)
    except NotebookError:
        return ()


def checked_parameters(cells: Sequence[Cell]) -> tuple[Parameter, ...]:
    """As `parameters_of`, but a cell that is no Python raises `NotebookError`."""
    cell = parameters_cell(cells)
    if cell is None:
        return ()
    source, tree = _parsed(cell)
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for statement in tree.body:
        for name, annotation, value in _bindings(statement):
            comment = comments.get(statement.end_lineno or 0, "")
            found[name] = _parameter(name, annotation, value, comment, source)
    return tuple(found.values())


def parameters_cell(cells: Iterable[Cell]) -> Cell | None:
    """The code cell tagged `parameters` (the first, as papermill takes it), or None."""
    return next((cell for cell in cells if cell.kind == "code" and TAG in cell.tags), None)


def check_parameters(declared: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given`, proven to fit what is `declared`; a whole number given for a float becomes one.

    Raises `UnknownNameError` for an undeclared name and `InputError` for a value of the wrong type, or that could not
    be written down as JSON, or that is missing.
    """
    by_name = {parameter.name: parameter for parameter in declared}
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in by_name:
            raise _unknown(name, by_name)
        checked[name] = _checked(by_name[name], value)
    for parameter in declared:
        if parameter.name not in given and not parameter.has_default and not parameter.default_source:
            raise InputError(
                f"Parameter '{parameter.name}' ({parameter.type}) has no value.",
                f"Give one: -p {parameter.name} VALUE, or a default in the cell tagged 'parameters'.",
            )
    return checked


def parse_value(parameter: Parameter, text: str) -> Any:
    """The value that `text` (of a command line or a form) stands for, by the parameter's type. Raises `InputError`.

    A text stays as it is where a str is declared ("007"); lists and dicts are JSON or Python literals.
    """
    try:
        value = parse(parameter.type, text, none=_takes_none(parameter))
    except ValueError as error:
        raise _mistyped(parameter, repr(text), str(error)) from None
    return _checked(parameter, value)


def all_values(declared: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a run records: the defaults, overridden by what was given.

    A default that is no JSON-like literal is there as its source text (`"date.today()"`).
    """
    defaults = {
        parameter.name: parameter.default if parameter.has_default else parameter.default_source
        for parameter in declared
        if parameter.has_default or parameter.default_source
    }
    return {**defaults, **given}


def derived_from(cells: Sequence[Cell], names: Iterable[str]) -> dict[str, list[str]]:
    """Other names that the parameters cell computes from `names`: they keep the value computed from the defaults."""
    cell = parameters_cell(cells)
    if cell is None:
        return {}
    try:
        _, tree = _parsed(cell)
    except NotebookError:
        return {}
    wanted = set(names)
    found: dict[str, list[str]] = {}
    for statement in tree.body:
        for name, _, value in _bindings(statement):
            if value is None or name in wanted:
                continue
            read = sorted({node.id for node in ast.walk(value) if isinstance(node, ast.Name)} & wanted)
            if read:
                found[name] = read
    return found


def _parsed(cell: Cell) -> tuple[str, ast.Module]:
    try:
        _, source = split_magic(cell.source)
    except InputError:
        source = cell.source
    # Line magics and shell lines are no Python; as comments they keep the line numbers.
    source = re.sub(r"(?m)^(?=[%!])", "# ", source)
    try:
        return source, ast.parse(source)
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise NotebookError(
            f"The cell tagged 'parameters' is not valid Python: {getattr(error, 'msg', error)}{where}.",
            "Write one assignment per line, such as: alpha: float = 0.1  # learning rate",
            cell_id=cell.id,
        ) from error


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """(name, annotation, value) of each plain name that a statement assigns."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.annotation, statement.value
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, None, statement.value
            elif (
                isinstance(target, (ast.Tuple, ast.List))
                and isinstance(statement.value, (ast.Tuple, ast.List))
                and len(target.elts) == len(statement.value.elts)
            ):
                for item, value in zip(target.elts, statement.value.elts, strict=True):
                    if isinstance(item, ast.Name):
                        yield item.id, None, value


def _parameter(name: str, annotation: ast.expr | None, value: ast.expr | None, comment: str, source: str) -> Parameter:
    typed = _TYPE_COMMENT.match(comment) if annotation is None else None
    if typed:
        comment = typed[2]
    literal, is_literal = _literal(value)
    if annotation is not None:
        kind = _annotation_text(annotation)
    elif typed:
        kind = typed[1]
    else:
        kind = type(literal).__name__ if is_literal and literal is not None else "any"
    keeps = is_literal and is_json_like(literal)
    return Parameter(
        name=name,
        type=kind,
        default=literal if keeps else None,
        has_default=keeps,
        default_source="" if value is None else (ast.get_source_segment(source, value) or ast.unparse(value)),
        help=comment,
    )


def _annotation_text(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value.strip()
    return ast.unparse(annotation)


def _literal(value: ast.expr | None) -> tuple[Any, bool]:
    if value is None:
        return None, False
    try:
        return ast.literal_eval(value), True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None, False


def _comments(source: str) -> dict[int, str]:
    """The comment that ends each line, without its sign; lines that are nothing but a comment do not count."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                found[token.start[0]] = token.string.lstrip("#").strip()
    except tokenize.TokenError:
        pass
    return found


def _takes_none(parameter: Parameter) -> bool:
    return parameter.has_default and parameter.default is None


def _checked(parameter: Parameter, value: Any) -> Any:
    if not is_json_like(value):
        raise InputError(
            f"Parameter '{parameter.name}' cannot take {value!r} ({type(value).__name__}): it has no exact JSON form.",
            "Parameters are text, finite numbers, true/false, None, and lists and dicts (with text keys) of these.",
        )
    if value is None and _takes_none(parameter):
        return None
    try:
        return fit(parameter.type, value)
    except ValueError as error:
        raise _mistyped(parameter, repr(value), str(error)) from None


def _mistyped(parameter: Parameter, shown: str, reason: str) -> InputError:
    hint = f"Give {named(parameter.type)}"
    hint += f", as its default {parameter.default_source} is." if parameter.default_source else "."
    return InputError(
        f"Parameter '{parameter.name}' is declared {parameter.type}, and {shown} is not: {reason}.",
        hint,
        parameter=parameter.name,
    )


def _unknown(name: str, known: Mapping[str, Parameter]) -> UnknownNameError:
    if known:
        return UnknownNameError.among("parameter", name, known)
    return UnknownNameError(
        f"There is no parameter named '{name}': the notebook declares none.",
        "Tag the cell that assigns it 'parameters' (in JupyterLab: the gears at the top right, Cell Tags).",
    )

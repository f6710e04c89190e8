"""The parameters a notebook declares: the assignments of its cell tagged `parameters`, and values checked against them.

Everything is read from the source as it stands; nothing is executed. How values are typed: `parameter_types`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_mlops.analysis.code.bounds import UnreadError, check_depth, check_length, read
from jupyter_mlops.analysis.parameters.annotations import definition_of, described, enum_definition
from jupyter_mlops.analysis.parameters.constants import evaluate
from jupyter_mlops.analysis.parameters.scope import Scope, bind, scope_of
from jupyter_mlops.analysis.parameters.types import base_of, choices_of, fit, named, parse, range_of
from jupyter_mlops.analysis.parameters.values import from_stored, is_value, to_plain
from jupyter_mlops.analysis.pipeline.cells import split_magic
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.parameter import SECRET, Member, Parameter, SecretReference
from jupyter_mlops.errors import InputError, NotebookError, UnknownNameError

TAG = "parameters"
_TYPE_COMMENT = re.compile(r"type:\s*(?!ignore)(\S+)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class ParametersCell:
    """The parameters cell among the others: its source and tree (None where there is no such cell)."""

    source: str = ""
    tree: ast.Module | None = None
    before: tuple[ast.Module, ...] = ()
    """The code cells above it that are Python."""
    scope_before: Scope = field(default_factory=Scope)
    scope: Scope = field(default_factory=Scope)
    """What names stand for after it."""


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
    scope = scope_of(_above(cells, cell))
    parameters: dict[str, Parameter] = {}
    for statement in tree.body:
        for name, annotation, value in bindings(statement):
            comment = comments.get(statement.end_lineno or 0, "")
            made = _parameter(name, annotation, value, comment, source, scope)
            parameters[name] = _joined(parameters.get(name), made, annotation)
        bind(statement, scope)
    return tuple(parameters.values())


def parameters_cell(cells: Iterable[Cell]) -> Cell | None:
    """The code cell tagged `parameters` (the first, as papermill takes it), or None."""
    return next((cell for cell in cells if cell.kind == "code" and TAG in cell.tags), None)


def before_and_at(cells: Sequence[Cell]) -> ParametersCell:
    """The parameters cell and what stands above it. Raises `NotebookError` where it is no Python."""
    cell = parameters_cell(cells)
    if cell is None:
        return ParametersCell()
    source, tree = _parsed(cell)
    before = tuple(_above(cells, cell))
    return ParametersCell(source, tree, before, scope_of(before), scope_of([*before, tree]))


def check_parameters(declared: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that `given` stands for, proven to fit what is `declared`.

    Given are values themselves or their JSON forms; a text "secret:NAME" stands for a secret, whatever the type.
    Raises `UnknownNameError` for an undeclared name and `InputError` for a value of the wrong type or out of range, or
    that could not be written down exactly, or that is missing.
    """
    by_name = {parameter.name: parameter for parameter in declared}
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in by_name:
            raise _unknown(name, by_name)
        checked[name] = check_value(by_name[name], value)
    for parameter in declared:
        if parameter.name not in given and parameter.required:
            raise InputError(
                f"Parameter '{parameter.name}' ({parameter.type}) has no value.",
                f"Set one: -p {parameter.name} VALUE, or a default in the cell tagged 'parameters'.",
            )
    return checked


def parse_value(parameter: Parameter, text: str) -> Any:
    """The value that `text` (of a command line or a form) stands for, by the parameter's type. Raises `InputError`.

    A text stays as it is where a str is declared ("007"); lists and dicts are JSON or Python literals.
    """
    if text.startswith("secret:"):
        return _secret(parameter, text)
    try:
        value = parse(_definition(parameter), text, none=_takes_none(parameter))
    except ValueError as error:
        raise _mistyped(parameter, repr(text), str(error)) from None
    return check_value(parameter, value, shown=repr(text))


def check_value(parameter: Parameter, value: Any, *, shown: str = "") -> Any:
    """One value as `check_parameters` takes it; an error shows it as `shown`."""
    if isinstance(value, str) and value.startswith("secret:"):
        return _secret(parameter, value)
    if isinstance(value, SecretReference) or (value is None and _takes_none(parameter)):
        return value
    shown = shown or _shown(value)
    try:
        fitting = fit(_definition(parameter), from_stored(value))
    except ValueError as error:
        raise _mistyped(parameter, shown, str(error)) from None
    if not is_value(fitting):
        raise InputError(
            f"Parameter '{parameter.name}' cannot take {shown} ({type(value).__name__}): it cannot be recorded exactly.",
            "Parameters can be text, numbers, true/false, None, dates, times, durations, paths, decimals, members of Enums, "
            "and lists, tuples, sets and dicts of these.",
        )
    return fitting


def all_values(declared: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a run records, in JSON form: the defaults, overridden by what was given.

    A default that is not plain to see is there as its source text (`"date.today()"`).
    """
    defaults = {
        parameter.name: parameter.default if parameter.has_default else parameter.default_source
        for parameter in declared
        if not parameter.required
    }
    return {**defaults, **{name: to_plain(value) for name, value in given.items()}}


def _above(cells: Sequence[Cell], place: Cell) -> Iterator[ast.Module]:
    for cell in cells:
        if cell is place:
            return
        if cell.kind == "code":
            try:
                yield _parsed(cell)[1]
            except NotebookError:
                continue


def _parsed(cell: Cell) -> tuple[str, ast.Module]:
    try:
        _, source = split_magic(cell.source)
    except InputError:
        source = cell.source
    # Line magics and shell lines are no Python; as comments they keep the line numbers.
    source = re.sub(r"(?m)^(?=[%!])", "# ", source)
    try:
        check_length(source)
        tree = read(lambda: ast.parse(source))
        check_depth(tree)
        return source, tree
    except (SyntaxError, ValueError) as error:
        if isinstance(error, UnreadError):
            raise NotebookError(
                f"The cell tagged 'parameters' {error}.",
                "Keep parameters simple, and create large or deeply nested values in a separate cell.",
                cell_id=cell.id,
            ) from error
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise NotebookError(
            f"The cell tagged 'parameters' is not valid Python: {getattr(error, 'msg', error)}{where}.",
            "Write one assignment per line, such as: alpha: float = 0.1  # learning rate",
            cell_id=cell.id,
        ) from error


def bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
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


def _parameter(
    name: str, annotation: ast.expr | None, value: ast.expr | None, comment: str, source: str, scope: Scope
) -> Parameter:
    typed = _TYPE_COMMENT.match(comment) if annotation is None else None
    if typed:
        comment = typed[2]
    default, is_known = _default(value, scope)
    definition = ""
    if annotation is not None:
        kind = _annotation_text(annotation)
        definition = definition_of(annotation, scope)
        comment = comment or described(annotation, scope)
    elif typed:
        kind = typed[1]
        definition = definition_of(ast.Constant(kind), scope)
    else:
        kind, definition = _type_of(default, scope) if is_known else ("any", "Any")
    if definition.startswith("Unknown[") and is_known and is_value(default) and default is not None:
        # Of a type that only execution knows, a default that is plain to see tells enough.
        definition = _type_of(default, scope)[1]
    keeps = is_known and is_value(default)
    return Parameter(
        name=name,
        type=kind,
        default=to_plain(default) if keeps else None,
        has_default=keeps,
        default_source="" if value is None else (ast.get_source_segment(source, value) or ast.unparse(value)),
        help=comment,
        definition=definition,
        base=base_of(definition),
        choices=choices_of(definition),
        range=range_of(definition),
        typed_by_default=annotation is None and typed is None and kind != "any",
    )


def _joined(before: Parameter | None, made: Parameter, annotation: ast.expr | None) -> Parameter:
    """A name that is assigned once more: it keeps the type that it was declared with."""
    if before is None or annotation is not None or before.default_source:
        return made
    return replace(
        before,
        default=made.default,
        has_default=made.has_default,
        default_source=made.default_source,
        help=made.help or before.help,
    )


def _annotation_text(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value.strip()
    return ast.unparse(annotation)


def _default(value: ast.expr | None, scope: Scope) -> tuple[Any, bool]:
    if value is None:
        return None, False
    try:
        return evaluate(value, scope), True
    except ValueError:
        return None, False


def _type_of(value: Any, scope: Scope) -> tuple[str, str]:
    """The type that a default has, and its definition."""
    if value is None or isinstance(value, SecretReference):
        return "any", "Any"
    if isinstance(value, Member):
        return value.enum, enum_definition(value.enum, scope)
    name = next((base for base in ("Path",) if base in type(value).__name__), type(value).__name__)
    return name, name if is_value(value) else f"Unknown[{name!r}]"


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


def _definition(parameter: Parameter) -> str:
    return parameter.definition or definition_of(ast.Constant(parameter.type), Scope())


def _takes_none(parameter: Parameter) -> bool:
    return parameter.has_default and parameter.default is None


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:
        return "a number with more digits than Python can print"


def _secret(parameter: Parameter, text: str) -> SecretReference:
    match = SECRET.match(text)
    if match is None:
        raise InputError(
            f"Parameter '{parameter.name}': {text!r} is not the name of a secret.",
            "A secret's name consists of letters, digits and _ . - /, as in secret:db/password.",
        )
    return SecretReference(match[1])


def _mistyped(parameter: Parameter, shown: str, reason: str) -> InputError:
    definition, default = _definition(parameter), parameter.default_source
    if "Unknown[" in definition:
        hint = "Declare a plain type, a Literal or an Enum that the notebook itself defines"
        hint += f", or leave it at its default {default}." if default else "."
    else:
        hint = f"Give {named(definition)}" + (f", as its default {default} is." if default else ".")
    kind = f"has a default of type {parameter.type}" if parameter.typed_by_default else f"is declared {parameter.type}"
    return InputError(
        f"Parameter '{parameter.name}' {kind}, and {shown} is not: {reason}.",
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

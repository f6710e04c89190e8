"""What is asked for, checked before anything starts: a notebook that can be read, parameters that fit, a kernel there is."""

from __future__ import annotations

import ast
import contextlib
import keyword
import os
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.parameters.constants import evaluate
from jupyter_mlops.analysis.parameters.declared import all_values, check_parameters, check_value, checked_parameters
from jupyter_mlops.analysis.parameters.scope import scope_of
from jupyter_mlops.analysis.parameters.values import is_value, same, to_plain, to_stored
from jupyter_mlops.analysis.pipeline.cells import cells_of, checked_steps
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.parameter import Asked, Parameter, SecretReference
from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import InputError
from jupyter_mlops.execution.kernels.specs import find_kernel, is_this_python, kernel_name_of
from jupyter_mlops.store.files.notebooks import parse_notebook, read_bytes
from jupyter_mlops.store.project.folder import project_for
from jupyter_mlops.store.project.limits import parameter_limit

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

INJECTED = "injected-parameters"
LONGEST_NAME = 250
"""Characters of a parameter's name: as many as MLflow takes."""


@dataclass(frozen=True)
class Request:
    """A notebook and parameters that can be run.

    `arguments` are the values that were asked for, `given` these in JSON form, from which `check_request` makes the same
    values again. `values` is all that the run records, as JSON to look at.
    """

    path: Path
    data: bytes
    notebook: dict[str, Any]
    kernel_name: str
    language: str
    same_python: bool
    given: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def check_request(
    path: Path, parameters: Mapping[str, Any], *, kernel: str | None = None, bounded: bool = True
) -> Request:
    """What running the notebook at `path`, as it is now, takes.

    Values may be as large as the project allows, but where they are not `bounded`: those of an earlier run.

    Raises `UnknownNameError`, `NotebookError` or `InputError`.
    """
    path = Path(os.path.abspath(path))
    data = read_bytes(path)
    return check_parsed(path, data, parse_notebook(data, str(path)), parameters, kernel=kernel, bounded=bounded)


def check_parsed(
    path: Path,
    data: bytes,
    notebook: dict[str, Any],
    parameters: Mapping[str, Any],
    *,
    kernel: str | None = None,
    bounded: bool = True,
) -> Request:
    """As `check_request`, with the bytes of the notebook, which are parsed already."""
    cells = cells_of(notebook)
    name = kernel_name_of(notebook, kernel)
    spec = find_kernel(name)
    python = spec.language == "python"
    if python:
        checked_steps(cells)
    if bounded:
        check_names(parameters)
    given, arguments, values = check_values(cells, parameters, python=python)
    if bounded:
        check_names(values)
        check_sizes(path, given)
    if python and not given:
        # Left by an earlier execution, and executed again: papermill replaces the cell only where something is given.
        values |= {name: to_plain(value) for name, value in injected_values(cells).items() if is_value(value)}
    return Request(
        path=path,
        data=data,
        notebook=notebook,
        kernel_name=name,
        language=str(spec.language),
        same_python=is_this_python(spec),
        given=given,
        values=values,
        arguments=arguments,
        sources=_sources(parameters),
    )


def check_values(
    cells: tuple[Cell, ...], parameters: Mapping[str, Any], *, python: bool, loose: bool = False
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(given, arguments, values), as a request has them, of a notebook's cells.

    With `loose`, names no cell declares pass where nothing is declared.
    """
    declared = checked_parameters(cells) if python else ()
    if declared or (python and not loose):
        arguments = check_parameters(declared, parameters)
    else:
        arguments = _check_undeclared(parameters)
    by_name = {parameter.name: parameter for parameter in declared}
    given = {
        name: to_stored(value, partial(check_value, by_name.get(name, Parameter(name, "any"))))
        for name, value in arguments.items()
    }
    return given, arguments, all_values(declared, arguments)


def check_names(names: Iterable[str]) -> None:
    """Refuse a name that is too long for a parameter. Raises `InputError`."""
    for name in names:
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"The name of a parameter that begins with '{name[:40]}' has {len(name):,} characters;"
                f" the limit is {LONGEST_NAME}.",
                "Give it a shorter name: MLflow takes no longer ones.",
            )


def check_sizes(path: Path, given: Mapping[str, Any]) -> None:
    """Refuse what is too large for a parameter in the project of the notebook at `path`. Raises `InputError`."""
    most = parameter_limit(project_for(path))
    for name, value in given.items():
        size = len(dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > most:
            raise InputError(
                f"Parameter '{name}' takes {size:,} bytes; the limit is {most:,}.",
                "Write the value into a file and pass its path, or set `limit` in `[parameters]` of mlops.toml.",
                parameter=name,
            )


def _check_undeclared(parameters: Mapping[str, Any]) -> dict[str, Any]:
    for name in parameters:
        if not name.isidentifier() or keyword.iskeyword(name) or unicodedata.normalize("NFKC", name) != name:
            raise InputError(
                f"'{name}' is not a valid parameter name.",
                "Use letters, digits and '_', no digit first and no Python keyword.",
            )
    return {name: check_value(Parameter(name, "any"), value) for name, value in parameters.items()}


def _sources(parameters: Mapping[str, Any]) -> dict[str, str]:
    return dict(parameters.sources) if isinstance(parameters, Asked) else {}


def injected_values(cells: Iterable[Cell]) -> dict[str, Any]:
    """What papermill's injected cell sets, as far as that is plain to see."""
    cells = tuple(cells)
    cell = next((cell for cell in cells if INJECTED in cell.tags), None)
    values: dict[str, Any] = {}
    with contextlib.suppress(SyntaxError):
        tree = ast.parse(cell.source if cell is not None else "")
        scope = scope_of([tree])
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                with contextlib.suppress(ValueError):
                    values[statement.targets[0].id] = evaluate(statement.value, scope)
    return values


def check_injected(cells: Iterable[Cell], arguments: Mapping[str, Any]) -> None:
    """Prove that papermill's injected cell sets what was given: it makes texts of tuples, paths and dates, unasked.

    Raises `InputError`.
    """
    for name, written in injected_values(cells).items():
        if name not in arguments or isinstance(arguments[name], SecretReference):
            continue
        value = arguments[name]
        # An int given for a float is a float in the record, and equal.
        is_int = type(value) is float and type(written) is int and value == written
        if not is_int and not same(written, value):
            raise InputError(
                f"papermill would set '{name}' to {written!r}, which is not the value you passed, {value!r}.",
                "papermill itself has no such values: pass it with `jupyter mlops run -p`, or declare a list instead of a "
                "tuple, a text instead of a path or date.",
            )


def given_of(run: Run, notebook: Mapping[str, Any]) -> Asked:
    """What was asked for when the run was, in JSON form.

    Runs of before this was recorded: the recorded values that differ from the notebook's defaults.
    """
    if run.options.given:
        return Asked(dict(run.options.given), dict(run.options.sources))
    defaults = all_values(checked_parameters(cells_of(notebook)), {})
    return Asked(
        {
            name: value
            for name, value in run.parameters.items()
            if name not in defaults or repr(defaults[name]) != repr(value)
        }
    )


def request_of(store: Store, run: Run, *, with_edit: bool = False) -> Request:
    """What a recorded run was asked to do, to be done now: its notebook's bytes and parameters are those in the store.

    With `with_edit` the notebook is taken as it is now. Raises as `check_request`.
    """
    if run.notebook_object is None:
        raise InputError(f"The notebook of run {run.number} was not stored.", f"Submit {run.notebook} again.")
    path = store.root / run.notebook
    stored = bytes(store.objects.get(run.notebook_object))
    notebook = parse_notebook(stored, run.notebook)
    given = given_of(run, notebook)
    if with_edit:
        return check_request(path, given, kernel=run.kernel_name, bounded=False)
    path = Path(os.path.abspath(path))
    return check_parsed(path, stored, notebook, given, kernel=run.kernel_name, bounded=False)


def default_output(store: Store, run: Run) -> Path:
    """`runs/<notebook>-<number>.ipynb` of the project; never a file that is there already."""
    stem = f"{Path(run.notebook).stem}-{run.number}"
    folder = store.root / "runs"
    path, copy = folder / f"{stem}.ipynb", 1
    while path.exists():
        copy += 1
        path = folder / f"{stem}-{copy}.ipynb"
    return path

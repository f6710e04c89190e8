"""`params`: what a notebook declares, and which values it would run with; and where the values that are asked for come from.

In this order: `-p`, the files given with `-f` (the last first), the environment variables `MLOPS_PARAM_<NAME>`, and
the defaults in the notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, time
from pathlib import Path
from typing import Any

from jupyter_mlops.analysis.parameters.declared import check_value, checked_parameters, parse_value
from jupyter_mlops.analysis.parameters.values import to_plain
from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.domain.parameter import Asked, Parameter
from jupyter_mlops.domain.variables import PARAMETER_PREFIX
from jupyter_mlops.errors import InputError, MLOpsError, UnknownNameError
from jupyter_mlops.operations.parameters.files import read_parameter_file
from jupyter_mlops.store.files.notebooks import read_notebook

ARGUMENT = "-p"
DEFAULT = "default"
MISSING = "missing"


@dataclass(frozen=True)
class ParameterValue(Parameter):
    """A parameter with the value it would have now, in JSON form, and what gives it: "-p", a file, a variable, "default"."""

    value: Any = None
    source: str = DEFAULT


def list_parameters(notebook: Path, asked: Mapping[str, Any] | None = None) -> list[ParameterValue]:
    """The parameters of a notebook with their values. Raises `UnknownNameError` or `NotebookError`."""
    asked = asked if isinstance(asked, Asked) else Asked(dict(asked or {}))
    listed = []
    for parameter in checked_parameters(cells_of(read_notebook(notebook))):
        value = parameter.default if parameter.has_default else parameter.default_source or None
        source = MISSING if parameter.required else DEFAULT
        if parameter.name in asked:
            value, source = to_plain(asked[parameter.name]), asked.sources.get(parameter.name, "asked")
        known = {each.name: getattr(parameter, each.name) for each in fields(Parameter)}
        listed.append(ParameterValue(**known, value=value, source=source))
    return listed


def read_parameters(
    notebook: Path,
    texts: Sequence[tuple[str, str]],
    files: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> Asked:
    """Values from names and texts (`-p NAME VALUE`), files and environment variables, by the types the notebook declares.

    Raises `UnknownNameError` with a did-you-mean, or `InputError`.
    """
    variables = {name: text for name, text in (environment or {}).items() if name.startswith(PARAMETER_PREFIX)}
    if not texts and not files and not variables:
        return Asked()
    declared = {parameter.name: parameter for parameter in checked_parameters(cells_of(read_notebook(notebook)))}
    given: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, variable in _variables(declared, variables).items():
        given[name] = _told(variable, parse_value, declared[name], variables[variable])
        sources[name] = variable
    for path in files:
        for name, value in read_parameter_file(path).items():
            _check_name(name, declared, str(path))
            given[name] = _told(str(path), _check_of_file, declared[name], value)
            sources[name] = path.name
    seen = set()
    for name, text in texts:
        if name in seen:
            raise InputError(f"Parameter '{name}' is given twice.", "Give it only once.")
        seen.add(name)
        _check_name(name, declared)
        given[name] = parse_value(declared[name], text)
        sources[name] = ARGUMENT
    order = [*(name for name, _ in texts), *(name for name in given if name not in seen)]
    return Asked({name: given[name] for name in order}, {name: sources[name] for name in order})


def unused_variables(notebook: Path, environment: Mapping[str, str]) -> list[str]:
    """Environment variables that look like one for a parameter, and name none of this notebook.

    Raises as `read_notebook`, where the notebook cannot be read.
    """
    declared = {parameter.name: parameter for parameter in checked_parameters(cells_of(read_notebook(notebook)))}
    variables = {name: text for name, text in environment.items() if name.startswith(PARAMETER_PREFIX)}
    used = _variables(declared, variables).values()
    return sorted(name for name in variables if name not in used)


def _variables(declared: Mapping[str, Parameter], variables: Mapping[str, str]) -> dict[str, str]:
    """Parameter → the variable that sets it: the one of its very name, else of its name in capitals."""
    found = {name: f"{PARAMETER_PREFIX}{name}" for name in declared if f"{PARAMETER_PREFIX}{name}" in variables}
    taken = set(found.values())
    for name in declared:
        upper = f"{PARAMETER_PREFIX}{name.upper()}"
        if name not in found and upper in variables and upper not in taken:
            found[name] = upper
    return found


def _check_name(name: str, declared: Mapping[str, Parameter], place: str = "") -> None:
    if name in declared:
        return
    where = f" (in {place})" if place else ""
    if not declared:
        raise UnknownNameError(
            f"There is no parameter named '{name}'{where}: the notebook declares none.",
            "Tag the cell that assigns it 'parameters'.",
        )
    error = UnknownNameError.among("parameter", name, declared)
    raise UnknownNameError(f"{error.message.rstrip('.')}{where}.", error.hint)


def _check_of_file(parameter: Parameter, value: Any) -> Any:
    """A value as a file's format reads it, which may take for a date or a number what was meant as a text."""
    try:
        return check_value(parameter, value)
    except InputError as error:
        if parameter.base == "str" and isinstance(value, (date, time, bool, int, float)):
            error.hint = f"If you mean a text, put it in quotes in the file. {error.hint}"
        raise


def _told(place: str, read: Any, parameter: Parameter, value: Any) -> Any:
    """What `read` gives; an error says where the value came from."""
    try:
        return read(parameter, value)
    except MLOpsError as error:
        raise InputError(f"{place}: {error.message}", error.hint) from error

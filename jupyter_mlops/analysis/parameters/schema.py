"""Parameters as JSON Schema (draft 2020-12): what a form or another program has to know to ask for a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_mlops.analysis.parameters.types import adapter
from jupyter_mlops.domain.parameter import Parameter


def json_schema(parameters: Sequence[Parameter], title: str) -> dict[str, Any]:
    """The schema of an object that gives the parameters their values, in JSON form."""
    found: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {parameter.name: _property(parameter) for parameter in parameters},
        "additionalProperties": False,
    }
    required = [parameter.name for parameter in parameters if parameter.required]
    return {**found, "required": required} if required else found


def _property(parameter: Parameter) -> dict[str, Any]:
    made = adapter(parameter.definition or parameter.type, reading=False).json_schema()
    if parameter.has_default:
        made["default"] = parameter.default
        if parameter.default is None and made and not _takes_null(made):
            made = {"anyOf": [made, {"type": "null"}], "default": made.pop("default")}
    if parameter.help:
        made["description"] = parameter.help
    return made


def _takes_null(schema: dict[str, Any]) -> bool:
    kinds = [schema, *schema.get("anyOf", [])]
    return any(kind.get("type") == "null" or None in kind.get("enum", ()) for kind in kinds) or "type" not in schema

"""Files of parameters: one mapping from name to value, in YAML, JSON or TOML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.errors import InputError, UnknownNameError


def read_parameter_file(path: Path) -> dict[str, Any]:
    """The values of a file by name, as the file's format types them. Raises `UnknownNameError` or `InputError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UnknownNameError(f"There is no file '{path}'.", "Give a YAML, JSON or TOML file after -f.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' cannot be read: {error}.", "Give a YAML, JSON or TOML file after -f.") from error
    readers = {".json": _json, ".toml": _toml, ".yaml": _yaml, ".yml": _yaml}
    if path.suffix.lower() not in readers:
        raise InputError(
            f"'{path.name}' does not have the name of a parameters file.", "Its name must end in .yaml, .json or .toml."
        )
    try:
        values = readers[path.suffix.lower()](text)
    except ValueError as error:
        raise InputError(
            f"'{path}' cannot be read: {error}.", "Write a mapping of names to values, one per line: alpha: 0.5"
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"'{path}' is not a mapping of names to values.", "Write one line per parameter: alpha: 0.5")
    return values


def _json(text: str) -> Any:
    return loads(text, object_pairs_hook=_unique)


def _toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    import yaml

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        _unique([(loader.construct_object(key, True), None) for key in own])
        loader.flatten_mapping(node)
        return {loader.construct_object(key, True): loader.construct_object(item, True) for key, item in node.value}

    loader: Any = type("Loader", (yaml.SafeLoader,), {"__doc__": "YAML that minds a key that is there twice."})
    loader.add_constructor("tag:yaml.org,2002:map", mapping)
    try:
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in pairs:
        try:
            if key in found:
                raise ValueError(f"{key!r} appears twice")
            found[key] = value
        except TypeError as error:
            raise ValueError(f"{key!r} cannot be a key") from error
    return found

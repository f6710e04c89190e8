"""Writes what `to_wire` sends in TypeScript, `framework/wire.ts`: `python -m jupyter_mlops.server.framework.wire`.

The interfaces are named as the dataclasses. With `--check` nothing is written and the exit code says whether the file
is fresh. The text is as prettier leaves it (single quotes, no trailing commas, 80 columns).
"""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.pipeline import PipelineStatus
from jupyter_mlops.domain.reason import Reason, Reasons
from jupyter_mlops.domain.schedule import ScheduleDetail
from jupyter_mlops.server.framework.answers import Changed, ErrorAnswer, OpenedRun, RunDetail, RunList, ScheduleList

TARGET = Path(__file__).resolve().parents[3] / "labextension" / "src" / "framework" / "wire.ts"
ROOTS: tuple[type, ...] = (
    Cell,
    Parameter,
    PipelineStatus,
    RunList,
    RunDetail,
    OpenedRun,
    ScheduleList,
    ScheduleDetail,
    ErrorAnswer,
    Changed,
)
WIDTH = 80

_HEADER = """\
// Made from the dataclasses of jupyter_mlops by `python -m jupyter_mlops.server.framework.wire`.
// Change those and run it again; a test compares.

/** A value of JSON. */
export type Json =
  null | boolean | number | string | Json[] | { [key: string]: Json };

/** A number measured by a user's code: JSON has no word for the last three. */
export type Measured = number | 'nan' | 'inf' | '-inf';
"""

_SCALARS: dict[Any, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    datetime: "string",
    Reason: "string",
    Reasons: "string",
    Any: "Json",
}


def typescript() -> str:
    """The whole text of `wire.ts`."""
    return "\n".join([_HEADER, *(_declaration(kind) for kind in _in_order(ROOTS))])


def _in_order(roots: Sequence[type]) -> list[type]:
    """The roots and all they are made of, each after what it is made of."""
    seen: dict[type, None] = {}

    def visit(kind: Any) -> None:
        for part in get_args(kind):
            visit(part)
        if not isinstance(kind, type) or kind in seen or kind in _SCALARS:
            return
        if is_dataclass(kind):
            for base in kind.__bases__:
                visit(base)
            for part in get_type_hints(kind).values():
                visit(part)
            seen[kind] = None
        elif issubclass(kind, Enum):
            seen[kind] = None

    for root in roots:
        visit(root)
    return list(seen)


def _declaration(kind: type) -> str:
    return _enum(kind) if issubclass(kind, Enum) else _interface(kind)


def _enum(kind: type[Enum]) -> str:
    words = [f"'{member.value}'" for member in kind]
    left, right = f"export type {kind.__name__} =", f"{' | '.join(words)};"
    if len(left) + 1 + len(right) <= WIDTH:
        text = f"{left} {right}"
    elif len(right) + 2 <= WIDTH:
        text = f"{left}\n  {right}"
    else:
        text = f"{left}\n" + "\n".join(f"  | {word}" for word in words) + ";"
    return f"{_comment(kind)}{text}\n"


def _interface(kind: type) -> str:
    bases = [base.__name__ for base in kind.__bases__ if is_dataclass(base)]
    extends = f" extends {', '.join(bases)}" if bases else ""
    body = "".join(f"  {name}: {_type(hint)};\n" for name, hint in _own_fields(kind))
    return f"{_comment(kind)}export interface {kind.__name__}{extends} {{\n{body}}}\n"


def _own_fields(kind: Any) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(kind)
    inherited = {field.name for base in kind.__bases__ if is_dataclass(base) for field in fields(base)}
    for field in fields(kind):
        if field.name not in inherited:
            yield field.name, hints[field.name]


def _type(hint: Any) -> str:
    """The TypeScript of a type hint. Raises `TypeError` for one that `to_wire` or this file does not know."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " | ".join(_type(part) for part in parts)
    if origin is Literal:
        return " | ".join(f"'{part}'" for part in parts)
    if origin is list or (origin is tuple and parts[1:] == (Ellipsis,)):
        item = _type(parts[0])
        return f"({item})[]" if " | " in item else f"{item}[]"
    if origin is dict:
        value = "Measured" if parts[1] is float else _type(parts[1])
        return f"{{ [key: string]: {value} }}"
    if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Enum)):
        return hint.__name__
    raise TypeError(f"{hint!r} has no TypeScript form")


def _comment(kind: type) -> str:
    first = (kind.__doc__ or "").strip().split("\n\n")[0]
    return f"/** {' '.join(first.split())} */\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with `--check` say whether it is fresh (exit code 0) or stale (1)."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_mlops.server.framework.wire", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file is stale")
    options = parser.parse_args(arguments)
    text = typescript()
    if options.check:
        written = TARGET.read_text(encoding="utf-8") if TARGET.is_file() else ""
        if written != text:
            sys.stderr.write(f"{TARGET.name} is stale: run `python -m jupyter_mlops.server.framework.wire`.\n")
            return 1
        return 0
    TARGET.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

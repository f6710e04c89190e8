"""A notebook's cells and steps, read from its JSON: `%%step NAME` or the tag `step:NAME`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.analysis.pipeline.step_options import (
    check_step_name,
    parse_step_line,
    spec_from_tags,
    spec_named,
    tags_of,
)
from jupyter_mlops.domain.cell import Cell, Problem
from jupyter_mlops.domain.lines import lines_of
from jupyter_mlops.domain.step_spec import StepSpec, label_of_code
from jupyter_mlops.errors import InputError, NotebookError, UnknownNameError

__all__ = [
    "MAGIC",
    "TAG",
    "StepCell",
    "all_steps_of",
    "cell_key",
    "cell_step",
    "cells_of",
    "check_step_name",
    "checked_steps",
    "heading_slugs",
    "label_of",
    "match_step",
    "parse_step_line",
    "spec_from_tags",
    "split_magic",
    "step_of",
    "steps_of",
    "tags_of",
]
MAGIC = "%%step"
TAG = "step:"
_KEY_LENGTH = 8
_SLUG_LENGTH = 30
_HEADING_LENGTH = 500
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*\Z")


@dataclass(frozen=True)
class StepCell:
    """A cell that is a step: what it asks for, and its code without the magic line."""

    cell: Cell
    spec: StepSpec
    code: str


def cells_of(notebook: Mapping[str, Any]) -> tuple[Cell, ...]:
    """The cells of a notebook's JSON. Raises `NotebookError` where it has not the form of nbformat 4."""
    try:
        return tuple(
            Cell(
                index=index,
                id=str(cell.get("id", f"cell-{index}")),
                kind=str(cell["cell_type"]),
                source=_text(cell["source"]),
                tags=tags_of(cell.get("metadata", {})),
            )
            for index, cell in enumerate(notebook["cells"])
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NotebookError(
            f"This is not a notebook in format 4: {error!r}.",
            "Open it in JupyterLab and save it; that converts it to the current format.",
        ) from error


def steps_of(cells: Iterable[Cell]) -> tuple[tuple[StepCell, ...], tuple[Problem, ...]]:
    """The steps in notebook order, and what is wrong with those that are left out."""
    steps: list[StepCell] = []
    problems: list[Problem] = []
    for cell in cells:
        if cell.kind != "code":
            continue
        try:
            step = step_of(cell)
        except InputError as error:
            problems.append(Problem(error.message, error.hint, cell.id))
            continue
        if step is None:
            continue
        if any(step.spec.name == other.spec.name for other in steps):
            problems.append(
                Problem(
                    f"Two steps are named '{step.spec.name}'.",
                    "Step names must be unique in a notebook: rename one of them.",
                    cell.id,
                )
            )
            continue
        steps.append(step)
    return tuple(steps), tuple(problems)


def checked_steps(cells: Iterable[Cell]) -> tuple[StepCell, ...]:
    """As `steps_of`, but what is wrong raises `NotebookError`."""
    steps, problems = steps_of(cells)
    if problems:
        raise NotebookError(problems[0].message, problems[0].hint, cell_id=problems[0].cell_id)
    return steps


def step_of(cell: Cell) -> StepCell | None:
    """The step a code cell is, or None. Raises `InputError` for a bad name or option."""
    spec, code = split_magic(cell.source)
    if spec is None:
        spec = spec_from_tags(cell.tags)
    return None if spec is None else StepCell(cell, spec, code)


def all_steps_of(cells: Sequence[Cell]) -> tuple[tuple[StepCell, ...], tuple[Problem, ...]]:
    """Every code cell with something in it, in notebook order: named steps as `steps_of`, the others with a made name.

    A bad option of a cell that no one named is a problem, and the cell a step without options.
    """
    named, problems = steps_of(cells)
    by_index = {step.cell.index: step for step in named}
    refused = {problem.cell_id for problem in problems}
    slugs = heading_slugs(cells)
    steps: list[StepCell] = []
    all_problems: list[Problem] = list(problems)
    taken: set[str] = set()
    for cell in cells:
        if cell.index in by_index:
            steps.append(by_index[cell.index])
        elif cell.kind == "code" and cell.id not in refused and not _is_idle(cell.source):
            key = cell_key(cell)
            if key in taken:
                key = _free(key, cell, taken)
            taken.add(key)
            name = f"{slugs.get(cell.index, 'cell')}@{key}"
            try:
                steps.append(cell_step(cell, name))
            except InputError as error:
                all_problems.append(Problem(error.message, error.hint, cell.id))
                steps.append(StepCell(cell, StepSpec(name, named=False), cell.source))
    return tuple(steps), tuple(all_problems)


def cell_step(cell: Cell, name: str) -> StepCell:
    """The unnamed step that a code cell is, with the options its tags ask for. Raises `InputError`."""
    return StepCell(cell, spec_named(name, cell.tags, named=False), cell.source)


def label_of(step: StepCell) -> str:
    """What people know a step by: the name its author gave it, else its first line of code, cut where it is long."""
    return step.spec.name if step.spec.named else label_of_code(step.code) or step.spec.name


def cell_key(cell: Cell) -> str:
    """What stands behind the "@" in the name of an unnamed step: the same wherever the cell is moved.

    The first characters of its id where that is random, as Jupyter makes them; a digest of an id that someone thought
    of; of the code's meaning where the notebook has no ids.
    """
    if cell.id == f"cell-{cell.index}":
        return _code_digest(cell.source)[:_KEY_LENGTH]
    if len(cell.id) <= _KEY_LENGTH or re.match(r"[0-9a-f]{8}", cell.id):
        return cell.id[:_KEY_LENGTH]
    return hashlib.sha256(cell.id.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_LENGTH]


def heading_slugs(cells: Iterable[Cell]) -> dict[int, str]:
    """Index of each code cell → the nearest heading above as one word; cells above all headings are left out."""
    slugs: dict[int, str] = {}
    current = ""
    for cell in cells:
        if cell.kind == "markdown":
            current = _last_heading(cell.source) or current
        elif current:
            slugs[cell.index] = current
    return slugs


def match_step(name: str, names: Iterable[str]) -> str:
    """The one of `names` that `name` means: itself, or what it begins or ends, also behind the "@".

    Raises `UnknownNameError` where there is none, or more than one.
    """
    known = list(dict.fromkeys(names))
    if name in known:
        return name
    matching = [item for item in known if name and (item.startswith(name) or item.endswith(name))]
    matching = matching or [item for item in known if name and item.rpartition("@")[2].startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UnknownNameError(f"'{name}' could be {_listed(matching)}.", "Type more of the name.")
    raise UnknownNameError.among("step", name, known)


def _listed(names: Sequence[str]) -> str:
    shown = [f"'{name}'" for name in names[:5]] + (["..."] if len(names) > 5 else [])
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


def _free(key: str, cell: Cell, taken: set[str]) -> str:
    """A key for a cell whose own is taken."""
    if cell.id != f"cell-{cell.index}":
        key = hashlib.sha256(cell.id.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_LENGTH]
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key}-{number}"
    return free


def _code_digest(source: str) -> str:
    from jupyter_mlops.analysis.code.facts import cell_facts

    try:
        return cell_facts(source).digest
    except (SyntaxError, ValueError):
        return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()


def _is_idle(source: str) -> bool:
    """Whether a code cell holds nothing but comments and empty lines."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines_of(source))


def _last_heading(source: str) -> str:
    """The last `#` heading of a markdown text as one word of letters, digits and "-"; "" where there is none."""
    slug, fenced = "", False
    for line in lines_of(source):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        match = None if fenced else _HEADING.match(line[:_HEADING_LENGTH])
        if match:
            words = re.sub(r"[\W_]+", "-", re.sub(r"<[^>]*>|\]\([^)]*\)", "", match[1]).lower())
            slug = words.strip("-")[:_SLUG_LENGTH].strip("-") or slug
    return slug


def split_magic(source: str) -> tuple[StepSpec | None, str]:
    """What a `%%step` line on top asks for (None where there is none), and the cell without that line.

    The line becomes a comment, so that line numbers in tracebacks are those of the cell; only where a cell magic
    such as `%%time` follows, which must stand on the first line itself, it goes altogether.
    """
    place = 0
    for line in lines_of(source, keepends=True):
        place += len(line)
        if not line.strip():
            continue
        if not re.match(rf"{MAGIC}(\s|\Z)", line):
            break
        spec = parse_step_line(line.strip()[len(MAGIC) :])
        rest = source[place:]
        return spec, rest if rest.startswith("%%") else f"# {line}{rest}"
    return None, source


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)

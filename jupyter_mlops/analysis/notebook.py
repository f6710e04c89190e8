"""A notebook's cells and steps, read from its JSON: `%%step NAME` or the tag `step:NAME`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.domain.pipeline import Cell, Problem
from jupyter_mlops.domain.step import StepSpec
from jupyter_mlops.errors import InputError, NotebookError

MAGIC = "%%step"
TAG = "step:"
_NAME = re.compile(r"[^\W\d][\w-]*\Z")
_USAGE = "Usage: %%step NAME [--metrics A,B] [--model VARIABLE] [--no-cache]"


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
                tags=tuple(str(tag) for tag in cell.get("metadata", {}).get("tags", ())),
            )
            for index, cell in enumerate(notebook["cells"])
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NotebookError(
            f"This is not a notebook of format 4: {error!r}.",
            "Open it in JupyterLab and save it; that brings it to the current format.",
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
                    "A name stands once in a notebook: rename one of them.",
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


def split_magic(source: str) -> tuple[StepSpec | None, str]:
    """What a `%%step` line on top asks for (None where there is none), and the cell without that line.

    The line becomes a comment, so that line numbers in tracebacks are those of the cell; only where a cell magic
    such as `%%time` follows, which must stand on the first line itself, it goes altogether.
    """
    lines = source.lstrip("\n").splitlines(keepends=True) if source[:1] == "\n" else source.splitlines(keepends=True)
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines or not re.match(rf"{MAGIC}(\s|\Z)", lines[0]):
        return None, source
    spec = parse_step_line(lines[0].strip()[len(MAGIC) :])
    if len(lines) > 1 and lines[1].startswith("%%"):
        return spec, "".join(lines[1:])
    return spec, "".join([f"# {lines[0]}", *lines[1:]])


def parse_step_line(line: str) -> StepSpec:
    """What stands after `%%step`. Raises `InputError`."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError(f"'%%step{line}' cannot be read: {error}.", _USAGE) from error
    options: dict[str, Any] = {}
    names: list[str] = []
    while words:
        word, _, value = words.pop(0).partition("=")
        if word == "--no-cache":
            options["no_cache"] = True
        elif word in ("--metrics", "--model"):
            value = value or (words.pop(0) if words else "")
            if not value or value.startswith("--"):
                raise InputError(f"'{word}' of %%step needs a value.", _USAGE)
            options[word[2:]] = tuple(filter(None, value.split(","))) if word == "--metrics" else value
        elif word.startswith("-"):
            raise InputError(f"%%step has no option '{word}'.", _USAGE)
        else:
            names.append(word)
    if len(names) != 1:
        raise InputError("%%step needs one name.", _USAGE)
    return _checked(StepSpec(name=names[0], **options))


def spec_from_tags(tags: Sequence[str]) -> StepSpec | None:
    """The same from cell tags: `step:NAME`, `metrics:A,B`, `model:VARIABLE`, `no-cache`. Raises `InputError`."""
    names = [tag[len(TAG) :] for tag in tags if tag.startswith(TAG)]
    if not names:
        return None
    if len(names) > 1:
        raise InputError(f"A cell has two step tags: {', '.join(names)}.", "Keep one of them.")
    metrics = [tag.partition(":")[2] for tag in tags if tag.startswith("metrics:")]
    models = [tag.partition(":")[2] for tag in tags if tag.startswith("model:")]
    return _checked(
        StepSpec(
            name=names[0],
            metrics=tuple(name for line in metrics for name in line.split(",") if name),
            model=models[0] if models else None,
            no_cache="no-cache" in tags,
        )
    )


def check_step_name(name: str) -> str:
    """`name` where it can name a step. Raises `InputError`."""
    if not _NAME.match(name):
        raise InputError(
            f"'{name}' cannot name a step.",
            "Take one word of letters, digits, '_' and '-' that starts with a letter, such as train or clean_data.",
        )
    return name


def _checked(spec: StepSpec) -> StepSpec:
    check_step_name(spec.name)
    for name in (*spec.metrics, *([spec.model] if spec.model else ())):
        if not name.isidentifier():
            raise InputError(f"'{name}' of step '{spec.name}' is not a variable's name.", _USAGE)
    return spec


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)

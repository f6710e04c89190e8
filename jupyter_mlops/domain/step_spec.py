"""What a cell asks for that is to be a step, and what steps and cells are called."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_mlops.domain.lines import lines_of


@dataclass(frozen=True)
class StepSpec:
    """What `%%step NAME ...`, the tags or the metadata of a cell ask for.

    `metrics` are names of variables logged as metrics when the step ends, `params` those logged as parameters, `model`
    the name of the variable logged as a model. `no_cache` runs the step always; `repeatable` says that its result may be
    reused whatever speaks against it, `ttl` for how many seconds it may. `reads` and `writes` are files that the code
    does not show; `inputs` and `outputs` are claims about the names it takes and makes, None where nothing is claimed.
    """

    name: str
    metrics: tuple[str, ...] = ()
    model: str | None = None
    no_cache: bool = False
    named: bool = True
    """False for a cell that no one named: its name is made of the heading above it and its id."""
    ttl: float | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    params: tuple[str, ...] = ()
    repeatable: bool = False
    kind: str = ""
    """One word for people and for MLflow, such as "train"."""
    timeout: float | None = None
    """Seconds after which an execution is stopped and counts as failed."""
    retries: int = 0
    skip: bool = False
    """Left out, where no later step needs what it makes."""
    skip_if: str = ""
    """An expression: the step is left out where it holds."""


def cell_label(digest: str) -> str:
    """What stands for a cell that is not a step where a step's name would stand, by the digest of its code."""
    return f"{_CELL}{digest[:16]}"


def is_cell(producer: str) -> bool:
    """Whether this is no step's name but stands for a cell that is none."""
    return producer.startswith(_CELL)


_CELL = "cell:"


def label_of_code(code: str) -> str:
    """What people know a cell by that no one named: its first line of code, cut where it is long; "" without any."""
    lines = (line.strip() for line in lines_of(code))
    first = next((line for line in lines if line and not line.startswith("#")), "")
    shown = first if len(first) <= _LABEL_LENGTH else first[: _LABEL_LENGTH - 1].rstrip() + "…"
    return shown.encode("utf-8", "replace").decode()


_LABEL_LENGTH = 48


def is_named(step: str) -> bool:
    """Whether the author gave a step this name: the made name of any other cell has an "@"."""
    return "@" not in step

"""The description on top of a run in MLflow: what happened, in Markdown. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepLine

_HEAD = ("| step | version | status | seconds |", "| --- | --- | --- | --- |")
_SIGN = "\n\n<!-- jupyter-mlops {} -->"
_MOST = 60
"""Lines of the table; a long session keeps its newest."""


def of_run(run: Run, step_runs: Iterable[StepLine], address: Callable[[StepLine], str | None]) -> str:
    """The steps of `run` in the order they ran, and the error where it failed. `step_runs` come newest first.

    `address` gives the page of the MLflow run that executed a step, where there is one.
    """
    newest = list(step_runs)[:_MOST]
    lines = []
    if run.error is not None:
        place = f" in step `{run.error.step}`" if run.error.step else ""
        lines += [f"**{run.status}**{place}: {_cell(run.error.message or run.error.evalue)}", ""]
    lines += _HEAD
    for step_run in reversed(newest):
        seconds = "" if step_run.duration is None else f"{step_run.duration:.2f}"
        word = step_run.status.value
        if step_run.status is Status.FAILED:
            word = f"**{word}**"
        page = address(step_run)
        if page:
            word = f"[{word}]({page})"
        lines.append(f"| {step_run.step} | {step_run.version} | {word} | {seconds} |")
    text = "\n".join(lines)
    return text + _SIGN.format(_digest(text))


def is_untouched(text: str) -> bool:
    """Whether a description is one of ours as it was written: one that a person edited is left alone."""
    body, _, sign = text.rpartition("\n\n")
    return f"\n\n{sign}" == _SIGN.format(_digest(body))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cell(text: str) -> str:
    return " ".join(text.split())[:300]

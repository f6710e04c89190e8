"""How jobs look: a list with the workers below it, and one job's card."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import shorten
from typing import TYPE_CHECKING

from rich.markup import escape

from jupyter_mlops.domain.brief import IN_DETAIL
from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.errors import beginning
from jupyter_mlops.verbs.framework import tables

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_mlops.operations.runs.jobs import JobList, JobView


def job_table(jobs: JobList) -> RenderableType:
    """Jobs, newest first."""
    from rich.console import Group

    if not jobs.jobs:
        return Group("There are no such jobs. Submit one: jupyter mlops submit NOTEBOOK", _workers(jobs))
    made = tables.table("run>", "status", "notebook", "submitted", "took>", "step", "priority>", "parameters")
    for run in jobs.jobs:
        made.add_row(
            f"#{run.number}",
            _status(run),
            escape(run.notebook),
            tables.ago(run.created_at),
            tables.seconds(run.duration),
            _progress(run),
            str(run.priority) if run.priority else "",
            tables.pairs(run.parameters, run.left_out.get("parameters")),
        )
    return Group(made, _workers(jobs))


def _status(run: Run) -> str:
    text = tables.state(run.status)
    if run.attempt:
        text += f" [dim]attempt {run.attempt + 1}[/]"
    if run.error is not None:
        text += f" [dim]{escape(shorten(run.error.message, 60, placeholder=' …'))}[/]"
    return text


def _progress(run: Run) -> str:
    if run.status.ended or not run.progress.cells_total:
        return ""
    return f"{run.progress.cells_done}/{run.progress.cells_total} {tables.step_name(run.progress.step or '')}"


def _workers(found: JobList) -> str:
    slots = sum(worker.slots for worker in found.workers)
    if slots:
        count = len(found.workers)
        workers, verb = ("worker is", "has") if count == 1 else ("workers are", "have")
        return f"[green]{count} {workers} alive[/] and {verb} {slots} slots; runs waiting: {found.waiting}."
    if found.waiting:
        return f"[yellow]No worker is alive[/]; runs waiting: {found.waiting}. Start one: jupyter mlops worker"
    return "[dim]No worker is alive, and no runs are waiting.[/]"


def job_card(job: JobView) -> RenderableType:
    """All that is known of one job."""
    run = job.run
    made = tables.table("", "")
    made.show_header = False
    error = f"{run.error.cause}: {beginning(run.error.message, IN_DETAIL.text)}" if run.error is not None else ""
    rows = {
        "run": f"{run.number}  [dim]{run.id}[/]",
        "status": _status(run) if run.error is None else tables.state(run.status),
        "error": escape(error),
        "notebook": escape(run.notebook),
        "parameters": tables.pairs(run.parameters),
        "metrics": tables.pairs(run.metrics),
        "options": tables.pairs(_options(run.options)),
        "priority": str(run.priority) if run.priority else "",
        "attempt": str(run.attempt + 1) if run.attempt else "",
        "continues": f"run {job.resumes}" if job.resumes else "",
        "continued by": f"run {job.resumed_by}" if job.resumed_by else "",
        "source has changed": escape(", ".join(job.changed)),
        "executed as submitted, though changed": escape(", ".join(job.changed_then)),
        "steps": f"{run.steps_executed} executed, {run.steps_reused} reused" if run.started_at else "",
        "submitted": tables.ago(run.created_at),
        "took": tables.seconds(run.duration),
        "output": escape(run.output_path or ""),
        "log": escape(str(job.log)) if job.log.exists() else "",
    }
    for name, text in rows.items():
        if text:
            made.add_row(f"[dim]{name}[/]", text)
    return made


def _options(options: RunOptions) -> dict[str, object]:
    """Those that are not as they are where nothing is said."""
    silent = asdict(RunOptions())
    found = {name: value for name, value in asdict(options).items() if value != silent[name]}
    found.pop("given", None)
    modules = found.pop("modules", None)
    return found | ({"modules": len(modules)} if modules else {})

"""How `store` shows what it tells: sizes by kind and step, findings, what went, what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from jupyter_mlops.domain.counted import counted
from jupyter_mlops.domain.storage import GcReport, Move, Recovery, StoreStatus, Transfer, VerifyReport
from jupyter_mlops.verbs.framework.tables import ago, table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SHOWN_STEPS = 25
SHOWN_RESULTS = 20


def size(value: int) -> str:
    """Bytes for people, in powers of 1000."""
    amount = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


@contextmanager
def byte_progress(console: Console, label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes while the block runs; nothing where output is no terminal."""
    if not console.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=32), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def status_view(status: StoreStatus) -> RenderableType:
    """Where it is, what takes the room, then the steps, the largest first."""
    from rich.console import Group

    facts = table("", "")
    facts.show_header = False
    facts.add_row("[dim]store[/]", escape(str(status.folder)))
    facts.add_row("[dim]index[/]", escape(status.index))
    facts.add_row("[dim]objects[/]", escape(status.objects_at))
    facts.add_row("[dim]schema[/]", status.schema)
    facts.add_row("[dim]total[/]", f"[bold]{size(status.total)}[/], {counted(status.objects, 'object')}")
    records = (counted(status.runs, "run"), counted(status.step_runs, "step run"), counted(status.versions, "version"))
    facts.add_row("[dim]records[/]", ", ".join((*records, counted(status.schedules, "schedule"))))
    kinds = table("kind", "size>")
    for kind, value in sorted(status.kinds.items(), key=lambda item: -item[1]):
        if value:
            kinds.add_row(kind, size(value))
    parts: list[RenderableType] = [facts, "", kinds]
    if status.steps:
        steps = table("step", "notebook", "results>", "own>", "shared>", "last used")
        for step in status.steps[:SHOWN_STEPS]:
            steps.add_row(
                escape(step.step),
                escape(step.notebook),
                str(step.results),
                size(step.own),
                size(step.shared),
                ago(step.newest),
            )
        parts += ["", steps]
        if len(status.steps) > SHOWN_STEPS:
            parts.append(f"[dim]and {len(status.steps) - SHOWN_STEPS} more[/]")
    return Group(*parts)


def verify_view(report: VerifyReport) -> RenderableType:
    """What is wrong and what was done; else that all is well."""
    from rich.console import Group

    read = f"{counted(report.objects, 'object')}, {size(report.bytes)}"
    if report.is_sound:
        lines = [f"[green]The store is intact[/]: {read} read, every hash and reference is valid."]
    else:
        lines = [f"[bold red]{counted(len(report.findings), 'thing')} wrong[/] in {read}:"]
        for finding in report.findings:
            lines.append(f"  {escape(finding.message)} [dim]{escape(finding.done)}[/]")
    return Group(*lines, *(f"  [dim]{escape(note)}[/]" for note in report.notes))


def recovery_view(made: Recovery) -> RenderableType:
    """What came back, and what did not."""
    from rich.console import Group

    lines = [f"[green]The index is restored[/], made from {escape(made.base)}. The newest run is {made.runs}."]
    lines += [f"  recovered: {escape(text)}" for text in made.came]
    lines += [f"  [yellow]not recovered: {escape(text)}[/]" for text in made.missing]
    if not made.missing:
        lines.append("  [dim]as far as is known, everything was recovered[/]")
    if made.aside is not None:
        lines.append(f"  [dim]the old index is kept: {escape(str(made.aside))}[/]")
    lines += [f"  [yellow]{escape(note)}[/]" for note in made.notes]
    lines.append("  [dim]restart any kernels, workers and JupyterLab that were open[/]")
    return Group(*lines)


def gc_view(report: GcReport) -> RenderableType:
    """What went, or would."""
    from rich.console import Group

    verb = "Would free" if report.is_dry else "Freed"
    gone = [counted(len(report.results), "result"), counted(report.objects, "object")]
    gone += [counted(report.unfinished, "half-written file")] if report.unfinished else []
    gone += [counted(report.damaged, "damaged object")] if report.damaged else []
    gone += [counted(report.journals, "journal")] if report.journals else []
    lines: list[RenderableType] = [
        f"{verb} [bold]{size(report.bytes)}[/]: {', '.join(gone)}. {size(report.left)} remain."
    ]
    if report.results:
        shown = table("step", "notebook", "last used", "own>")
        for result in report.results[:SHOWN_RESULTS]:
            shown.add_row(escape(result.step), escape(result.notebook), ago(result.used_at), size(result.bytes))
        lines.append(shown)
        if len(report.results) > SHOWN_RESULTS:
            lines.append(f"[dim]and {len(report.results) - SHOWN_RESULTS} more[/]")
    return Group(*lines, *(f"[yellow]{escape(note)}[/]" for note in report.notes))


def export_view(made: Transfer) -> RenderableType:
    """What the archive holds."""
    return f"Wrote [bold]{escape(str(made.archive))}[/]: {_contents(made)}."


def import_view(made: Transfer) -> RenderableType:
    """What was new here."""
    from rich.console import Group

    if not (made.runs or made.step_runs or made.versions or made.objects):
        lines = ["Everything in it is already here; nothing was changed."]
    else:
        lines = [f"Imported {_contents(made)}."]
    return Group(*lines, *(f"[yellow]{escape(note)}[/]" for note in made.notes))


def _contents(made: Transfer) -> str:
    records = (counted(made.runs, "run"), counted(made.step_runs, "step run"), counted(made.versions, "version"))
    return ", ".join((*records, f"{counted(made.objects, 'object')} ({size(made.bytes)})"))


def move_view(moved: Move) -> RenderableType:
    """Where it is now, what was brought and proven, and what stays behind."""
    from rich.console import Group

    facts = table("", "")
    facts.show_header = False
    facts.add_row("[dim]index[/]", escape(moved.index))
    facts.add_row("[dim]objects[/]", escape(moved.objects_at))
    brought = [counted(sum(moved.rows.values()), "row")] if moved.rows else []
    brought += [f"{counted(moved.objects, 'object')} ({size(moved.bytes)})"] if moved.objects else []
    facts.add_row("[dim]moved[/]", ", ".join(brought) + (", all verified equal" if brought else "nothing"))
    for place in moved.backup:
        facts.add_row("[dim]backup[/]", escape(place))
    return Group(facts, *(escape(note) for note in moved.notes))


def dropped_view(gone: list[str]) -> RenderableType:
    """What went."""
    return "\n".join(f"Deleted {escape(place)}." for place in gone) or "There is no backup."

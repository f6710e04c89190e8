"""`why STEP`: its state now, and why its newest runs were executed or reused: the first difference, told concretely."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.pipeline.cells import all_steps_of, match_step
from jupyter_mlops.domain.pipeline import StepStatus
from jupyter_mlops.domain.reason_text import phrases, sentence
from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.steps.status import pipeline_status
from jupyter_mlops.operations.steps.why import Cause, ExplainedRun, why_ran, why_would
from jupyter_mlops.verbs.framework.target import add_notebook, notebook_project, open_project, read_cells, view_of
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.padding import Padding

    from jupyter_mlops.store.store import Store


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name, or the beginning of it")
    add_notebook(parser)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    try:
        path, cells = read_cells(arguments.notebook, context)
    except InputError:
        if arguments.notebook is not None:
            raise
        return _from_record(arguments.step, context)  # no notebook is named: the record alone answers
    saved = [step.spec.name for step in all_steps_of(cells)[0]]
    open_project(context).close()
    with notebook_project(path) as (store, notebook):
        names = saved if store is None else [*saved, *store.steps.names(notebook), *store.steps.names()]
        step = match_step(arguments.step, names)
        status = pipeline_status(store, notebook, cells, everything=True, view=view_of(context, path))
        now = next((item for item in status.steps if item.name == step), None)
        would = why_would(store, notebook, cells, step) if step in saved else None
        told = [] if store is None else why_ran(store, step, notebook) or why_ran(store, step)
        label = now.label if now is not None else "" if store is None else _label(store, told)
    return _view(step, label, now, would, told)


def _from_record(text: str, context: Context) -> View:
    with open_project(context) as store:
        step = match_step(text, store.steps.names())
        told = why_ran(store, step)
        return _view(step, _label(store, told), None, None, told)


def _label(store: Store, told: list[ExplainedRun]) -> str:
    """What people know the step by, from the newest of its runs."""
    newest = [item.run for item in told[:1]]
    return "".join(store.steps.labels(newest).values())


def _view(step: str, label: str, now: StepStatus | None, would: Cause | None, told: list[ExplainedRun]) -> View:
    data = {
        "step": step,
        "label": label or step,
        "now": now,
        "would": would,
        "runs": [item.run for item in told],
        "causes": [item.cause for item in told],
        "because": [_because(item) for item in told],
    }
    return View(data, lambda: _show(step, label, now, would, told))


def _because(told: ExplainedRun) -> str:
    return told.cause.sentence if told.cause is not None else sentence(told.run.why)


def _show(
    step: str, label: str, now: StepStatus | None, would: Cause | None, told: list[ExplainedRun]
) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import ago, short, state, step_name

    lines: list[RenderableType] = []
    name = step_name(step, label)
    if now is not None:
        lines.append(f"{name} is {state(now.state)}" + (f": {escape(now.reason)}" if now.reason else ""))
    elif not told:
        lines.append(f"{name} has not run yet")
    if would is not None and told:
        lines += [f"  it would run now, because {escape(would.sentence)}", *_detail(would)]
    for item in told:
        run = item.run
        did = "was reused" if run.reused_from else "ran"
        lines.append(
            f"  {ago(run.ended_at or run.started_at)}: {did} (v{run.version}), because {escape(_because(item))}"
        )
        if item.cause is not None:
            lines += _detail(item.cause)
        if run.unrepeatable:
            lines.append(f"    its result is not reused, because it {escape(phrases(run.unrepeatable))}")
        if run.error:
            lines.append(f"    [red]{escape(short(run.error.splitlines()[0]))}[/]")
    return Group(*lines)


def _detail(cause: Cause) -> list[Padding]:
    """What stands behind the end of the chain: a coloured diff, or lines such as `numpy 2.0 → 2.1`."""
    from rich.padding import Padding
    from rich.text import Text

    from jupyter_mlops.verbs.steps.diff_view import unified

    first = cause.first
    if not first.detail:
        return []
    shown = unified(first.detail) if first.is_diff else Text("\n".join(first.detail), "dim")
    return [Padding(shown, (0, 0, 0, 6), expand=False)]


VERB = Verb("why", "why a step ran, or would run, or was reused", _configure, _run)

"""`resume [RUN]`: continue a run that failed, was stopped or lost its process, from the first step that does not hold."""

from __future__ import annotations

import argparse
from dataclasses import replace

from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.errors import RunError
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.runs.run import add_limits, add_output, add_steps, failed_view, options_of, progress, summary


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", help="its number (default: the newest that did not complete)")
    add_output(parser)
    parser.add_argument("--with-edit", action="store_true", help="use the notebook as it is now, not as it was")
    add_steps(parser)
    add_limits(parser)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.runs.resume import kept_options, resume, unfinished

    output = context.start / arguments.output if arguments.output else None
    with open_project(context) as store:
        record = unfinished(store, arguments.run)
        asked = {
            name: value for name, value in vars(options_of(arguments)).items() if value != vars(RunOptions())[name]
        }
        if not arguments.json:
            context.console.print(f"Continues run {record.number} of {record.notebook}, which is {record.status}.")
        try:
            with progress(context.console) as on_event:
                run = resume(
                    store,
                    record,
                    output,
                    with_edit=arguments.with_edit,
                    options=replace(kept_options(record), **asked),
                    on_event=on_event,
                )
        except RunError as error:
            return failed_view(error)
    return View(run, lambda: summary(run))


VERB = Verb("resume", "continue a run that did not complete", _configure, _run, (CLI,))

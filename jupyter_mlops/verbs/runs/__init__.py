"""Verbs about runs and jobs."""

from __future__ import annotations

from jupyter_mlops.verbs.framework.entry import CLI, MAGIC, Entry

VERBS = (
    Entry("runs", "the project's runs, newest first; also `runs compare A B` and `runs notebook RUN`"),
    Entry("run", "run a notebook as a job through papermill", (CLI,)),
    Entry("run", "run the notebook's steps in this kernel, in order", (MAGIC,), module="run_live"),
    Entry("resume", "continue a run that did not complete: steps it had finished are not executed again", (CLI,)),
    Entry("open", "make a notebook that opens at the cell where a run failed"),
    Entry("attach", "bring the variables of a failed run into this kernel, as they were before it failed", (MAGIC,)),
    Entry("submit", "put a run of a notebook into the queue, for a worker to execute", (CLI,)),
    Entry("jobs", "the queue: list, show, logs, cancel, retry, remove"),
    Entry("cancel", "cancel a run that has not ended"),
    Entry("notices", "notifications about runs, to webhooks, mail and commands: list, retry, test"),
)

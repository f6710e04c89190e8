"""Verbs that execute: worker, scheduler, both in one, and both as services."""

from __future__ import annotations

from jupyter_mlops.verbs.framework.entry import CLI, Entry

VERBS = (
    Entry("worker", "execute runs from the queue, in the foreground", (CLI,)),
    Entry("service", "worker and scheduler as systemd user units: install, uninstall, status", (CLI,)),
    Entry("scheduler", "start scheduled runs when they are due", (CLI,)),
    Entry("up", "scheduler and worker in one, in the foreground", (CLI,)),
)

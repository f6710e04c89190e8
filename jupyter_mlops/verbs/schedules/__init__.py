"""Verbs about schedules."""

from __future__ import annotations

from jupyter_mlops.verbs.framework.entry import Entry

VERBS = (Entry("schedule", "schedules: add, list, show, next, pause, resume, run-now, edit, remove, import"),)

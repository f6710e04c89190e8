"""Verbs about projects."""

from __future__ import annotations

from jupyter_mlops.verbs.framework.entry import CLI, Entry

VERBS = (
    Entry("secrets", "secrets by name: list, set, remove, check"),
    Entry("new", "create a project from a template", (CLI,)),
    Entry("templates", "list the available templates", (CLI,)),
    Entry("demo", "create the demo project, run it twice and compare", (CLI,)),
)

"""Verbs about a notebook's parameters."""

from __future__ import annotations

from jupyter_mlops.verbs.framework.entry import MAGIC, Entry

VERBS = (
    Entry("params", "the notebook's parameters: types, defaults, ranges; and the values a run would have"),
    Entry("form", "a form for the notebook's parameters that starts a job", (MAGIC,)),
)

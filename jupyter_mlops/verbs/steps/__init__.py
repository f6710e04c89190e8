"""Verbs about steps."""

from __future__ import annotations

from jupyter_mlops.verbs.framework.entry import MAGIC, Entry

VERBS = (
    Entry("status", "the notebook's steps in order, each fresh, stale, running, failed or never run, and why"),
    Entry("steps", "all steps recorded in the project, with their versions and last run"),
    Entry("log", "the versions and runs of one step"),
    Entry("diff", "what changed between two versions of a step"),
    Entry("restore", "bring back the code of an earlier version of a step"),
    Entry("why", "why a step ran, or would run, or was reused"),
    Entry("plan", "what would run, what would be reused, and how long it should take"),
    Entry("deps", "what a step reads, from which step, and what reads it"),
    Entry("graph", "draw the pipeline"),
    Entry("capture", "make every cell a step: on, off, status", (MAGIC,)),
)

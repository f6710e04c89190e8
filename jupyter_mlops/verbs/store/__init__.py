"""Verbs about what is stored."""

from __future__ import annotations

from jupyter_mlops.verbs.framework.entry import Entry

VERBS = (Entry("store", "the store: size, integrity, cleanup, export, import, move"),)

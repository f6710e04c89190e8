"""`%%step` and `%mlops` in a kernel: parse, call, show."""

from __future__ import annotations

from jupyter_mlops.magics.extension import load, unload

__all__ = ["load", "unload"]

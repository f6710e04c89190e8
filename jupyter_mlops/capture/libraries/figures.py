"""matplotlib's open figures: what the next plot call would draw into."""

from __future__ import annotations

import sys


def open_figures() -> list[int]:
    """Their numbers."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return [] if pyplot is None else list(pyplot.get_fignums())

"""Random generators of a fork: not those of the process it was forked from."""

from __future__ import annotations

import random
import sys
from typing import Any


def reseed() -> None:
    """Random generators start anew, as in a process of their own."""
    random.seed()
    # Not by the module's name: numpy may be in sight, and what it loaded later not yet.
    numpy_random: Any = vars(sys.modules["numpy"]).get("random") if "numpy" in sys.modules else None
    if numpy_random is not None:
        numpy_random.set_state(numpy_random.RandomState().get_state())
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.seed()

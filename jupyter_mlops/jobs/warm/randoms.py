"""Random generators of a fork: not those of the process it was forked from."""

from __future__ import annotations

import random
import sys
from typing import Any


def reseed() -> None:
    """Random generators start anew, as in a process of their own."""
    random.seed()
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.set_state(numpy_random.RandomState().get_state())
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.seed()

"""Random generators of a fork: not those of the process it was forked from."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any


def reseed(find: Callable[[str], Any] = sys.modules.get) -> None:
    """Random generators start anew, as in a process of their own: once, before the notebook may seed them.

    `find` gives the modules that are loaded, by name, also those that are out of sight until they are imported.
    """
    random.seed()
    numpy_random = find("numpy.random")
    if numpy_random is not None:
        numpy_random.set_state(numpy_random.RandomState().get_state())
    torch = find("torch")
    if torch is not None:
        torch.seed()

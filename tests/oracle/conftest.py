"""Zygotes for these tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from .kernels import Zygote

Pair = tuple[Zygote, Zygote]


@pytest.fixture(scope="session")
def pair(own_jupyter_folders: None) -> Iterator[Pair]:
    """Two processes that fork kernels; they hash strings differently, as two real kernels do."""
    with closing(Zygote(1)) as first, closing(Zygote(2)) as second:
        yield first, second

"""One pool for the tests of warm kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_mlops.execution.kernels.warm.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Warm kernels."""
    with Pool() as pool:
        yield pool

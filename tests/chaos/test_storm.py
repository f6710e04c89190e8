"""The storm that `make chaos` makes long, short."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .storm import Storm

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]


def test_fifty_jobs_on_four_workers_that_are_killed_complete_exactly_once_each(tmp_path: Path) -> None:
    books = Storm(tmp_path, kills=12, jobs=50, workers=4, seed=7).run()
    assert books.kills == 12
    assert books.jobs >= 50
    assert books.are_right, repr(books)

"""Two projects: what one of them has goes to the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.store.store import Store


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "here").mkdir()
    with Store.open(tmp_path / "here") as opened:
        yield opened


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "there").mkdir()
    with Store.open(tmp_path / "there") as opened:
        yield opened

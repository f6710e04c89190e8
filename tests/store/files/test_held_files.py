"""The bytes of an index are read beside SQLite without taking its locks from this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store.backup.mark import missing_bytes
from jupyter_mlops.store.files.disk import trouble_with
from jupyter_mlops.store.files.held_files import copy_file, read_start
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.slow

OTHER = """
import sys
from pathlib import Path
from jupyter_mlops.store.store import Store
with Store.open(Path(sys.argv[1])) as store:
    print(len(store.runs.list()))
"""


def opened_by_another_process(root: Path) -> int:
    """How many runs another process finds; it is the last one to have the index open, as far as locks tell it."""
    done = subprocess.run([sys.executable, "-c", OTHER, str(root)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def record(store: Store, name: str) -> None:
    run = Run(name, 0, RunKind.JOB, "a.ipynb", Status.RUNNING, created_at=store.now(), started_at=store.now())
    store.runs.create(run)


@pytest.mark.parametrize("look", ["open", "start", "copy", "size", "trouble"])
def test_what_is_recorded_after_the_file_was_looked_at_is_not_lost(tmp_path: Path, look: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    with Store.open(root) as store:
        record(store, "first")
        index = root / ".mlops" / "index.db"
        if look == "open":
            Store.open(root).close()
        elif look == "start":
            assert read_start(index, 6) == b"SQLite"
        elif look == "copy":
            copy_file(index, tmp_path / "copy")
            assert (tmp_path / "copy").read_bytes()[:6] == b"SQLite"
        elif look == "size":
            assert missing_bytes(index) == ""
        else:
            assert trouble_with(index) is None
        assert opened_by_another_process(root) == 1
        record(store, "second")
        assert index.with_name("index.db-wal").exists(), "the other process took itself for the last one"
        assert opened_by_another_process(root) == 2
        record(store, "third")
    assert opened_by_another_process(root) == 3


def test_there_is_nothing_to_read_where_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_file(tmp_path / "none", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    with pytest.raises(FileNotFoundError):
        read_start(tmp_path / "none", 1)


def test_a_large_file_is_copied_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "large").write_bytes(content)
    copy_file(tmp_path / "large", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content

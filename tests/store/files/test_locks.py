"""Locks between processes, let go of when their holder dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.errors import NotWritableError
from jupyter_mlops.store.files.locks import file_lock, try_file_lock

HOLD = """
import sys, time
from pathlib import Path
from jupyter_mlops.store.files.locks import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_by_one_and_free_once_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with try_file_lock(path) as got:
        assert not got
    holder.kill()
    holder.communicate()
    with try_file_lock(path) as got:
        assert got
    with file_lock(path):
        pass


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotWritableError, match="cannot be written"), file_lock(tmp_path):
        pass

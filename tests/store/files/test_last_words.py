"""The newest messages of a kernel, in a ring that outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.store.files.last_words import LastWordsFile, make, newest_first


@given(st.lists(st.lists(st.binary(max_size=60), max_size=4), max_size=40))
def test_the_newest_are_found_whole_the_newest_first(messages: list[list[bytes]]) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp"), f"words-{os.getpid()}")
    make(path, 512)
    try:
        words = LastWordsFile(path)
        for message in messages:
            words.keep(message)
        found = list(newest_first(path))
    finally:
        path.unlink()
    small = [message for message in messages if sum(map(len, message)) <= 256]
    assert found == small[::-1][: len(found)]
    assert len(found) == len(small) or sum(len(part) for message in found for part in message) > 100


def test_they_are_there_when_their_process_was_killed(tmp_path: Path) -> None:
    make(tmp_path / "words")
    code = "import os, pathlib, signal, sys\nfrom jupyter_mlops.store.files.last_words import LastWordsFile\n"
    code += "words = LastWordsFile(pathlib.Path(sys.argv[1]))\nwords.keep([b'one', b'two'])\n"
    code += "os.fork() or (words.keep([b'forked']), os._exit(0))\nos.wait()\nos.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "words")])
    assert done.returncode == -signal.SIGKILL
    assert list(newest_first(tmp_path / "words")) == [[b"one", b"two"]]


def test_where_there_is_no_file_there_are_none(tmp_path: Path) -> None:
    assert list(newest_first(tmp_path / "none")) == []
    (tmp_path / "empty").touch()
    assert list(newest_first(tmp_path / "empty")) == []

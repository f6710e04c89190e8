"""Journals: what was written is there, whatever happened to the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jupyter_mlops.errors import NotWritableError
from jupyter_mlops.store.files import journals
from jupyter_mlops.store.files.journals import Journals


def test_events_come_back_in_order_and_as_they_were(tmp_path: Path) -> None:
    store = Journals(tmp_path / "journals")
    journal = store.open("a")
    texts = ["ü\n\r\u2028", "\ud83d", "x" * 100_000]
    assert all(journal.write("output", text=text, number=index) for index, text in enumerate(texts))
    journal.close()
    events = list(store.read("a"))
    assert [event["text"] for event in events] == texts
    assert [event["number"] for event in events] == [0, 1, 2]
    assert all(datetime.fromisoformat(event["at"]).tzinfo is not None for event in events)
    assert store.path("a").stat().st_mode & 0o777 == 0o600
    assert not journal.write("output", text="after the end")


def test_a_run_without_a_journal_has_no_events(tmp_path: Path) -> None:
    store = Journals(tmp_path / "journals")
    assert list(store.read("a")) == list(store.ids()) == []
    assert store.last("a") is None
    store.remove("a")


def test_a_torn_line_is_left_out_and_what_follows_is_read(tmp_path: Path) -> None:
    store = Journals(tmp_path)
    first = store.open("a")
    first.write("one")
    first.close()
    whole = store.path("a").read_bytes()
    for cut in range(1, len(whole) - 1):
        store.path("a").write_bytes(whole + whole[:cut])
        assert [event["event"] for event in store.read("a")] == ["one"]
        last = store.last("a")
        assert last is not None
        assert last["event"] == "one"
    store.path("a").write_bytes(whole + b'{"at": 1, \xff\x00' + b"\n" + whole)
    assert [event["event"] for event in store.read("a")] == ["one", "one"]


def test_a_killed_writer_loses_no_event_it_had_written(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom jupyter_mlops.store.files.journals import Journals\n"
        f"journal = Journals(Path({str(tmp_path)!r})).open('a')\n"
        "for number in range(10**9):\n    journal.write('output', number=number)\n    print(number, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(200):
        line = process.stdout.readline()
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    told = int((line + process.stdout.read()).split()[-1])
    process.wait()
    numbers = [event["number"] for event in Journals(tmp_path).read("a")]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > told


def test_an_event_costs_less_than_a_fifth_of_a_millisecond(tmp_path: Path) -> None:
    journal = Journals(tmp_path).open("a")
    seconds = []
    for _ in range(2000):
        began = time.perf_counter()
        journal.write("output", cell=3, output={"output_type": "stream", "name": "stdout", "text": "line of output\n"})
        seconds.append(time.perf_counter() - began)
    journal.close()
    assert sorted(seconds)[1000] < 0.2e-3


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_what_the_disk_does_not_take_is_counted_and_the_rest_is_whole(tmp_path: Path) -> None:
    """The size of files is limited in a process of its own: a write is then cut short, as on a full disk."""
    code = (
        "import resource, signal\nfrom pathlib import Path\nfrom jupyter_mlops.store.files.journals import Journals\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"journal = Journals(Path({str(tmp_path)!r})).open('a')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))\n"
        "took = [journal.write('output', text='x' * size) for size in (100, 20_000, 200, 20_000, 300)]\n"
        "assert took == [True, False, True, False, True], took\n"
        "assert journal.lost == 2\n"
        "journal.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [len(event["text"]) for event in Journals(tmp_path).read("a")] == [100, 200, 300]


def test_half_a_line_that_cannot_be_cut_off_harms_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Journals(tmp_path)
    journal = store.open("a")
    write = os.write
    with monkeypatch.context() as patch:
        answers = iter([5, OSError(28, "No space left on device")])

        def torn(descriptor: int, data: memoryview) -> int:
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return write(descriptor, data[:answer])

        def no(descriptor: int, size: int) -> None:
            raise OSError(5, "Input/output error")

        patch.setattr(journals.os, "write", torn)
        patch.setattr(journals.os, "ftruncate", no)
        assert not journal.write("one")
    assert journal.write("two")
    journal.close()
    assert [event["event"] for event in store.read("a")] == ["two"]


def test_room_is_set_aside_while_a_run_runs(tmp_path: Path) -> None:
    store = Journals(tmp_path)
    journal = store.open("a")
    (room,) = [path for path in tmp_path.iterdir() if path.suffix == ".room"]
    assert room.stat().st_blocks * 512 >= journals.ROOM
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    store.open("b")
    store.remove("b")
    assert list(store.ids()) == ["a"]
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".room"]


def test_a_journal_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("a file in its place")
    with pytest.raises(NotWritableError, match="cannot be made"):
        Journals(tmp_path / "journals").open("a")


def test_what_is_owed_is_told_when_it_may_be_tried_and_until_it_is_paid(tmp_path: Path) -> None:
    store = Journals(tmp_path / "journals")
    now = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
    assert store.owed(now) == []
    store.open("a").close()
    store.owe("a", now)
    store.owe("b", now + timedelta(seconds=2))
    assert store.owed(now) == ["a"]
    assert sorted(store.owed(now + timedelta(seconds=2))) == ["a", "b"]
    store.owe("a", now + timedelta(seconds=3))
    assert store.owed(now + timedelta(seconds=2)) == ["b"]
    store.paid("b")
    store.paid("b")
    assert list(store.ids()) == ["a"]
    store.remove("a")
    assert store.owed(now + timedelta(days=1)) == []


def test_to_see_that_nothing_is_owed_costs_next_to_nothing(tmp_path: Path) -> None:
    store = Journals(tmp_path / "journals")
    for number in range(500):
        store.open(str(number)).close()
    now = datetime.now(timezone.utc)
    began = time.perf_counter()
    assert not any(store.owed(now) for _ in range(1000))
    assert time.perf_counter() - began < 0.2

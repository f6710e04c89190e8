"""What a notebook shows of much text: head, a line that tells of the rest, tail; and all of it is in a file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_mlops.execution.notebook import journal
from jupyter_mlops.execution.notebook.cell_client import CellClient
from jupyter_mlops.execution.notebook.overflow import Overflows
from jupyter_mlops.execution.notebook.rebuild import rebuild

LIMIT = 1000


class Played:
    """A cell whose messages are played, and written as a journal has them."""

    def __init__(self, folder: Path) -> None:
        self.client = self.made()
        self.client.show_within(LIMIT, Overflows(folder / "a.outputs"))
        self.events: list[dict[str, Any]] = []
        self.client.on_message = self._note
        self.cell = self.client.nb.cells[0]
        self.file = folder / "a.outputs" / "cell-1.txt"

    def made(self) -> Any:
        return CellClient(new_notebook(cells=[new_code_cell(id="c")]), SimpleNamespace(), lambda output: None)

    def _note(self, index: int, message: dict[str, Any]) -> None:
        event = journal.event_of(message)
        assert event is not None
        self.events.append({"at": "2026-01-01T00:00:00+00:00", "cell": index, **event})

    def send(self, kind: str, **content: Any) -> None:
        header = {"msg_type": kind, "msg_id": "m"}
        message = {"msg_type": kind, "header": header, "parent_header": {"msg_id": "p"}, "content": content}
        self.client.process_message({**message, "metadata": {}, "buffers": []}, self.cell, 0)

    def print(self, text: str, name: str = "stdout") -> None:
        self.send("stream", name=name, text=text)

    def shown(self) -> list[Any]:
        self.client.flush_outputs()
        return outputs_of(self.cell)

    def again(self) -> list[Any]:
        """The outputs as the journal alone has them."""
        begun = {"event": journal.NOTEBOOK, "at": "2026-01-01T00:00:00+00:00", "notebook": self.made().nb}
        return outputs_of(rebuild([begun, *self.events]).notebook.cells[0])


def outputs_of(cell: Any) -> list[Any]:
    return [output.text if output.output_type == "stream" else output.data["text/plain"] for output in cell.outputs]


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


def test_up_to_the_limit_all_is_shown_and_there_is_no_file(played: Played) -> None:
    for _ in range(LIMIT // 10):
        played.print("ten signs\n")
    assert played.shown() == ["ten signs\n" * (LIMIT // 10)] == played.again()
    assert not played.file.exists()


@pytest.mark.parametrize("size", [1, 64, 5000, 100_000])
def test_of_more_there_are_head_and_tail_and_the_file_has_all_whatever_the_pieces(played: Played, size: int) -> None:
    text = "".join(f"line {number}\n" for number in range(900))
    for start in range(0, len(text), size):
        played.print(text[start : start + size])
    head, told, tail = played.shown()
    assert text.startswith(head)
    assert text.endswith(tail)
    assert LIMIT // 2 - 20 < len(head) <= LIMIT // 2
    assert LIMIT // 2 - 20 < len(tail) <= LIMIT
    assert head.endswith("\n")
    assert f"{len(text) - len(head) - len(tail):,} characters are not shown here" in told
    assert told.endswith("Everything this cell printed is in a.outputs/cell-1.txt")
    assert played.file.read_text() == text
    assert played.again() == [head, told, tail]


def test_a_single_line_without_end_is_cut_too(played: Played) -> None:
    for _ in range(300):
        played.print("." * 99)
    head, _, tail = played.shown()
    assert (len(head), len(tail) <= LIMIT) == (LIMIT // 2, True)
    assert played.file.read_text() == "." * 29700


def test_displays_between_stay_and_their_updates_find_them(played: Played) -> None:
    for number in range(50):
        played.print(f"before {number}\n" * 10)
        played.send(
            "display_data", data={"text/plain": f"d{number}"}, metadata={}, transient={"display_id": f"i{number}"}
        )
        played.print("to stderr\n", "stderr")
    for number in range(50):
        played.send(
            "update_display_data",
            data={"text/plain": f"u{number}"},
            metadata={},
            transient={"display_id": f"i{number}"},
        )
    shown = played.shown()
    assert [text for text in shown if text.startswith("u")] == [f"u{number}" for number in range(50)]
    assert not [text for text in shown if text.startswith("d")]
    assert sum(map(len, shown)) < 2 * LIMIT
    assert played.file.read_text() == "".join(f"before {number}\n" * 10 + "to stderr\n" for number in range(50))
    assert played.again() == shown


def test_a_bar_that_writes_over_itself_is_little(played: Played) -> None:
    for start in range(0, 100_000, 1000):
        played.print("".join(f"\r{number:06d} of a bar" for number in range(start, start + 1000)))
    assert played.shown() == ["099999 of a bar"]
    assert not played.file.exists()


@pytest.mark.parametrize("wait", [False, True])
def test_after_a_clear_the_limit_counts_anew(played: Played, wait: bool) -> None:
    played.print("x" * 3000)
    played.send("clear_output", wait=wait)
    played.print("little\n")
    assert played.shown() == ["little\n"] == played.again()
    played.send("clear_output", wait=wait)
    played.send("display_data", data={"text/plain": "d"}, metadata={})
    played.print("much\n" * 1000)
    shown = played.shown()
    assert shown[0] == "d"
    assert len(shown) == 4
    assert played.file.read_text() == "much\n" * 1000
    assert played.again() == shown


def test_where_the_file_cannot_be_written_the_journal_has_all_and_the_notebook_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.outputs").write_text("in the way")
    played = Played(tmp_path)
    for number in range(1000):
        played.print(f"line {number}\n")
    _, told, _ = played.shown()
    assert "could not be written to a.outputs/cell-1.txt" in told
    printed = [event["output"]["text"] for event in played.events if event["event"] == journal.OUTPUT]
    assert "".join(printed) == "".join(f"line {number}\n" for number in range(1000))
    assert played.again() == played.shown()


def test_what_an_earlier_execution_left_is_removed(played: Played) -> None:
    played.print("x" * 3000)
    played.shown()
    Overflows(played.file.parent).begin()
    assert not played.file.parent.exists()

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
import zmq.asyncio
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session
from nbformat import ValidationError
from nbformat.v4 import new_code_cell, new_notebook, new_output

from jupyter_mlops.capture.observe.display import METADATA, NOTE, WARNING
from jupyter_mlops.domain.terminal import Screen
from jupyter_mlops.execution.notebook.cell_client import AttentiveChannel, CellClient


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        (["a", "b\n", "c"], "ab\nc"),
        (["10%\r", "20%\r", "30%\n"], "30%\n"),
        (["10%\r20%\r30%"], "30%"),
        (["kept\n10%", "\r20%"], "kept\n20%"),
        (["dos\r\n", "line\r\n"], "dos\r\nline\r\n"),
        (["ab\b", "c"], "ac"),
    ],
)
def test_pieces_of_a_stream_join_as_a_terminal_shows_them(pieces: list[str], whole: str) -> None:
    screen = Screen()
    for piece in pieces:
        screen.feed(piece)
    assert screen.take() == whole


@given(st.lists(st.text(alphabet="ab\n")))
def test_plain_text_is_only_appended(pieces: list[str]) -> None:
    screen = Screen()
    for piece in pieces:
        screen.feed(piece)
    assert screen.take() == "".join(pieces)


def test_a_message_is_found_whose_coming_went_unnoticed() -> None:
    """Sending on a socket that someone waits at takes the word of what came: jupyter_client's own channel waits for ever."""

    async def wait() -> str:
        context = zmq.asyncio.Context()
        session = Session(key=b"key")
        kernel = zmq.Socket.shadow(context.socket(zmq.PAIR))
        kernel.bind("inproc://shell")
        ours = context.socket(zmq.PAIR)
        ours.connect("inproc://shell")
        waiting = asyncio.ensure_future(AttentiveChannel(ours, session).get_msg())
        await asyncio.sleep(0.1)
        session.send(kernel, "execute_reply", {})
        time.sleep(0.05)
        zmq.Socket.shadow(ours).send(b"what nbclient answers a widget")
        try:
            return str((await asyncio.wait_for(waiting, 30))["msg_type"])
        finally:
            context.destroy(0)

    assert asyncio.run(wait()) == "execute_reply"


def _message(text: object, name: object = "stdout") -> dict[str, Any]:
    content = {"name": name, "text": text}
    header = {"msg_type": "stream", "msg_id": "m"}
    return {
        "msg_type": "stream",
        "header": header,
        "parent_header": {"msg_id": "p"},
        "content": content,
        "metadata": {},
    }


def test_a_stream_becomes_what_nbformat_makes_of_it() -> None:
    client = CellClient(new_notebook(cells=[new_code_cell()]), SimpleNamespace(), lambda output: None)
    client.clear_before_next_output = False
    cell = client.nb.cells[0]
    client.process_message(_message("one\n"), cell, 0)
    client.process_message(_message("two"), cell, 0)
    client.process_message(_message("bad", "stderr"), cell, 0)
    client.flush_outputs()
    assert cell.outputs == [
        new_output("stream", name="stdout", text="one\ntwo"),
        new_output("stream", name="stderr", text="bad"),
    ]
    assert list(cell.outputs[0]) == list(new_output("stream", name="stdout", text=""))
    client.clear_before_next_output = True
    client.process_message(_message("three"), cell, 0)
    client.flush_outputs()
    assert [output.text for output in cell.outputs] == ["three"]


def test_what_is_no_stream_is_left_to_nbformat() -> None:
    client = CellClient(new_notebook(cells=[new_code_cell()]), SimpleNamespace(), lambda output: None)
    with pytest.raises(ValidationError):
        client.process_message(_message(5), client.nb.cells[0], 0)


def test_a_display_that_no_notebook_can_hold_becomes_json_text() -> None:
    data = {
        "text/plain": ["one\n", "two"],
        "application/json": [1, {}],
        "application/x+json": None,
        "application/x-thing": {"a": "ü"},
        "text/html": ["one", 2],
    }
    kind = {"msg_type": "display_data"}
    message = _message("") | kind | {"header": kind, "content": {"data": dict(data), "metadata": {}}}
    client = CellClient(new_notebook(cells=[new_code_cell()]), SimpleNamespace(), lambda output: None)
    client.clear_before_next_output = False
    client.process_message(message, client.nb.cells[0], 0)
    (output,) = client.nb.cells[0].outputs
    assert output.data == data | {"application/x-thing": '{"a": "ü"}', "text/html": '["one", 2]'}


def test_what_the_kernel_says_for_itself_goes_to_whoever_watches_and_into_no_cell() -> None:
    client = CellClient(new_notebook(cells=[new_code_cell()]), SimpleNamespace(), lambda output: None)
    told: list[tuple[str, str]] = []
    client.on_warning = lambda message, hint: told.append((message, hint))
    cell = client.nb.cells[0]
    note = {"note": WARNING, "message": "This step is not recorded.", "hint": "The cell runs as usual."}
    message = _message("")
    message["msg_type"] = message["header"]["msg_type"] = "display_data"
    message["content"] = {"data": {"text/plain": "jupyter-mlops: ...", NOTE: note}, "metadata": {}}
    client.process_message(message, cell, 0)
    assert told == [("This step is not recorded.", "The cell runs as usual.")]
    assert cell.outputs == []
    assert METADATA not in cell.metadata

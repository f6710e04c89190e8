from __future__ import annotations

import asyncio
import time

import pytest
import zmq
import zmq.asyncio
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session

from jupyter_mlops.jobs.client import AttentiveChannel, joined


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
    text = ""
    for piece in pieces:
        text = joined(text, piece)
    assert text == whole


@given(st.lists(st.text(alphabet="ab\n")))
def test_plain_text_is_only_appended(pieces: list[str]) -> None:
    text = ""
    for piece in pieces:
        text = joined(text, piece)
    assert text == "".join(pieces)


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

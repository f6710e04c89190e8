"""A wish to stop, which may come by several ways."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_mlops.execution.engine import stop as module
from jupyter_mlops.execution.engine.stop import Stop


def heard(stop: Stop, told: list[str], seconds: float) -> list[str]:
    """The words that an execution hears, to which `told` says one after the other when it asks."""

    async def execution() -> list[str]:
        words: list[str] = []
        with stop.heard_by(asyncio.get_running_loop(), words.append):
            asking = asyncio.create_task(stop.heed(lambda: told.pop(0) if told else ""))
            await asyncio.sleep(seconds)
            asking.cancel()
        return words

    return asyncio.run(execution())


def test_a_word_that_is_read_is_heard_once_and_then_asked_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEED_SECONDS", 0.01)
    stop, told = Stop(), ["", "", "please", "again"]
    assert heard(stop, told, 0.5) == ["please"]
    assert (stop.word, stop.cause, told) == ("please", "canceled", ["again"])


def test_the_same_wish_by_another_way_does_not_kill_and_a_second_wish_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEED_SECONDS", 0.01)
    stop = Stop()
    stop.ask_once("please")
    assert heard(stop, ["please"], 0.1) == ["please"]
    stop.ask_once("please")
    stop.ask("its worker was stopped", "interrupted")
    assert heard(stop, [], 0.05) == ["please", "please"], "asked twice, as by two signals"

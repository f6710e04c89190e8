"""Requests for one subject wait for one another, and those alike share an answer that is no older than any of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partialmethod
from typing import Any

import pytest

from jupyter_mlops.domain.run import Run
from jupyter_mlops.operations.steps import status
from jupyter_mlops.server.framework.turns import Turns
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.runs import RunStore
from server.conftest import Ask

LIST, PIPELINE_STATUS = RunStore.list, status.pipeline_status


class Work:
    """Work that takes until it is let go on, and what was done, in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_work = 0
        self.most = 0
        self.gate = asyncio.Event()

    def of(self, name: str, *, fails: bool = False) -> Callable[[], asyncio.Future[str]]:
        async def work() -> str:
            self.begun.append(name)
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            await self.gate.wait()
            self.at_work -= 1
            if fails:
                raise ZeroDivisionError(name)
            return f"{name} {len(self.begun)}"

        return lambda: asyncio.ensure_future(work())


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_like_questions_that_wait_are_answered_by_one_that_begins_after_them_all() -> None:
    turns, work = Turns(), Work()
    first = asyncio.ensure_future(turns.ask("nb", "q", work.of("q")))
    await _settled()
    later = [asyncio.ensure_future(turns.ask("nb", "q", work.of("q"))) for _ in range(49)]
    await _settled()
    assert work.begun == ["q"]
    work.gate.set()
    assert await first == "q 1"
    assert set(await asyncio.gather(*later)) == {"q 2"}


async def test_questions_of_one_subject_take_their_turns_and_those_of_another_do_not_wait() -> None:
    turns, work = Turns(), Work()
    asked = [asyncio.ensure_future(turns.ask("nb", name, work.of(name))) for name in "abc"]
    other = asyncio.ensure_future(turns.ask("other", "a", work.of("o")))
    await _settled()
    assert (work.begun, work.most) == (["a", "o"], 2)
    work.gate.set()
    assert [answer[0] for answer in await asyncio.gather(*asked, other)] == ["a", "b", "c", "o"]
    assert work.most == 2


async def test_what_fails_is_told_to_all_who_asked_for_it_and_keeps_no_one_else_from_an_answer() -> None:
    turns, work = Turns(), Work()
    work.gate.set()
    asked = [turns.ask("nb", "bad", work.of("bad", fails=True)) for _ in range(3)]
    found = await asyncio.gather(*asked, turns.ask("nb", "good", work.of("good")), return_exceptions=True)
    assert [type(answer) for answer in found] == [ZeroDivisionError] * 3 + [str]
    assert work.begun == ["bad", "good"]
    assert turns._lines == {}


class Held:
    """Holds what is called first back until `count` requests have arrived, and counts the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        self.calls = 0
        self._all_here = threading.Event()
        arrived: list[object] = []
        ask = Turns.ask

        def arriving(turns: Turns, subject: Any, question: Any, work: Any) -> Any:
            arrived.append(question)
            made = asyncio.ensure_future(ask(turns, subject, question, work))
            if len(arrived) == count:
                asyncio.get_running_loop().call_later(0, self._all_here.set)
            return made

        monkeypatch.setattr(Turns, "ask", arriving)

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        assert self._all_here.wait(30)
        return function(*arguments, **named)


async def test_lists_that_are_asked_for_at_once_are_read_once_more_and_not_once_each(
    ask: Ask, add_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run()
    held = Held(monkeypatch, 10)
    monkeypatch.setattr(RunStore, "list", partialmethod(lambda self, **which: held.call(LIST, self, **which)))
    answers = await asyncio.gather(*(ask("runs", path="work", limit=str(20 + place % 2)) for place in range(10)))
    assert [len(answer.data["runs"]) for answer in answers] == [1] * 10
    assert held.calls <= 3  # of the first, and of both kinds since


async def test_states_of_one_notebook_that_are_asked_for_at_once_are_looked_up_twice(
    ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, 10)
    monkeypatch.setattr(status, "pipeline_status", lambda *given, **named: held.call(PIPELINE_STATUS, *given, **named))
    cells = [{"index": 0, "id": "a", "kind": "code", "source": "%%step load\nx = 1", "tags": []}]
    body = {"path": "work/study.ipynb", "cells": cells}
    answers = await asyncio.gather(*(ask("status", body) for _ in range(10)))
    assert {answer.data["steps"][0]["name"] for answer in answers} == {"load"}
    assert held.calls <= 2

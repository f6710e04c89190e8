"""Jobs over HTTP: what is refused before anything starts, and three real ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.store import open_store

from .conftest import Ask, write_notebook

PATIENCE = 120.0


async def until(ask: Ask, number: int, condition: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while True:
        run = (await ask(f"runs/{number}", path="work/study.ipynb")).data
        if condition(run):
            return run
        assert time.monotonic() < deadline, run
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("parameters", "status", "code", "hint"),
    [
        ({"rat": 1}, 404, "unknown_name", "Did you mean 'rate'?"),
        ({"rate": "fast"}, 400, "input", "0.5"),
        ({"rate": None}, 400, "input", "0.5"),
    ],
)
async def test_parameters_that_do_not_fit_start_nothing(
    ask: Ask, notebook: Path, parameters: dict[str, Any], status: int, code: str, hint: str
) -> None:
    answer = await ask("runs", {"path": "work/study.ipynb", "parameters": parameters})
    assert (answer.status, answer.data["code"]) == (status, code)
    assert hint in answer.data["hint"]
    assert (await ask("runs", path="work/study.ipynb")).data["runs"] == []


async def test_a_body_that_is_too_large_for_its_route_is_413(ask: Ask, notebook: Path) -> None:
    large = {"path": "work/study.ipynb", "parameters": {"rate": "1" * (1 << 20)}}
    answer = await ask("runs", large)
    assert (answer.status, answer.data["code"]) == (413, "too_large")
    assert "pass its path" in answer.data["hint"]
    cell = {"index": 0, "id": "a", "kind": "code", "source": "#" * (20 << 20), "tags": []}
    answer = await ask("status", {"path": "work/study.ipynb", "cells": [cell]})
    assert answer.status == 200


async def test_a_file_that_is_no_notebook_is_422(ask: Ask, notebook: Path) -> None:
    notebook.write_text("<<<<<<< HEAD")
    answer = await ask("runs", {"path": "work/study.ipynb", "parameters": {}})
    assert (answer.status, answer.data["code"]) == (422, "notebook")


@pytest.mark.kernel
async def test_a_job_runs_to_its_end(ask: Ask, notebook: Path) -> None:
    before = notebook.read_bytes()
    answer = await ask("runs", {"path": "work/study.ipynb", "parameters": {"rate": 2}})
    assert answer.status == 201
    assert (answer.data["number"], answer.data["status"], answer.data["parameters"]["rate"]) == (1, "pending", 2.0)
    run = await until(ask, 1, lambda run: run["ended_at"] is not None)
    assert run["status"] == "completed", run["error"]
    assert {step_run["status"] for step_run in run["step_runs"]} == {"completed"}
    assert [step_run["step"] for step_run in run["step_runs"] if "@" not in step_run["step"]] == ["load"]
    assert len(run["step_runs"]) == 3, "the parameters, those given, and the step"
    assert (notebook.parent / run["output_path"]).is_file()
    assert notebook.read_bytes() == before


@pytest.mark.kernel
async def test_a_job_is_canceled(ask: Ask, notebook: Path) -> None:
    write_notebook(notebook, [("import time\ntime.sleep(600)", ["step:wait"])])
    await ask("runs", {"path": "work/study.ipynb", "parameters": {}})
    await until(ask, 1, lambda run: run["progress"]["step"] == "wait")
    answer = await ask("runs/1/cancel", {"path": "work/study.ipynb"})
    assert answer.status == 200
    run = await until(ask, 1, lambda run: run["ended_at"] is not None)
    assert (run["status"], run["error"]["cause"]) == ("canceled", "canceled")
    again = await ask("runs/1/cancel", {"path": "work/study.ipynb"})
    assert (again.status, again.data["code"]) == (400, "input")
    with open_store(notebook) as store:
        assert all(step_run.status.ended for step_run in store.steps.runs(run_id=run["id"]))


@pytest.mark.kernel
async def test_a_job_that_failed_is_resumed_with_its_values(ask: Ask, notebook: Path) -> None:
    gate = "import pathlib\nassert pathlib.Path('go').exists(), rate"
    cells: list[tuple[str, list[str]]] = [
        ("rate: float = 0.5", ["parameters"]),
        ("import time\nstamp = time.time()", ["step:load"]),
        (gate, ["step:gate"]),
    ]
    write_notebook(notebook, cells)
    await ask("runs", {"path": "work/study.ipynb", "parameters": {"rate": 2}})
    failed = await until(ask, 1, lambda run: run["ended_at"] is not None)
    assert (failed["status"], failed["error"]["step"]) == ("failed", "gate")
    (notebook.parent / "go").touch()
    answer = await ask("runs/1/resume", {"path": "work/study.ipynb"})
    assert (answer.status, answer.data["status"]) == (201, "pending")
    assert (answer.data["number"], answer.data["resumes"]) == (2, failed["id"])
    run = await until(ask, 2, lambda run: run["ended_at"] is not None)
    assert run["status"] == "completed", run["error"]
    assert run["parameters"] == {"rate": 2.0}
    statuses = {step_run["step"]: step_run["status"] for step_run in run["step_runs"]}
    assert (statuses["load"], statuses["gate"]) == ("reused", "completed")

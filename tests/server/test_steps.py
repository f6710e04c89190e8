from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verbs.projects import add_step

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.server.framework.projects import Projects
from jupyter_mlops.store.files.processes import start_of
from jupyter_mlops.store.store import Store

from .conftest import Ask

CELLS = [
    {"index": 0, "id": "p", "kind": "code", "source": "rate: float = 0.5  # learning rate", "tags": ["parameters"]},
    {"index": 1, "id": "m", "kind": "markdown", "source": "# Load", "tags": []},
    {"index": 2, "id": "l", "kind": "code", "source": "%%step load\ndata = [rate]", "tags": []},
    {"index": 3, "id": "t", "kind": "code", "source": "model = sum(data)", "tags": ["step:train"]},
]


async def test_the_open_notebook_is_shown_as_its_cells_stand(ask: Ask, notebook: Path) -> None:
    answer = await ask("status", {"path": "work/study.ipynb", "cells": CELLS})
    assert answer.status == 200
    assert answer.data["notebook"] == "study.ipynb"
    assert [(step["name"], step["cell_id"], step["state"], step["named"]) for step in answer.data["steps"]] == [
        ("cell@p", "p", "never_run", False),
        ("load", "l", "never_run", True),
        ("train", "t", "never_run", True),
    ]
    assert answer.data["steps"][2]["upstream"] == ["load"]
    [parameter] = answer.data["parameters"]
    assert (parameter["name"], parameter["type"], parameter["default"]) == ("rate", "float", 0.5)
    assert parameter["help"] == "learning rate"
    assert not (notebook.parent / ".mlops").exists()


@pytest.mark.kernel
async def test_the_steps_are_those_of_the_notebooks_kernel(
    ask: Ask, notebook: Path, store: Store, add_run: Callable[..., Run], jp_fetch: Any, jp_serverapp: Any
) -> None:
    started = json.loads((await jp_fetch("api", "kernels", method="POST", body="{}")).body)["id"]
    process = jp_serverapp.kernel_manager.get_kernel(started).provisioner.pid
    session = add_run(kind="session", status=Status.RUNNING, pid=process, pid_started=start_of(process))
    add_step(store, session, "load", "data = [rate]", status=Status.FAILED, error="ValueError: here")
    add_step(store, add_run(), "load", "data = [rate]", status=Status.FAILED, error="ValueError: in a job")
    body = {"path": "work/study.ipynb", "cells": CELLS, "kernel": started}
    answer = (await ask("status", body)).data
    assert answer["in_view"] == "kernel"
    assert [step["reason"] for step in answer["steps"]][1] == "ValueError: here"
    other = (await ask("status", body | {"kernel": "of another server"})).data
    assert (other["in_view"], other["steps"][1]["state"]) == ("kernel", "never_run")
    await jp_fetch("api", "kernels", started, method="DELETE")


async def test_an_executed_notebook_tells_which_run_left_it_and_where_its_source_is(
    ask: Ask, notebook: Path, store: Store, add_run: Callable[..., Run]
) -> None:
    run = add_run(output_path="runs/study-1.ipynb", status=Status.COMPLETED)
    add_step(store, run, "load", "data = [rate]")
    body = {"path": "work/runs/study-1.ipynb", "cells": CELLS, "papermill": {"start_time": "2026-01-01T00:00:00"}}
    answer = (await ask("status", body)).data
    assert (answer["in_view"], answer["run_number"], answer["source"]) == ("run", 1, "work/study.ipynb")
    assert [step["state"] for step in answer["steps"]] == ["never_run", "completed", "never_run"]
    assert (await ask("status", body | {"papermill": None})).data["in_view"] == "record"
    assert (await ask("status", body | {"kernel": 3})).status == 400


@pytest.mark.parametrize(
    "source", ['x = "\ud800"', "-" * 100_000 + "1", "x = " + "+".join(["1"] * 5000)], ids=["half", "signs", "deep"]
)
async def test_one_bad_cell_leaves_the_others_as_they_are(ask: Ask, notebook: Path, source: str) -> None:
    cells = [*CELLS, {"index": 4, "id": "bad", "kind": "code", "source": source, "tags": ["step:bad"]}]
    answer = await ask("status", {"path": "work/study.ipynb", "cells": cells})
    assert answer.status == 200
    assert [step["name"] for step in answer.data["steps"]][-3:] == ["load", "train", "bad"]


async def test_what_is_wrong_in_the_notebook_is_told_not_raised(ask: Ask, notebook: Path) -> None:
    twice = [CELLS[2], CELLS[2] | {"index": 3, "id": "again"}, CELLS[3] | {"source": "(", "index": 4}]
    answer = await ask("status", {"path": "work/study.ipynb", "cells": twice})
    assert answer.status == 200
    assert "again" in [problem["cell_id"] for problem in answer.data["problems"]]
    assert all(problem["hint"] for problem in answer.data["problems"])


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ("x", "'cells' is not a list"),
        (["x"], "A cell is not an object"),
        ([{}], "'tags' is missing"),
        ([CELLS[0] | {"tags": [1]}], "A tag"),
        ([CELLS[0] | {"index": "0"}], "'index' is not a whole number"),
        ([CELLS[0] | {"index": True}], "'index' is not a whole number"),
        ([CELLS[0] | {"source": ["a"]}], "'source' is not a text"),
    ],
)
async def test_cells_that_are_none_are_named(ask: Ask, notebook: Path, cells: Any, wrong: str) -> None:
    answer = await ask("status", {"path": "work/study.ipynb", "cells": cells})
    assert answer.status == 400
    assert wrong in answer.data["message"]
    assert answer.data["hint"]


async def test_a_slow_store_does_not_hold_up_the_server(
    ask: Ask, notebook: Path, jp_fetch: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    real = Projects.place

    def slow(self: Projects, path: str) -> Any:
        assert go_on.wait(20)
        return real(self, path)

    monkeypatch.setattr(Projects, "place", slow)
    asked = asyncio.ensure_future(ask("runs", path="work/study.ipynb"))
    response = await jp_fetch("api", "status")
    assert response.code == 200
    assert not asked.done()
    go_on.set()
    assert (await asked).status == 200

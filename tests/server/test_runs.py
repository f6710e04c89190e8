from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.domain.run import Run, RunFailure, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.operations.runs import resume
from jupyter_mlops.store.store import Store

from .conftest import Ask, write_notebook


def files_of(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


async def test_runs_are_listed_newest_first(ask: Ask, add_run: Callable[..., Run]) -> None:
    runs = [add_run(parameters={"rate": 0.1}), add_run(metrics={"auc": float("nan")}), add_run()]
    answer = await ask("runs", path="work/study.ipynb", limit="2")
    assert answer.status == 200
    assert answer.data == {"runs": to_wire(runs[:0:-1]), "project": "work", "older": True}
    assert answer.data["runs"][1]["metrics"] == {"auc": "nan"}


async def test_runs_of_a_folder_are_those_of_its_project(ask: Ask, add_run: Callable[..., Run]) -> None:
    add_run()
    assert len((await ask("runs", path="work")).data["runs"]) == 1
    assert (await ask("runs")).data == {"runs": [], "project": None, "older": False}


async def test_every_run_is_reached_page_by_page(ask: Ask, add_run: Callable[..., Run]) -> None:
    for _ in range(5):
        add_run()
    seen: list[int] = []
    query: dict[str, str] = {}
    while True:
        page = (await ask("runs", path="work", limit="2", **query)).data
        seen += [run["number"] for run in page["runs"]]
        if not page["older"]:
            break
        query = {"before": str(seen[-1])}
    assert seen == [5, 4, 3, 2, 1]
    assert (await ask("runs", path="work", before="1")).data == {"runs": [], "project": "work", "older": False}


@pytest.mark.parametrize("before", ["0", "-1", "x", "", "9" * 20])
async def test_a_run_to_list_from_that_is_no_number_is_named(ask: Ask, before: str) -> None:
    answer = await ask("runs", before=before)
    assert (answer.status, answer.data["code"]) == (400, "input")
    assert "before" in answer.data["message"]


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1001", "", "1e3", "²", "9" * 400])
async def test_a_limit_that_is_none_is_named(ask: Ask, limit: str) -> None:
    answer = await ask("runs", limit=limit)
    assert answer.status == 400
    assert answer.data["code"] == "input"
    assert "limit" in answer.data["message"]


@pytest.mark.parametrize("route", ["runs", "runs/1", "schedules"])
async def test_reading_makes_no_project(ask: Ask, notebook: Path, jp_root_dir: Path, route: str) -> None:
    before = files_of(jp_root_dir)
    answer = await ask(route, path="work/study.ipynb")
    assert answer.status == (404 if route == "runs/1" else 200)
    assert files_of(jp_root_dir) == before


async def test_reading_mends_no_project_either(ask: Ask, add_run: Callable[..., Run], store: Store) -> None:
    add_run()
    (store.folder / ".gitignore").unlink()
    (store.folder / "objects").rmdir()
    assert len((await ask("runs", path="work/study.ipynb")).data["runs"]) == 1
    assert not (store.folder / ".gitignore").exists()
    assert not (store.folder / "objects").exists()


async def test_a_project_folder_without_an_index_is_empty(ask: Ask, notebook: Path) -> None:
    (notebook.parent / ".mlops").mkdir()
    assert (await ask("runs", path="work/study.ipynb")).data == {"runs": [], "project": None, "older": False}
    assert list((notebook.parent / ".mlops").iterdir()) == []


async def test_the_project_may_lie_above_the_served_folder(
    ask: Ask, jp_root_dir: Path, jp_serverapp: Any, add_run: Callable[..., Run]
) -> None:
    add_run()
    (jp_root_dir / "work" / "deep").mkdir()
    jp_serverapp.contents_manager.root_dir = str(jp_root_dir / "work" / "deep")
    answer = await ask("runs", path="study.ipynb")
    assert len(answer.data["runs"]) == 1
    assert answer.data["project"] is None


@pytest.mark.parametrize("by", ["id", "number"])
async def test_one_run_comes_with_its_step_runs_in_order(
    ask: Ask, add_run: Callable[..., Run], store: Store, by: str
) -> None:
    run = add_run()
    for position, step in enumerate(("load", "train")):
        store.steps.start_run(
            StepRun(
                id=store.new_id(),
                run_id=run.id,
                notebook=run.notebook,
                step=step,
                version=1,
                version_digest="d",
                position=position,
                status=Status.COMPLETED,
                started_at=store.now(),
            )
        )
    answer = await ask(f"runs/{getattr(run, by)}", path="work/study.ipynb")
    assert answer.status == 200
    assert {name: value for name, value in answer.data.items() if name != "step_runs"} == to_wire(
        store.runs.get(run.id)
    )
    assert [step_run["step"] for step_run in answer.data["step_runs"]] == ["load", "train"]


async def test_an_unknown_run_is_404_with_the_known_ones(ask: Ask, add_run: Callable[..., Run]) -> None:
    add_run()
    answer = await ask("runs/7", path="work/study.ipynb")
    assert answer.status == 404
    assert answer.data == {"code": "unknown_name", "message": "There is no run named '7'.", "hint": "Known: 1."}


@pytest.mark.parametrize("path", ["../work/study.ipynb", "/etc/passwd", "work/../../x.ipynb", ".mlops", "link/a.ipynb"])
async def test_no_path_leads_out(ask: Ask, jp_root_dir: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.ipynb").write_text("{}")
    (jp_root_dir / "link").symlink_to(tmp_path / "elsewhere")
    for answer in (
        await ask("runs", path=path),
        await ask("runs/1", path=path),
        await ask("schedules", path=path),
        await ask("runs", {"path": path, "parameters": {}}),
        await ask("runs/1/cancel", {"path": path}),
        await ask("runs/1/resume", {"path": path}),
        await ask("runs/1/open", {"path": path}),
        await ask("status", {"path": path, "cells": []}),
    ):
        assert answer.status == 404
        assert answer.data["code"] == "unknown_name"
    assert not (tmp_path / "elsewhere" / ".mlops").exists()


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ({}, "'path' is missing"),
        ({"path": 3}, "'path' is not a text"),
        ({"path": "work/study.ipynb", "parameters": []}, "'parameters' is not an object"),
    ],
)
async def test_a_body_that_says_nothing_is_named(ask: Ask, notebook: Path, body: Any, wrong: str) -> None:
    answer = await ask("runs", body)
    assert answer.status == 400
    assert answer.data["code"] == "input"
    assert wrong in answer.data["message"]
    assert answer.data["hint"]
    assert not (notebook.parent / ".mlops").exists()


async def test_a_run_of_a_notebook_that_is_not_there_makes_nothing(ask: Ask, notebook: Path) -> None:
    answer = await ask("runs", {"path": "work/studi.ipynb", "parameters": {}})
    assert answer.status == 404
    assert answer.data["hint"] == "Did you mean 'work/study.ipynb'?"
    assert not (notebook.parent / ".mlops").exists()


@pytest.mark.parametrize("action", ["cancel", "resume", "open"])
@pytest.mark.parametrize("body", [{"path": "work/study.ipynb"}, {"path": None}, {}])
async def test_an_action_on_a_run_that_is_not_there_is_404(ask: Ask, notebook: Path, body: Any, action: str) -> None:
    answer = await ask(f"runs/1/{action}", body)
    assert answer.status == 404
    assert not (notebook.parent / ".mlops").exists()


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"status": Status.COMPLETED}, "Run 1 is completed: there is nothing to continue.", "mlops run study.ipynb"),
        ({"status": Status.PENDING}, "Run 1 has not ended: it is pending.", "mlops cancel 1"),
        ({"status": Status.RUNNING, "pid": os.getpid()}, "Run 1 has not ended: it is running.", "mlops cancel 1"),
        ({"status": Status.FAILED, "kind": "session"}, "Run 1 is a live notebook session.", "its own kernel"),
        ({"status": Status.FAILED}, "The notebook of run 1 was not stored.", "Submit study.ipynb again."),
    ],
)
async def test_a_run_that_cannot_be_resumed_says_why(
    ask: Ask, add_run: Callable[..., Run], values: dict[str, Any], message: str, hint: str
) -> None:
    add_run(**values)
    answer = await ask("runs/1/resume", {"path": "work/study.ipynb"})
    assert (answer.status, answer.data["code"], answer.data["message"]) == (400, "input", message)
    assert hint in answer.data["hint"]
    assert len((await ask("runs", path="work/study.ipynb")).data["runs"]) == 1


async def test_a_run_is_continued_with_the_notebook_as_it_was_or_as_it_is(
    ask: Ask, notebook: Path, store: Store, add_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "ensure_worker", lambda _store: None)
    before = store.objects.put(notebook.read_bytes())
    write_notebook(notebook, [("mended = True", [])])
    for with_edit in (False, True):
        run = add_run(status=Status.FAILED, notebook_object=before)
        body = {"path": "work/study.ipynb", "with_edit": with_edit}
        made = (await ask(f"runs/{run.number}/resume", body)).data
        assert (made["notebook_object"] == before) is not with_edit
    assert (await ask("runs/1/resume", {"path": "work/study.ipynb", "with_edit": "yes"})).status == 400


async def test_a_failed_run_opens_as_a_notebook_at_its_failing_cell(
    ask: Ask, notebook: Path, store: Store, add_run: Callable[..., Run]
) -> None:
    kept = store.objects.put(notebook.read_bytes())
    add_run(status=Status.FAILED, notebook_object=kept, error=RunFailure("cell_error", "boom", cell_index=1))
    answer = await ask("runs/1/open", {"path": "work/study.ipynb"})
    assert (answer.status, answer.data) == (201, {"path": "work/study-run1.ipynb", "cell_index": 1})
    assert "attach 1" in (notebook.parent / "study-run1.ipynb").read_text()


async def test_what_the_store_cannot_do_is_told_with_the_mend(ask: Ask, notebook: Path) -> None:
    (notebook.parent / ".mlops").mkdir()
    (notebook.parent / ".mlops" / "index.db").write_bytes(b"this is no database, but it is long enough to be one" * 20)
    answer = await ask("runs", path="work/study.ipynb")
    assert answer.status == 409
    assert answer.data["code"] == "damaged_index"
    assert "store recover" in answer.data["hint"]


@pytest.mark.parametrize("how", ["emptied", "deleted"])
async def test_an_index_that_is_lost_is_told_and_not_taken_for_a_project_without_runs(
    ask: Ask, add_run: Callable[..., Run], store: Store, how: str
) -> None:
    add_run()
    index = store.folder / "index.db"
    store.close()
    os.truncate(index, 0) if how == "emptied" else index.unlink()
    answer = await ask("runs", path="work/study.ipynb")
    assert answer.status == 409
    assert answer.data["code"] == "damaged_index"
    assert "store recover" in answer.data["hint"]


async def test_what_no_one_expected_is_told_in_the_same_form(
    ask: Ask, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(path: str) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(jp_serverapp.web_app.settings["jupyter_mlops"].projects, "place", fail)
    answer = await ask("runs")
    assert answer.status == 500
    assert answer.data["code"] == "unexpected"
    assert "secret" not in str(answer.data)
    assert any(record.exc_info and "a secret detail" in str(record.exc_info[1]) for record in caplog.records)


async def test_a_route_that_is_not_there_for_a_verb_is_405_in_the_same_form(ask: Ask) -> None:
    answer = await ask("status")
    assert answer.status == 405
    assert answer.data["code"] == "method_not_allowed"


LARGE = "abcd efgh\n" * 400_000


def _large_run(store: Store, add_run: Callable[..., Run]) -> Run:
    given = {"rate": 0.5, "text": LARGE, "depth": 3}
    metrics = {f"metric_{place:05}": place / 7 for place in range(5000)}
    values = {"status": Status.COMPLETED, "ended_at": store.now(), "parameters": given, "metrics": metrics}
    run = add_run(**values, options=RunOptions(given=given))
    for position in range(3):
        made = StepRun(store.new_id(), run.id, run.notebook, "load", 1, "d", position, Status.COMPLETED)
        store.steps.start_run(replace(made, metrics=metrics, started_at=store.now()))
    return run


async def test_a_list_tells_what_it_leaves_out_of_a_large_run(
    ask: Ask, add_run: Callable[..., Run], store: Store
) -> None:
    _large_run(store, add_run)
    answer = await ask("runs", path="work/study.ipynb")
    run = answer.data["runs"][0]
    assert len(str(answer.data)) < 30_000
    assert (run["parameters"]["rate"], run["parameters"]["depth"]) == (0.5, 3)
    assert run["left_out"]["metrics"]["items"] == 4900
    assert run["left_out"]["parameters"]["texts"]["text"] >= len(LARGE)


async def test_a_large_run_is_shown_in_part_and_given_whole_where_that_is_asked_for(
    ask: Ask, add_run: Callable[..., Run], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.server.runs.STEP_RUNS", 2)
    _large_run(store, add_run)
    part = (await ask("runs/1", path="work/study.ipynb")).data
    whole = (await ask("runs/1", path="work/study.ipynb", whole="true")).data
    assert len(str(part)) < 200_000
    assert part["left_out"]["metrics"]["items"] == part["step_runs"][0]["left_out"]["metrics"]["items"] == 4000
    assert part["left_out"]["step_runs"]["items"] == 1
    assert [step_run["position"] for step_run in part["step_runs"]] == [1, 2]
    assert whole["parameters"]["text"] == whole["options"]["given"]["text"] == LARGE
    assert len(whole["metrics"]) == len(whole["step_runs"][0]["metrics"]) == 5000
    assert (whole["left_out"], len(whole["step_runs"])) == ({}, 3)
    assert (await ask("runs/1", path="work/study.ipynb", whole="yes")).status == 400


async def test_what_an_action_answers_of_a_large_run_is_short(
    ask: Ask, add_run: Callable[..., Run], store: Store
) -> None:
    run = _large_run(store, add_run)
    pending = add_run(parameters=run.parameters)
    answer = await ask(f"runs/{pending.number}/cancel", {"path": "work/study.ipynb"})
    assert (answer.status, answer.data["status"]) == (200, "canceled")
    assert len(str(answer.data)) < 10_000
    assert answer.data["left_out"]["parameters"]["texts"]["text"] >= len(LARGE)

"""Megabytes in an index of an earlier build: a list reads and shows little of them, and says how much it leaves out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from jupyter_mlops.domain.brief import IN_DETAIL, IN_LIST, IN_SOURCE, LeftOut
from jupyter_mlops.domain.listed import shown_step_run
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.run import Run, RunFailure, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.store import open_store
from jupyter_mlops.store.db import sqlite_connect
from jupyter_mlops.store.db.schema import runs, step_runs
from jupyter_mlops.store.store import Store

from .conftest import NOON

AddRun = Callable[..., Run]
AddStepRun = Callable[..., StepRun]
TEXT = 'abc "def"\n' * 100_000
GIVEN = {"rate": 0.5, "text": TEXT, "depth": 3}


def put(store: Store, table: sa.Table, row_id: str, **values: Any) -> None:
    """As an earlier build put it, without bounds."""
    with store.index.write() as connection:
        connection.execute(table.update().where(table.c.id == row_id).values(**values))


def large_run(store: Store, add_run: AddRun, **values: Any) -> Run:
    options = RunOptions(given=GIVEN, workers=3, force="train", modules={"m.py": "o"})
    given = {"status": Status.COMPLETED, "parameters": GIVEN, "options": options, "ended_at": NOON}
    return add_run(**(given | values))


def test_a_list_shows_the_beginning_of_a_large_parameter_and_all_others(store: Store, add_run: AddRun) -> None:
    large_run(store, add_run)
    listed = store.runs.list()[0]
    assert listed.parameters["rate"] == 0.5
    assert listed.parameters["depth"] == 3
    assert listed.parameters["text"] == TEXT[: IN_LIST.text - 1] + "…"
    assert listed.left_out["parameters"].texts == {"text": len(json.dumps(TEXT)) - 2}
    assert len(json.dumps(to_wire(listed))) < 10_000


def test_the_options_of_a_run_with_large_parameters_are_those_it_has(store: Store, add_run: AddRun) -> None:
    large_run(store, add_run)
    options = store.runs.list()[0].options
    assert (options.workers, options.force, options.modules, options.given) == (3, "train", {"m.py": "o"}, {})
    assert store.runs.list()[0].left_out["options"].unread > 1_000_000


def test_options_in_the_order_of_another_build_are_those_it_has_too(store: Store, add_run: AddRun) -> None:
    run = large_run(store, add_run)
    put(store, runs, run.id, options={"workers": 3, "output": "o.ipynb", "given": GIVEN, "notify": []})
    listed = store.runs.list()[0]
    assert (listed.options.workers, listed.options.output) == (3, "o.ipynb")
    assert listed.options.given["rate"] == 0.5
    assert listed.left_out["options"].texts == {"text": len(TEXT)}


def test_one_run_is_given_whole_and_its_detail_says_what_it_leaves_out(store: Store, add_run: AddRun) -> None:
    run = large_run(store, add_run)
    assert store.runs.get(run.id).parameters == GIVEN
    assert store.runs.get(run.id).options.given == GIVEN
    detail = store.runs.detail(run.number)
    assert len(detail.parameters["text"]) == IN_DETAIL.text
    assert detail.left_out["parameters"].texts["text"] >= len(TEXT)


def test_a_run_without_large_values_leaves_nothing_out(store: Store, add_run: AddRun) -> None:
    run = add_run(parameters={"rate": 0.5}, error=RunFailure("cell_error", "boom", step="train"))
    assert store.runs.list() == [store.runs.get(run.id)] == [store.runs.detail(run.id)]
    assert run.left_out == {}


def test_a_run_of_which_parts_are_left_out_is_not_put_back(store: Store, add_run: AddRun) -> None:
    large_run(store, add_run)
    with pytest.raises(ValueError, match="only a part"):
        store.runs.create(store.runs.list()[0])


def test_the_run_to_continue_is_whole(store: Store, add_run: AddRun) -> None:
    large_run(store, add_run, status=Status.FAILED)
    found = store.runs.unfinished()
    assert found is not None
    assert found.options.given == GIVEN


def test_thousands_of_metrics_are_counted(store: Store, add_run: AddRun) -> None:
    metrics = {f"metric_{place:05}": place / 7 for place in range(100_000)}
    add_run(metrics=dict(list(metrics.items())[:5000]))
    add_run(metrics=metrics | {"last": float("nan")})
    newest, older = store.runs.list()
    assert newest.left_out == {"metrics": LeftOut(items=100_001 - IN_LIST.items)}
    assert older.left_out == {"metrics": LeftOut(items=5000 - IN_LIST.items)}
    assert older.metrics == dict(list(metrics.items())[: IN_LIST.items])
    assert store.runs.detail(older.number).left_out == {"metrics": LeftOut(items=5000 - IN_DETAIL.items)}


def test_an_error_of_megabytes_is_cut_where_it_is_recorded(store: Store, add_run: AddRun) -> None:
    run = add_run(status=Status.RUNNING)
    message = "x" * 10_000_000
    error = RunFailure("cell_error", f"ValueError: {message}", cell_index=3, ename="ValueError", evalue=message)
    store.runs.finish(run.id, Status.FAILED, now=NOON, error=error)
    kept = store.runs.get(run.id).error
    assert kept is not None
    assert (len(kept.message), len(kept.evalue), kept.cell_index, kept.ename) == (10_000, 10_000, 3, "ValueError")
    assert kept.evalue.endswith("… (10,000,000 characters)")


def test_an_error_of_megabytes_of_an_earlier_build_is_cut_in_a_list(store: Store, add_run: AddRun) -> None:
    run = add_run(status=Status.FAILED, ended_at=NOON)
    error = {"cause": "cell_error", "message": TEXT, "cell_index": 3, "step": "train", "ename": "E", "evalue": TEXT}
    put(store, runs, run.id, error=error)
    listed = store.runs.list()[0]
    assert listed.error is not None
    assert (listed.error.cause, listed.error.cell_index, listed.error.step) == ("cell_error", 3, "train")
    assert len(listed.error.message) == len(listed.error.evalue) == IN_LIST.text
    assert set(listed.left_out["error"].texts) == {"message", "evalue"}


@pytest.mark.parametrize("beginning", ["é", "\0"])
def test_step_runs_of_an_earlier_build_are_cut_in_a_list(
    store: Store, add_step_run: AddStepRun, beginning: str
) -> None:
    if store.index.engine.dialect.name == "postgresql":
        beginning = beginning.replace("\0", "-")  # it takes no NUL
    metrics = {f"m{place}": 1.0 for place in range(5000)}
    why = Reason(ReasonCode.TOLD, TEXT)
    made = add_step_run(status=Status.FAILED, metrics=metrics, why=why, ended_at=NOON, step="train")
    put(store, step_runs, made.id, error=f"{beginning}{TEXT}")
    listed = store.steps.listed(step="train")[0]
    assert listed.error == f"{beginning}{TEXT}"[: IN_LIST.text - 1] + "…"
    assert listed.left_out["error"].texts["error"] == len(TEXT) + 1
    assert listed.left_out["metrics"].items == 5000 - IN_LIST.items
    assert listed.left_out["why"].texts == {"detail": len(TEXT)}
    assert len(json.dumps(to_wire(listed))) < 20_000
    assert store.steps.run(made.id).metrics == metrics
    last = store.steps.last("nb.ipynb")["train"]
    assert len(last.error) <= 10_001
    assert last.metrics == metrics


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_an_error_with_a_nul_stays_whole(store: Store, add_step_run: AddStepRun) -> None:
    add_step_run(step="train", error="a\0b")
    assert store.steps.listed(step="train")[0].error == "a\0b"
    assert store.steps.last("nb.ipynb")["train"].error == "a\0b"


def test_code_of_megabytes_is_cut_in_a_list_of_versions(store: Store) -> None:
    code = f"x = '{TEXT}'"
    store.steps.version("nb.ipynb", "load", "d", code, now=NOON)
    listed = store.steps.versions("load", extent=IN_SOURCE)[0]
    assert listed.source == code[: IN_SOURCE.text - 1] + "…"
    assert listed.left_out["source"].texts == {"source": len(code)}
    assert store.steps.alike(["d"], extent=IN_SOURCE)[0].left_out == listed.left_out
    assert store.steps.versions("load")[0].source == code


class Texts:
    """Counts the characters of texts that come out of SQLite on connections opened meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        connect = sqlite_connect.connect

        def connected(path: Path) -> sqlite3.Connection:
            made = connect(path)
            made.text_factory = self._counted
            return made

        monkeypatch.setattr(sqlite_connect, "connect", connected)

    def _counted(self, data: bytes) -> str:
        self.read += len(data)
        return data.decode()

    def of(self, call: Callable[[], object]) -> int:
        before = self.read
        call()
        return self.read - before


@pytest.mark.parametrize("megabytes", [1, 4, 16])
def test_the_megabytes_of_a_run_are_not_read_for_each_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int
) -> None:
    texts = Texts(monkeypatch)
    values = {"kind": "job", "notebook": "nb.ipynb", "status": Status.COMPLETED, "created_at": NOON, "ended_at": NOON}
    with open_store(tmp_path) as store:
        for number in range(30):
            text = "a" * megabytes * 1_000_000 if number == 27 else "a"
            given = {"rate": number, "text": text}
            made = Run(id=store.new_id(), number=0, parameters=given, options=RunOptions(given=given), **values)
            store.runs.create(made)
        without = texts.of(lambda: store.runs.list(limit=2))
        assert texts.of(lambda: store.runs.list(limit=20)) < megabytes * 1_000_000 + 100_000 + 20 * without
        assert texts.of(lambda: store.runs.list(limit=20)) < 20 * without
        assert texts.of(lambda: store.runs.reconcile(now=NOON + timedelta(days=1))) < 20 * without


def test_a_run_at_work_with_megabytes_is_looked_after_without_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = Texts(monkeypatch)
    values = {"kind": "job", "notebook": "nb.ipynb", "status": Status.RUNNING, "created_at": NOON, "pid": 1}
    with open_store(tmp_path) as store:
        options = RunOptions(given={"text": "a" * 4_000_000})
        store.runs.create(Run(id=store.new_id(), number=0, options=options, **values))
        assert texts.of(store.runs.at_work) < 100_000


def test_of_a_step_run_that_reads_and_writes_thousands_a_view_shows_the_first(
    store: Store, add_step_run: AddStepRun
) -> None:
    names = [f"name{number}" for number in range(IN_DETAIL.items + 7)]
    files = {f"/data/{number:05}.png": "d" * 32 for number in range(5_000)}
    made = add_step_run(
        inputs={name: StepInput("d", "load") for name in names},
        outputs=dict.fromkeys(names, "d"),
        ingredients={"code": "c", "n" * 5_000: "d"},
        conditions=Conditions(files=files),
        known={name: {"digest": "d", "text": TEXT[:300]} for name in names},
        files=files,
    )
    (listed,) = store.steps.listed()
    assert (listed.inputs, listed.outputs, listed.conditions) == (made.inputs, made.outputs, made.conditions)
    assert len(listed.files) <= IN_LIST.items
    assert len(listed.known) <= IN_LIST.items
    for extent in (IN_LIST, IN_DETAIL):
        shown = shown_step_run(listed, extent)
        assert list(shown.inputs) == list(shown.outputs) == names[: extent.items]
        assert len(shown.conditions.files) == extent.items
        left = {name: shown.left_out[name].items for name in ("inputs", "outputs", "conditions")}
        assert left == {
            **dict.fromkeys(("inputs", "outputs"), len(names) - extent.items),
            "conditions": len(files) - extent.items,
        }
        assert shown.left_out["known"]
        assert shown.left_out["files"]
    assert shown_step_run(listed).ingredients == {"code": "c"}
    assert shown_step_run(listed).left_out["ingredients"].items == 1
    assert len(json.dumps(to_wire(shown_step_run(listed)))) < 80_000
    (whole,) = store.steps.runs()
    assert (whole.files, whole.known) == (made.files, made.known)

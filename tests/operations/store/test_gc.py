"""`store gc`: what no one needs goes, what anyone may need stays, whoever works beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from keeping import NOW, add_result, add_run, age, kept, put

from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.storage import GcReport
from jupyter_mlops.errors import StoreError
from jupyter_mlops.operations.store import gc, references, trash
from jupyter_mlops.operations.store.gc import collect_garbage
from jupyter_mlops.store.store import Store
from jupyter_mlops.tracking.uri import own_database, own_uri

KEEP = timedelta(days=30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def collect(store: Store, **options: object) -> GcReport:
    return collect_garbage(store, now=NOW, **({"keep": KEEP} | options))  # type: ignore[arg-type]


def test_old_results_go_and_the_newest_of_each_step_stays(store: Store) -> None:
    old, new, other = add_result(store), add_result(store, days=90), add_result(store, "load", days=400)
    report = collect(store)
    assert kept(store, old, new, other) == [False, True, True]
    assert [result.step_run_id for result in report.results] == [old.id]
    assert report.objects == 1
    assert report.bytes > 0


def test_the_record_stays_and_says_what_became_of_its_result(store: Store) -> None:
    old = add_result(store, display=put(store, b"shown"), files={"/a.csv": put(store, b"csv")}, metrics={"auc": 0.5})
    add_result(store, days=1)
    collect(store)
    found = store.steps.run(old.id)
    assert (found.result, found.display, found.files) == (None, None, {})
    assert found.metrics == {"auc": 0.5}
    assert found.extra["result_removed"] == f"its result was removed by gc on {NOW.date().isoformat()}"
    assert list(store.objects.names()) == [store.steps.candidates("key of train")[0].result]


def test_a_dry_run_says_the_same_and_changes_nothing(store: Store) -> None:
    old, _ = add_result(store), add_result(store, days=1)
    before = sorted(store.objects.names())
    dry = collect(store, dry_run=True)
    assert (dry.is_dry, sorted(store.objects.names())) == (True, before)
    assert kept(store, old) == [True]
    real = collect(store)
    assert (dry.results, dry.objects, dry.bytes, dry.left) == (real.results, real.objects, real.bytes, real.left)


def test_a_result_that_was_reused_lately_stays(store: Store) -> None:
    old, middle = add_result(store), add_result(store, days=99)
    add_result(store, days=98)
    add_result(store, days=2, status=Status.REUSED, result=None, reused_from=old.id)
    add_result(store, days=97, status=Status.REUSED, result=None, reused_from=middle.id)
    collect(store)
    assert kept(store, old) == [True]


def test_what_the_newest_reuse_of_a_step_came_from_stays(store: Store) -> None:
    source = add_result(store)
    add_result(store, days=99)
    add_result(store, days=98, status=Status.REUSED, result=None, reused_from=source.id)
    collect(store)
    assert kept(store, source) == [True]


def test_reuses_go_with_what_they_reused_and_stay_with_it(store: Store) -> None:
    file = put(store, b"a,b")
    gone, stays = (add_result(store, files={"/a.csv": file if n else put(store, b"old")}) for n in (0, 1))
    old_reuse, reuse = (
        add_result(store, days=90, status=Status.REUSED, result=None, reused_from=each.id, files=each.files)
        for each in (gone, stays)
    )
    report = collect(store)
    assert [result.step_run_id for result in report.results] == [gone.id]
    assert kept(store, gone, stays) == [False, True]
    assert (store.steps.run(old_reuse.id).files, store.steps.run(reuse.id).files) == ({}, {"/a.csv": file})
    assert (report.objects, file in store.objects) == (2, True)


def test_results_of_a_run_at_work_stay_with_what_they_were_reused_from(store: Store) -> None:
    run = add_run(store, status=Status.RUNNING, kind="session")
    source = add_result(store, "load")
    add_result(store, "load", days=60, status=Status.REUSED, result=None, reused_from=source.id, run_id=run.id)
    own = add_result(store, run_id=run.id)
    add_result(store, "load", days=50)
    add_result(store, days=50)
    collect(store)
    assert kept(store, source, own) == [True, True]


@pytest.mark.parametrize("days", [0.01, -3], ids=["just now", "a clock that was ahead"])
def test_what_is_recorded_just_now_stays_whatever_is_asked(store: Store, days: float) -> None:
    young, _ = add_result(store, days=days), add_result(store, days=days)
    collect(store, keep=timedelta(0), max_size=0)
    assert kept(store, young) == [True]


def test_an_object_that_was_put_within_the_hour_stays_though_no_row_needs_it(store: Store) -> None:
    name = put(store, b"about to be recorded", hours=0.5)
    report = collect(store)
    assert name in store.objects
    assert "within the last hour" in report.notes[0]
    age(store, name)
    assert collect(store).objects == 1
    assert name not in store.objects


def test_an_object_dated_in_the_future_grows_old_from_now_on(store: Store) -> None:
    name = put(store, b"of a clock that was ahead", hours=-5000)
    collect(store)
    assert store.objects.modified(name) == pytest.approx(NOW.timestamp())


def test_what_others_share_stays(store: Store) -> None:
    old = add_result(store, data=b"the same")
    add_result(store, data=b"other", days=50)
    twin = add_result(store, "load", data=b"the same", days=1)
    age(store, str(twin.result))
    report = collect(store)
    assert [result.bytes for result in report.results] == [0]
    assert kept(store, old, twin) == [False, True]


def test_buffers_that_values_need_go_and_stay_with_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, shared = put(store, b"buffer"), put(store, b"shared buffer")
    old, new = add_result(store), add_result(store, days=1)
    age(store, str(new.result))
    needs = {old.result: [gone, shared], new.result: [shared]}
    monkeypatch.setattr(references, "references_of", lambda _, name: needs.get(name, []))
    collect(store)
    assert set(store.objects.names()) == {new.result, shared}


def test_nothing_is_removed_where_a_result_of_a_newer_format_does_not_say_what_it_needs(store: Store) -> None:
    head = b'mlops-values-2\n{"version": 99}\n'
    add_result(store)
    add_result(store, "load", data=head)
    before = sorted(store.objects.names())
    with pytest.raises(StoreError, match="needs cannot be read"):
        collect(store)
    assert sorted(store.objects.names()) == before


def test_notebooks_modules_environments_and_models_on_their_way_stay(store: Store) -> None:
    notebook, environment, model = put(store, b"{}"), put(store, b"[]"), put(store, b"model")
    module = put(store, b"x = 1")
    options = RunOptions(modules={"helper.py": module})
    run = add_run(store, notebook_object=notebook, environment=environment, options=options)
    store.outbox.post(run.id, "model", {"step_run_id": "x", "object": model, "input_object": None}, now=NOW)
    collect(store, keep=timedelta(0))
    assert {notebook, environment, model, module} <= set(store.objects.names())
    store.outbox.done([message.id for message in store.outbox.take()])
    collect(store)
    assert model not in store.objects


def register(store: Store, mlflow_run: str) -> None:
    with closing(sqlite3.connect(own_database(store.root))) as registry, registry:
        registry.execute("create table model_versions (name text, version integer, run_id text)")
        registry.execute("insert into model_versions values ('m', 1, ?)", [mlflow_run])


def test_the_pipeline_of_a_registered_model_stays(store: Store) -> None:
    run = add_run(store)
    loaded, model = add_result(store, "load", run_id=run.id), add_result(store, run_id=run.id)
    other = add_result(store)
    for step in ("load", "train"):
        add_result(store, step, days=40)
    store.outbox.set_tracked_id(model.id, own_uri(store.root), "registered")
    store.outbox.set_tracked_id(other.id, own_uri(store.root), "not registered")
    register(store, "registered")
    collect(store)
    assert kept(store, loaded, model, other) == [True, True, False]


def test_a_model_told_to_a_server_may_be_registered_so_it_stays(store: Store) -> None:
    model, plain = add_result(store, ingredients={"model": "clf"}), add_result(store)
    add_result(store, days=40)
    for each in (model, plain):
        store.outbox.set_tracked_id(each.id, "https://mlflow.example.org", "some")
    collect(store)
    assert kept(store, model, plain) == [True, False]


def test_a_size_takes_what_was_used_longest_ago_until_it_fits(store: Store) -> None:
    made = [add_result(store, days=100 - n, data=bytes([n]) * 1000) for n in range(5)]
    report = collect(store, keep=None, max_size=3500)
    assert kept(store, *made) == [False, False, True, True, True]
    assert report.left == 3000
    tight = collect(store, keep=None, max_size=10)
    assert kept(store, *made) == [False, False, False, False, True], "the newest stays"
    assert "1000 bytes are needed" in tight.notes[0]


def test_nothing_old_goes_for_a_size_that_is_kept(store: Store) -> None:
    made = [add_result(store, days=400 - n) for n in range(3)]
    assert collect(store, keep=None, max_size=10**6).results == ()
    assert kept(store, *made) == [True] * 3


def test_unfinished_and_damaged_files_go_when_they_are_old(store: Store) -> None:
    name = put(store, b"x")
    folder = store.objects.path(name).parent
    old, young = folder / ".old.123.tmp", folder / ".young.123.tmp"
    (store.folder / "damaged").mkdir()
    damaged = store.folder / "damaged" / name
    staging = store.folder / "import-abc"
    staging.mkdir()
    for path in (old, young, damaged, staging / "x"):
        path.write_bytes(b"12345")
    for path, days in ((old, 2), (damaged, 31), (staging, 2)):
        os.utime(path, (NOW.timestamp() - days * 86400,) * 2)
    report = collect(store)
    assert [path.exists() for path in (old, young, damaged, staging)] == [False, True, False, False]
    assert (report.unfinished, report.damaged) == (2, 1)


def test_journals_of_runs_that_ended_long_ago_go_and_their_runs_stay(store: Store) -> None:
    names = ["old", "young", "running"]
    for name in names:
        store.runs.create(Run(name, 0, "job", "a.ipynb", Status.PENDING, created_at=NOW))
        store.runs.start(name, now=NOW)
        journal = store.journals.open(name)
        journal.write("run_started")
        journal.close()
    for name in ("old", "young"):
        store.runs.finish(name, Status.COMPLETED, now=NOW)
    for name in ("old", "running"):
        os.utime(store.journals.path(name), (NOW.timestamp() - 31 * 86400,) * 2)
    assert collect(store, dry_run=True).journals == 1
    assert collect(store).journals == 1
    assert sorted(store.journals.ids()) == ["running", "young"]
    assert {run.id for run in store.runs.list()} >= set(names)


def test_a_collection_that_is_interrupted_is_finished_by_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [add_result(store, days=100 - n) for n in range(3)]
    new = add_result(store, days=1)
    removed = []

    def interrupted(store: Store, name: str, before: float) -> bool:
        if removed:
            raise KeyboardInterrupt
        removed.append(name)
        return trash.remove_object(store, name, before)

    monkeypatch.setattr(gc, "remove_object", interrupted)
    with pytest.raises(KeyboardInterrupt):
        collect(store)
    monkeypatch.undo()
    assert kept(store, *old, new) == [False, False, False, True]
    assert collect(store).objects == 2
    assert list(store.objects.names()) == [new.result]


def test_an_object_that_is_put_again_while_it_is_removed_comes_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = put(store, b"needed again")
    rename = os.rename

    def put_meanwhile(source: Path, target: Path) -> None:
        if not Path(target).name.startswith("."):
            return rename(source, target)
        assert store.objects.put(b"needed again", signed=True) == name  # another kernel, just before the rename
        return rename(source, target)

    monkeypatch.setattr(os, "rename", put_meanwhile)
    assert collect(store).objects == 0
    assert store.objects.get_signed(name) == b"needed again"


def test_an_object_that_is_put_again_after_the_rename_keeps_its_signature(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = put(store, b"needed again")
    unlink = Path.unlink

    def put_meanwhile(path: Path, missing_ok: bool = False) -> None:
        if path.name.endswith(trash.MARK):
            store.objects.put(b"needed again", signed=True)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", put_meanwhile)
    collect(store)
    assert store.objects.get_signed(name) == b"needed again"


def test_what_a_killed_collection_had_aside_comes_back_where_it_is_needed(store: Store) -> None:
    needed: StepRun = add_result(store, days=1)
    path = store.objects.path(str(needed.result))
    path.rename(path.with_name(f".{path.name}{trash.MARK}"))
    collect(store)
    assert kept(store, needed) == [True]

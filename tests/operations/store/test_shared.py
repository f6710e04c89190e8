"""Keeping house where the index is in PostgreSQL and the objects are behind a URL: as with a store in its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from keeping import NOW, add_result, add_run, age, bring, export, fill, kept
from postgresql import Cluster

from jupyter_mlops.operations.store.gc import collect_garbage
from jupyter_mlops.operations.store.status import store_status
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def store(tmp_path: Path, shared: Path, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("MLOPS_STORE", postgresql.url("shared_" + os.urandom(4).hex()))
    monkeypatch.setenv("MLOPS_OBJECTS", shared.as_uri())
    with open_store(tmp_path / "here") as opened:
        yield opened


def file_of(shared: Path, store: Store, name: str | None) -> Path:
    return shared / store.place.project / "objects" / str(name)[:2] / str(name)[2:]


def make_old(shared: Path) -> None:
    for path in shared.rglob("*"):
        os.utime(path, (NOW.timestamp() - 100_000,) * 2)


def test_gc_removes_what_is_old_there_and_the_copies_here(store: Store, shared: Path) -> None:
    old, new = (add_result(store, days=days) for days in (100, 50))
    other = store.objects.put(b"that nothing names")
    make_old(shared)
    report = collect_garbage(store, now=NOW, keep=timedelta(days=30))
    assert kept(store, old, new) == [False, True]
    assert not file_of(shared, store, old.result).exists()
    assert not store.objects.path(str(old.result)).exists()
    assert not store.objects.is_kept(other)
    assert report.objects == 2
    assert "gc" in store.steps.run(old.id).extra["result_removed"]
    assert verify_store(store, now=NOW).is_sound


def test_gc_leaves_what_was_put_within_the_hour_whoever_put_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / ".mlops").mkdir(parents=True)
    with Store(tmp_path / "elsewhere", store.place) as other:
        name = other.objects.put(b"not recorded yet")
    collect_garbage(store, now=NOW)
    assert store.objects.is_kept(name)


def test_copies_that_were_not_needed_for_long_go_and_are_fetched_again(store: Store) -> None:
    made = add_result(store, days=1)
    age(store, str(made.result), hours=24 * 40)
    collect_garbage(store, now=NOW)
    assert not store.objects.path(str(made.result)).exists()
    assert store.objects.get(str(made.result))


def test_verify_finds_what_is_damaged_or_missing_there(store: Store, shared: Path) -> None:
    hurt, lost, whole = add_result(store, "a"), add_result(store, "b"), add_result(store, "c")
    file_of(shared, store, hurt.result).write_bytes(b"other")
    file_of(shared, store, lost.result).unlink()
    for each in (hurt, lost):
        store.objects.path(str(each.result)).unlink()  # type: ignore[union-attr]
    report = verify_store(store, now=NOW)
    assert not report.is_sound
    assert kept(store, hurt, lost, whole) == [False, False, True]
    assert (store.folder / "damaged" / str(hurt.result)).exists()
    assert verify_store(store, now=NOW).is_sound


def test_the_status_says_where_all_is_and_what_copies_take(store: Store) -> None:
    add_result(store, data=b"x" * 1000)
    status = store_status(store)
    assert status.kinds["values"] == 1000
    assert status.kinds["copies"] >= 1000
    assert status.kinds["index"] > 10_000
    assert status.index.endswith(f"project {store.place.project}")
    assert status.objects_at == store.place.objects


def test_an_export_goes_into_an_embedded_store_and_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = fill(store)
    file = export(store)
    for variable in ("MLOPS_STORE", "MLOPS_OBJECTS"):
        monkeypatch.delenv(variable)
    (tmp_path / "there").mkdir()
    with open_store(tmp_path / "there") as there:
        assert bring(there, file).step_runs == 3
        assert there.objects.get_signed(str(made.result)) == store.objects.get_signed(str(made.result))
        add_run(there)
        second = export(there)
    again = bring(store, second)
    assert (again.runs, again.step_runs) == (1, 0), "only what is new"

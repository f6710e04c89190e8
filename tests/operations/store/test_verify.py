"""`store verify` finds what is wrong, sets it aside and says so; what is merely left over is no fault."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from keeping import NOW, add_result, add_run, kept, put

from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.storage import VerifyReport
from jupyter_mlops.errors import DamagedIndexError
from jupyter_mlops.operations.store import references
from jupyter_mlops.operations.store.gc import collect_garbage
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def verify(store: Store) -> VerifyReport:
    return verify_store(store, now=NOW)


def messages(report: VerifyReport) -> str:
    return "\n".join(f"{finding.message} {finding.done}" for finding in report.findings)


def damage(store: Store, name: str) -> None:
    path = store.objects.path(name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_whole_store_is_sound_and_every_byte_was_read(store: Store) -> None:
    add_result(store, display=put(store, b"shown"), files={"/a": put(store, b"file")})
    add_run(store, notebook_object=put(store, b"{}"), environment=put(store, b"[]"))
    seen: list[tuple[int, int]] = []
    report = verify_store(store, now=NOW, on_progress=lambda done, total: seen.append((done, total)))
    assert (report.is_sound, report.notes, report.objects) == (True, (), 5)
    assert seen[-1] == (report.bytes, report.bytes)


def test_a_bit_that_flipped_is_found_and_the_result_is_no_longer_offered(store: Store) -> None:
    hurt, well = add_result(store), add_result(store, "load")
    damage(store, str(hurt.result))
    report = verify(store)
    text = messages(report)
    assert not report.is_sound
    assert str(hurt.result)[:12] in text
    assert "1 result of step 'train' of 'nb.ipynb'" in text
    assert (store.folder / "damaged" / str(hurt.result)).exists()
    assert kept(store, hurt, well) == [False, True]
    assert store.steps.candidates("key of train") == []
    assert "found by verify" in store.steps.run(hurt.id).extra["result_removed"]
    assert verify(store).is_sound, "what was found is settled"


@pytest.mark.parametrize("which", ["display", "files"])
def test_a_result_that_misses_its_display_or_a_file_is_no_longer_offered(store: Store, which: str) -> None:
    name = put(store, b"part of it")
    hurt = add_result(store, **{which: name if which == "display" else {"/a.csv": name}})
    store.objects.remove(name)
    assert "1 result of step 'train'" in messages(verify(store))
    assert kept(store, hurt) == [False]
    assert verify(store).is_sound


def test_a_damaged_buffer_takes_every_result_that_needs_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = put(store, b"a large array")
    first, second, other = add_result(store), add_result(store), add_result(store, "load")
    needs = {first.result: [buffer], second.result: [buffer]}
    monkeypatch.setattr(references, "references_of", lambda _, name: needs.get(name, []))
    damage(store, buffer)
    assert "2 results of step 'train'" in messages(verify(store))
    assert kept(store, first, second, other) == [False, False, True]


def test_the_lost_notebook_of_a_run_is_told_once_and_its_record_says_so(store: Store) -> None:
    run = add_run(store, notebook_object=put(store, b"{}"), tags={"git.commit": "abc"})
    store.objects.remove(str(run.notebook_object))
    assert f"The notebook of run {run.number} is missing" in messages(verify(store))
    found = store.runs.get(run.id)
    assert found.notebook_object is None
    assert found.tags["git.commit"] == "abc"
    assert "found by verify" in found.tags["mlops.notebook_object"]
    assert verify(store).is_sound


def test_the_notebook_of_a_run_at_work_is_told_and_left(store: Store) -> None:
    run = add_run(store, status=Status.RUNNING, notebook_object="0" * 64)
    assert not verify(store).is_sound
    assert store.runs.get(run.id).notebook_object == "0" * 64


def test_a_missing_model_that_tracking_waits_for_is_told(store: Store) -> None:
    store.outbox.post(add_run(store).id, "model", {"step_run_id": "x", "object": "1" * 64}, now=NOW)
    assert "which still has to be sent to MLflow" in messages(verify(store))


def test_what_a_killed_writer_leaves_is_fine(store: Store) -> None:
    kept_one = add_result(store)
    name = put(store, b"no row needs it")
    path = store.objects.path(name)
    path.with_name(f".{path.name}.abc.tmp").write_bytes(b"half")
    path.with_name(path.name + ".sig").write_text("")
    report = verify(store)
    assert report.is_sound
    assert any("1 object that nothing needs" in note for note in report.notes)
    assert any("1 half-written file" in note for note in report.notes)
    assert kept(store, kept_one) == [True]


def test_results_that_someone_else_signed_are_told_and_kept(store: Store) -> None:
    made = add_result(store)
    path = store.objects.path(str(made.result))
    path.with_name(path.name + ".sig").write_text("0" * 64)
    report = verify(store)
    assert report.is_sound
    assert any("1 result or display without your signature" in note for note in report.notes)


def test_a_row_that_points_nowhere_is_found(store: Store) -> None:
    add_result(store)
    with closing(sqlite3.connect(store.index.path)) as connection, connection:
        connection.execute("update step_runs set run_id = 'none'")
    assert "refers to a row of runs that does not exist" in messages(verify(store))


BROKEN = {
    "parameters of a run": ("runs", "parameters", "'{not json'"),
    "a run's status": ("runs", "status", "'sleeping'"),
    "when a run was made": ("runs", "created_at", "'yesterday'"),
    "a notebook's name that is no text": ("runs", "notebook", "cast(x'ff80' as text)"),
    "a number that is none": ("step_runs", "version", "'two'"),
    "inputs of a step": ("step_runs", "inputs", """'{"df": 3}'"""),
    "conditions of a step": ("step_runs", "conditions", "'[]'"),
    "a message": ("outbox", "body", "'}'"),
}


@pytest.mark.parametrize(("table", "column", "value"), BROKEN.values(), ids=BROKEN)
def test_a_row_that_cannot_be_read_is_named_and_so_it_is_where_it_is_to_be_shown(
    store: Store, table: str, column: str, value: str
) -> None:
    made = add_result(store)
    with closing(sqlite3.connect(store.index.path)) as connection, connection:
        connection.execute(f"update {table} set {column} = {value}")
    report = verify(store)
    assert not report.is_sound
    found = [text for text in messages(report).splitlines() if f"of {table} cannot be read" in text]
    assert found
    assert all("store recover" in text for text in found)
    if table != "outbox":
        assert (made.run_id if table == "runs" else made.id) in found[0]
    if column in ("parameters", "created_at", "notebook", "body"):
        assert f"column {column}" in found[0]
    if column != "version":  # a word in place of a number is shown as it stands
        with pytest.raises(DamagedIndexError, match=f"of {table} cannot be read"):
            show(store, table, made)
    with pytest.raises(DamagedIndexError, match=f"of {table} cannot be read"):
        collect_garbage(store, now=NOW)
    assert made.result in store.objects, "nothing is removed of a store that cannot be read"


def show(store: Store, table: str, made: StepRun) -> None:
    if table == "runs":
        store.runs.list()
    elif table == "step_runs":
        store.steps.run(made.id)
    else:
        store.outbox.take()

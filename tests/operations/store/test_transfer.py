"""`store export` and `store import`: all of it comes, proven, once; a broken or a foreign archive changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from keeping import NOW, add_result, add_run, age, bring, contents, export, fill, put

from jupyter_mlops.capture import values
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions
from jupyter_mlops.errors import (
    DamagedObjectError,
    MLOpsError,
    UnknownNameError,
)
from jupyter_mlops.operations.store import references
from jupyter_mlops.operations.store.exporting import export_store
from jupyter_mlops.operations.store.gc import collect_garbage
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store.objects import signing
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.transfer.json_rows import UNTRUSTED

CLOCK = Reasons.of([Reason(ReasonCode.CLOCK)])


@pytest.fixture
def other_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """From the call on, signatures are those of someone else."""

    def become() -> None:
        monkeypatch.setattr(signing, "key_path", lambda: tmp_path / "other" / "key")

    return become


@pytest.mark.parametrize("name", ["runs.zip", "runs.tar", "runs.tar.gz"])
def test_runs_steps_versions_and_objects_come_over(here: Store, there: Store, name: str) -> None:
    source, made = fill(here)
    add_run(there)
    brought = bring(there, export(here, name))
    assert (brought.runs, brought.step_runs, brought.versions, brought.objects) == (2, 3, 2, 6)
    assert [run.number for run in there.runs.list()] == [3, 2, 1], "numbers go on here"
    assert there.runs.get(brought.numbers[made.run_id]).parameters == {"rate": 0.5}
    found = there.steps.candidates("key of train")[0]
    assert (found.id, found.result) == (made.id, made.result)
    assert there.objects.get_signed(str(found.result)) == here.objects.get_signed(str(made.result))
    assert found.files == {str(there.root / "out.csv"): made.files[str(here.root / "out.csv")]}
    assert there.steps.run(source.id).display == source.display
    assert verify_store(there, now=NOW).is_sound
    assert list(there.folder.glob("import-*")) == []


def test_importing_twice_or_back_changes_nothing(here: Store, there: Store) -> None:
    fill(here)
    file = export(here)
    bring(there, file)
    before, own = contents(there), contents(here)
    for store in (there, here):
        again = bring(store, file)
        assert (again.runs, again.step_runs, again.versions, again.objects) == (0, 0, 0, 0)
    assert repr(contents(there)) == repr(before)
    assert repr(contents(here)) == repr(own)


def test_a_step_is_exported_with_the_runs_its_reuses_came_from(here: Store, there: Store) -> None:
    source, made = fill(here)
    bring(there, export(here, step="load"))
    assert {run.step for run in there.steps.runs()} == {"load"}
    assert {run.id for run in there.runs.list()} == {source.run_id, made.run_id}
    assert there.steps.names() == ["load"]


def test_a_run_or_a_notebook_is_exported_alone(here: Store, there: Store) -> None:
    add_result(here, "load", notebook="other.ipynb")
    lone = add_result(here)
    bring(there, export(here, run="2"))
    assert [run.id for run in there.steps.runs()] == [lone.id]
    bring(there, export(here, notebook="other.ipynb"))
    assert len(there.steps.runs()) == 2
    for chosen in ({"step": "lod"}, {"run": "9"}, {"notebook": "othr.ipynb"}):
        with pytest.raises(UnknownNameError):
            export(here, **chosen)


def test_versions_get_the_numbers_that_are_free_here(here: Store, there: Store) -> None:
    there.steps.version("nb.ipynb", "train", "another content", "y = 2", now=NOW)
    add_result(here)
    bring(there, export(here))
    assert [version.digest for version in there.steps.versions("train")] == ["another content", "digest of train"]
    assert there.steps.runs()[0].version == 2


def test_what_it_read_in_the_old_folder_is_looked_for_in_the_new_one(here: Store, there: Store) -> None:
    outside = str(here.root) + "-not/x"
    files = {str(here.root / "data.csv"): "d", outside: "e"}
    made = add_result(here, conditions=Conditions(files, str(here.root)))
    bring(there, export(here))
    found = there.steps.run(made.id).conditions
    assert (found.files, found.folder) == ({str(there.root / "data.csv"): "d", outside: "e"}, str(there.root))


def test_a_run_at_work_comes_as_ended(here: Store, there: Store) -> None:
    run = add_run(here, status=Status.RUNNING, pid=os.getpid(), pid_started=1.0)
    add_result(here, run_id=run.id, status=Status.RUNNING, result=None)
    bring(there, export(here))
    assert (there.runs.get(run.id).status, there.steps.runs()[0].status) == (Status.LOST, Status.LOST)
    assert there.runs.get(run.id).pid is None


def test_results_of_another_user_are_kept_but_not_reused(
    here: Store, there: Store, other_user: Callable[[], None]
) -> None:
    made = add_result(here)
    file = export(here)
    other_user()
    brought = bring(there, file)
    assert not brought.trusted
    assert "--trust" in brought.notes[0]
    assert there.steps.candidates("key of train") == []
    assert there.steps.run(made.id).unrepeatable == UNTRUSTED
    with pytest.raises(DamagedObjectError, match="signature"):
        there.objects.get_signed(str(made.result))
    assert there.objects.get(str(made.result))


def test_with_trust_they_are_reused_also_when_they_were_here_already(
    here: Store, there: Store, other_user: Callable[[], None]
) -> None:
    made = add_result(here)
    unrepeatable = add_result(here, "clock", unrepeatable=CLOCK)
    file = export(here)
    other_user()
    bring(there, file)
    brought = bring(there, file, trust=True)
    assert (brought.trusted, brought.notes) == (True, ())
    assert [run.id for run in there.steps.candidates("key of train")] == [made.id]
    assert there.objects.get_signed(str(made.result))
    assert there.steps.run(unrepeatable.id).unrepeatable == CLOCK
    assert bring(there, file, trust=True).step_runs == 0


def test_a_removed_result_comes_back_from_its_archive(here: Store) -> None:
    made = add_result(here)
    file = export(here)
    here.steps.update_run(made.id, result=None)
    here.objects.remove(str(made.result))
    assert bring(here, file).step_runs == 1
    assert here.steps.run(made.id) == made
    assert here.objects.get_signed(str(made.result))


def test_buffers_are_exported_with_the_values_that_need_them(
    here: Store, there: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, buffer = add_result(here), put(here, b"a large array")
    monkeypatch.setattr(references, "references_of", lambda _, name: [buffer] if name == made.result else [])
    bring(there, export(here))
    assert buffer in there.objects


def test_values_as_kernels_store_them_survive_removal_beside_them_and_the_way_over(here: Store, there: Store) -> None:
    np = pytest.importorskip("numpy")
    array = np.arange(1_000_000.0)
    old = values.write(here.objects, values.pack([{"array": array + 1}], {}))
    new = values.write(here.objects, values.pack([{"array": array, "part": array[:10]}], {}))
    assert values.references(here.objects, new) != []
    age(here, *here.objects.names())
    add_result(here, result=old)
    add_result(here, days=1, result=new)
    assert collect_garbage(here, now=NOW).objects == 2, "values and memory of the old one"
    bring(there, export(here))
    loaded = values.Values.open(there.objects, new, {}).load(["part"])
    loaded["array"][0] = 5.0
    assert loaded["part"][0] == 5.0
    assert np.array_equal(loaded["array"][1:], array[1:])


def test_a_damaged_object_is_not_exported(here: Store) -> None:
    made = add_result(here, display=put(here, b"shown"))
    here.objects.path(str(made.display)).write_bytes(b"altered")
    with pytest.raises(DamagedObjectError, match="nothing was exported"):
        export(here)
    assert not (here.root / "runs.zip").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"altered")], ids=["gone", "altered"])
def test_a_result_that_is_not_whole_is_left_out_and_told(
    here: Store, there: Store, damage: Callable[[Path], object]
) -> None:
    made = add_result(here)
    damage(here.objects.path(str(made.result)))
    file = here.root / "x.zip"
    assert "1 results are incomplete" in export_store(here, file, now=NOW).notes[0]
    bring(there, file)
    assert there.steps.run(made.id).result is None


@pytest.mark.parametrize("name", ["runs.rar", "runs", "no/such/folder.zip"])
def test_an_export_to_no_archive_is_refused(here: Store, name: str) -> None:
    with pytest.raises(MLOpsError) as caught:
        export(here, name)
    assert caught.value.hint

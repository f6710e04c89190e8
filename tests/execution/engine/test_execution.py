"""Notebooks executed in real kernels, in process: what the index and the executed notebook then say."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, read, shown, statuses, text, write_notebook

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import CellFailedError, InputError, KernelDiedError
from jupyter_mlops.jobs.running.events import RunEvent
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel

NOTEBOOK = (
    text("# A notebook"),
    code("n = 2  # how many\nname = 'a'\nrows = n * 10", "parameters"),
    code("import os\nprint(os.getcwd())\nprint(os.environ['MLOPS_NOTEBOOK'], os.environ['MLOPS_PROJECT'])"),
    code("%load_ext jupyter_mlops"),
    code("%%step load\ndata = list(range(n))\nprint('loaded')\ndata"),
    code("total = sum(data)\ntotal", "step:add"),
    code("import sys, time\nfor i in range(3):\n    print(f'\\r{i}', end='', flush=True); time.sleep(0.25)\nprint()"),
    code("raise SystemError('skipped')", "skip-execution"),
    code("1 / 0", "raises-exception"),
    code("   "),
    code("from IPython.display import display\nh = display('first', display_id=True)"),
    code("h.update('second')"),
)


@dataclass
class Done:
    folder: Path
    source: bytes
    run: Run
    output: dict[str, Any]
    events: list[RunEvent]


def execute(path: Path, **parameters: Any) -> Done:
    events: list[RunEvent] = []
    before = path.read_bytes()
    run = run_notebook(path, parameters, on_event=events.append)
    with Store.open(path) as store:
        root = store.root
    return Done(path.parent, before, run, read(root / str(run.output_path)), events)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> list[Done]:
    """The notebook run twice in a project, from a subfolder of it; the second time with another name."""
    root = tmp_path_factory.mktemp("project")
    (root / ".mlops").mkdir()
    path = write_notebook(root / "sub" / "a.ipynb", *NOTEBOOK)
    return [execute(path, n=3), execute(path, n=3, name="b")]


def test_the_run_is_recorded_as_it_was(done: list[Done]) -> None:
    run = done[0].run
    assert (run.status, run.number, run.kind, run.notebook) == (Status.COMPLETED, 1, "job", "sub/a.ipynb")
    assert run.parameters == {"n": 3, "name": "a", "rows": "n * 10"}
    assert run.output_path == "runs/a-1.ipynb"
    assert run.error is None
    assert run.progress.cells_done == run.progress.cells_total == 10
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.pid == os.getpid()
    assert run.kernel_name == "python3"


def test_environment_and_notebook_bytes_are_in_the_store(done: list[Done]) -> None:
    with Store.open(done[0].folder) as store:
        run = done[0].run
        environment = json.loads(store.objects.get(str(run.environment)))
        assert any(line.lower().startswith("papermill==") for line in environment["packages"])
        assert environment["python"]
        assert bytes(store.objects.get(str(run.notebook_object))) == done[0].source


def test_the_source_is_not_touched(done: list[Done]) -> None:
    assert (done[0].folder / "a.ipynb").read_bytes() == done[0].source
    assert [item.name for item in done[0].folder.iterdir()] == ["a.ipynb"]


def test_the_executed_notebook_shows_what_the_cells_did(done: list[Done]) -> None:
    cells = done[0].output["cells"]
    by_id = {cell["id"]: cell for cell in cells}
    assert [cell["metadata"].get("tags") for cell in cells][2] == ["injected-parameters"]
    assert shown(by_id["c2"]) == f"{done[0].folder}\nsub/a.ipynb {done[0].folder.parent}\n"
    assert shown(by_id["c3"]) == ""
    assert shown(by_id["c4"]).replace("'", "").startswith("loaded\n[0, 1, 2]")
    assert shown(by_id["c5"]).startswith("3")
    assert shown(by_id["c6"]) == "2\n"
    assert "ZeroDivisionError" in str(by_id["c8"]["outputs"])
    assert shown(by_id["c10"]) == "'second'"


def test_cells_are_completed_where_they_ran_and_pending_where_not(done: list[Done]) -> None:
    by_id = {cell["id"]: cell["metadata"]["papermill"] for cell in done[0].output["cells"]}
    assert {name for name, record in by_id.items() if record["status"] != "completed"} == {"c7"}
    assert by_id["c7"] == {
        "status": "pending",
        "exception": None,
        "start_time": None,
        "end_time": None,
        "duration": None,
    }
    record = done[0].output["metadata"]["papermill"]
    assert record["exception"] is None
    assert record["duration"] > 0
    assert record["parameters"] == {"n": 3}
    assert record["input_path"].endswith("a.ipynb")


def test_steps_are_executed_once_and_then_reused(done: list[Done]) -> None:
    states = [
        {event.step: event.state for event in one.events if event.kind == "cell_ended" and event.step} for one in done
    ]
    assert states[0] == {"load": "executed", "add": "executed"}
    assert states[1] == {"load": "reused", "add": "reused"}
    assert shown({cell["id"]: cell for cell in done[1].output["cells"]}["c5"]).startswith("3")


def test_every_code_cell_counts_as_a_step_and_those_reused_say_so_in_their_metadata(done: list[Done]) -> None:
    """Executed are the injected parameters (they changed), what reads the working folder, and what raised."""
    noted = [
        {
            cell["id"]: cell["metadata"].get("jupyter_mlops", {})
            for cell in one.output["cells"]
            if "jupyter_mlops" in cell["metadata"]
        }
        for one in done
    ]
    assert noted[0] == {}
    assert sorted(noted[1]) == ["c1", "c10", "c11", "c4", "c5", "c6"]
    assert {note["status"] for note in noted[1].values()} == {"reused"}
    assert (noted[1]["c5"]["step"], noted[1]["c6"]["step"]) == ("add", "a-notebook@c6")
    assert all(note["source"] for note in noted[1].values())
    assert [(one.run.steps_reused, one.run.steps_executed) for one in done] == [(0, 9), (6, 3)]
    outputs = [{cell["id"]: shown(cell) for cell in one.output["cells"] if cell["cell_type"] == "code"} for one in done]
    assert all(outputs[0][name] == outputs[1][name] for name in noted[1])


def test_events_tell_the_whole_way(done: list[Done]) -> None:
    kinds = [event.kind for event in done[0].events]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_ended"
    assert kinds.count("cell_started") == kinds.count("cell_ended") == 10
    assert [event.cells_done for event in done[0].events if event.kind == "cell_ended"] == list(range(1, 11))


def test_a_value_computed_from_an_overridden_default_is_computed_again(done: list[Done]) -> None:
    assert not [event for event in done[0].events if event.kind == "warning"]
    injected = "".join(done[0].output["cells"][2]["source"])
    assert injected.index("n = 3") < injected.index("rows = n * 10")


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CellFailedError]:
    path = write_notebook(
        tmp_path_factory.mktemp("failed") / "a.ipynb",
        code("%%step good\nx = 1"),
        code("%%step bad\nprint('so far')\nraise ValueError('no such luck')"),
        code("y = 2"),
    )
    with pytest.raises(CellFailedError) as caught:
        run_notebook(path, {})
    return path, caught.value


def test_a_cell_that_raises_fails_the_run_and_says_where(failed: tuple[Path, CellFailedError]) -> None:
    path, error = failed
    assert error.message == "Step 'bad' failed: ValueError: no such luck"
    assert error.details["cell_index"] == 1
    assert "no such luck" in error.details["source"]
    assert "ValueError" in "".join(error.details["traceback"])
    run = error.details["run"]
    assert run.status is Status.FAILED
    assert (run.error.cause, run.error.step, run.error.ename, run.error.evalue) == (
        "cell_error",
        "bad",
        "ValueError",
        "no such luck",
    )
    assert error.details["output"] == path.parent / "runs" / "a-1.ipynb"


def test_what_came_before_the_failure_is_saved_and_marked(failed: tuple[Path, CellFailedError]) -> None:
    notebook = read(failed[1].details["output"])
    assert statuses(notebook) == ["completed", "failed", "pending"]
    assert notebook["metadata"]["papermill"]["exception"] is True
    marks = [
        index
        for index, cell in enumerate(notebook["cells"])
        if "papermill-error-cell-tag" in cell["metadata"].get("tags", [])
    ]
    assert marks == [0, 2]
    assert "so far" in shown(notebook["cells"][3])
    with Store.open(failed[0]) as store:
        found = {item.step: item.status for item in store.steps.runs()}
    assert found == {"good": Status.COMPLETED, "bad": Status.FAILED}


def test_a_kernel_killed_within_a_cell_completes_nothing_it_did_not(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb",
        code("%%step good\nx = 1"),
        code(
            "%%step bad\nimport os, signal, time\nprint('alive', flush=True)\n"
            "time.sleep(1)  # that a step runs is recorded beside it\nos.kill(os.getpid(), signal.SIGKILL)"
        ),
        code("y = 2"),
    )
    with pytest.raises(KernelDiedError, match="killed by SIGKILL") as caught:
        run_notebook(path, {})
    assert "memory" in caught.value.hint
    notebook = read(caught.value.details["output"])
    assert statuses(notebook) == ["completed", "failed", "pending"]
    assert notebook["metadata"]["papermill"]["exception"] is True
    assert "SIGKILL" in str(notebook["cells"][3]["outputs"])
    with Store.open(path) as store:
        run = store.runs.get(1)
        assert (run.status, run.error and run.error.cause) == (Status.FAILED, "kernel_died")
        assert (run.error and run.error.step) == "bad"
        assert {item.step: item.status for item in store.steps.runs()} == {
            "good": Status.COMPLETED,
            "bad": Status.FAILED,
        }


def test_sys_exit_ends_the_notebook_and_a_kernel_that_leaves_fails_it(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("import sys\nsys.exit(0)"), code("y = 2"))
    done = execute(path)
    assert done.run.status is Status.COMPLETED
    assert statuses(done.output) == ["completed", "pending"]
    assert done.run.tags["ended_early"] == "sys.exit() in cell 0 skipped 1 cell below it, from cell 1 on"
    warnings: list[str] = []
    path = write_notebook(tmp_path / "c.ipynb", code("x = 1"), code("raise SystemExit"), code("y = 2"), code("z = 3"))
    done = run_notebook(path, {}, on_event=lambda event: warnings.append(event.message) if event.message else None)
    assert warnings == ["sys.exit() in cell 1 skipped 2 cells below it, from cell 2 on."]
    path = write_notebook(tmp_path / "d.ipynb", code("import sys\nsys.exit()"))
    assert "ended_early" not in execute(path).run.tags
    path = write_notebook(tmp_path / "b.ipynb", code("import os\nos._exit(3)"), code("y = 2"))
    with pytest.raises(KernelDiedError, match="exit code 3") as caught:
        run_notebook(path, {})
    assert statuses(read(caught.value.details["output"])) == ["failed", "pending"]


def test_a_disk_that_fills_up_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_mlops.errors import RunError, StoreError
    from jupyter_mlops.execution.notebook import output_file as output

    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"))
    writes: list[Path] = []
    write = output.write_atomically

    def full(target: Path, *rest: Any) -> None:
        writes.append(target)
        if len(writes) > 1:
            raise StoreError("No space left on device.", "Free some.")
        write(target, *rest)

    monkeypatch.setattr(output, "write_atomically", full)
    with pytest.raises(RunError, match="No space left"):
        run_notebook(path, {})
    with Store.open(path) as store:
        run = store.runs.get(1)
        assert (run.status, run.error and run.error.cause) == (Status.FAILED, "not_saved")
    assert statuses(read(writes[0])) == ["pending"]


def test_a_kernel_that_cannot_start_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "data" / "kernels" / "broken"
    spec.mkdir(parents=True)
    argv = ["python3", "-c", "raise SystemExit(7)", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"), kernel="broken")
    with pytest.raises(KernelDiedError, match="did not start") as caught:
        run_notebook(path, {})
    assert statuses(read(caught.value.details["output"])) == ["pending"]
    argv[0] = str(tmp_path / "no-such-program")
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "python"}))
    with pytest.raises(KernelDiedError, match="cannot be launched"):
        run_notebook(path, {})
    with Store.open(path) as store:
        assert [run.status for run in store.runs.list()] == [Status.FAILED, Status.FAILED]


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_kernel_of_another_interpreter_tells_its_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "data" / "kernels" / "other"
    spec.mkdir(parents=True)
    argv = ["/bin/sh", "-c", f'exec {sys.executable} -m ipykernel_launcher -f "$0"', "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Other", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    done = execute(write_notebook(tmp_path / "a.ipynb", code("x = 1"), kernel="other"))
    with Store.open(tmp_path) as store:
        environment = json.loads(store.objects.get(str(done.run.environment)))
    assert environment["executable"] == sys.executable
    assert any(line.startswith("ipykernel==") for line in environment["packages"])
    assert done.run.kernel_name == "other"


def test_two_hundred_cells_are_not_saved_four_hundred_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_mlops.execution.notebook import output_file as output

    saves: list[Path] = []
    write = output.write_atomically
    monkeypatch.setattr(output, "write_atomically", lambda path, *rest: (saves.append(path), write(path, *rest)))
    path = write_notebook(tmp_path / "a.ipynb", *[code(f"x{index} = {index}") for index in range(200)])
    began = time.monotonic()
    assert execute(path).run.status is Status.COMPLETED
    assert len(saves) <= 3 + (time.monotonic() - began)


def test_what_cannot_be_leaves_no_run(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("n = 1", "parameters"))
    for parameters, output in (({"m": 1}, None), ({"n": "x"}, None), ({}, path)):
        with pytest.raises(InputError):
            run_notebook(path, parameters, output)
    with Store.open(path) as store:
        assert store.runs.list() == []

"""Bad input and bad luck in a kernel: each is told in two lines, the cell runs where it can, nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kernels import Cell, LiveKernel

from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    return start_kernel()


def two_lines(cell: Cell) -> list[str]:
    """The lines of an error without a traceback."""
    lines = [line for line in cell.text.splitlines() if line.strip()]
    assert "Traceback" not in cell.text
    assert [line.split(":")[0] for line in lines] == ["Error", "Hint"], cell.text
    return lines


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%%step", "needs exactly one name"),
        ("%%step a b", "needs exactly one name"),
        ("%%step 1st", "'1st' is not a valid step name"),
        ("%%step a.b", "'a.b' is not a valid step name"),
        ("%%step a --metric x", "no option '--metric'"),
        ("%%step a --metrics", "needs a value"),
        ('%%step "', "cannot be read"),
    ],
)
def test_a_bad_step_line_is_two_lines_and_the_cell_does_not_run(kernel: LiveKernel, line: str, words: str) -> None:
    error, hint = two_lines(kernel.run(f"{line}\nran = True"))
    assert words in error
    assert len(hint) > len("Hint: ")
    assert "NameError" in kernel.run("ran").error
    assert kernel.run("1").text == "1"


def test_a_bad_tag_is_told_and_the_cell_runs_as_ever(kernel: LiveKernel) -> None:
    cell = kernel.run("tagged_ran = 1\ntagged_ran", cell_id="bad", tags=["step:1st"])
    assert "'1st' is not a valid step name" in cell.text
    assert "Hint:" in cell.text
    assert cell.outputs[-1] == ("execute_result", "1")


@pytest.mark.parametrize(
    ("line", "words", "hint"),
    [
        ("%mlops statsu", "no verb named 'statsu'", "Did you mean 'status'?"),
        ("%mlops run nb.ipynb", "unrecognized arguments", "usage: %mlops run"),
        ("%mlops run --from trian", "which notebook", ""),
        ("%mlops log trian", "no step named 'trian'", "Did you mean 'train'?"),
        ("%mlops why trian", "no step named 'trian'", "Did you mean 'train'?"),
        ("%mlops diff trian 1 2", "no step named 'trian'", "Did you mean 'train'?"),
        ("%mlops diff train 1 9", "no version of 'train' named '9'", "v1"),
        ("%mlops log", "required", "usage"),
        ("%mlops runs --limit many", "'many' is not a whole number", "usage"),
        ("%mlops runs --nosuch", "unrecognized arguments", "usage"),
        ("%mlops runs compare 1 99", "no run named '99'", "1"),
        ("%mlops status nosuch.ipynb", "no notebook named", "There is no notebook yet"),
        ("%mlops drian", "no verb named 'drian'", "Did you mean"),
        ("%mlops zzzzzz", "no verb named 'zzzzzz'", "Known:"),
        ("%mlops help drain", "no verb named 'drain'", ""),
        ('%mlops log "train', "cannot be read", "Close the quotes"),
    ],
)
def test_a_bad_verb_line_is_two_lines_without_a_traceback(kernel: LiveKernel, line: str, words: str, hint: str) -> None:
    kernel.run("%%step train\nx = 1")
    error, told = two_lines(kernel.run(line))
    assert words in error.lower()
    assert hint in told


def test_a_failed_verb_fails_its_cell_so_that_a_job_stops_there(kernel: LiveKernel) -> None:
    assert kernel.run("%mlops log nosuch\nnot_reached = 1").error
    assert "NameError" in kernel.run("not_reached").error


def test_an_interrupted_step_is_canceled_and_the_kernel_goes_on(kernel: LiveKernel) -> None:
    code = "%%step endless\nimport time\nfor n in range(600):\n    time.sleep(0.1)"
    interrupter = threading.Thread(target=interrupt_when_running, args=(kernel, "endless"))
    interrupter.start()
    cell = kernel.run(code)
    interrupter.join()
    assert "KeyboardInterrupt" in cell.error
    kernel.run("%mlops drain")
    with open_store(kernel.folder, create=False) as store:
        recorded = store.steps.runs(step="endless", limit=1)[0]
    assert recorded.status is Status.CANCELED
    assert recorded.ended_at is not None
    assert kernel.run("n < 600").text == "True"
    assert kernel.run("%%step afterwards\nok = 1\nok").text == "1"


def interrupt_when_running(kernel: LiveKernel, step: str) -> None:
    """Interrupt the kernel once the step's cell is under way."""
    end = time.monotonic() + 30
    with open_store(kernel.folder) as store:
        while time.monotonic() < end:
            runs = store.steps.runs(step=step)
            if runs and runs[0].status is Status.RUNNING:
                time.sleep(0.3)
                kernel.manager.interrupt_kernel()
                return
            time.sleep(0.05)


CORRUPT = b"this is no database at all " * 400


def test_with_a_corrupt_index_cells_run_and_a_clear_line_says_what_to_do(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    (tmp_path / ".mlops").mkdir()
    index = tmp_path / ".mlops" / "index.db"
    index.write_bytes(CORRUPT)
    kernel = start_kernel(tmp_path)
    cell = kernel.run("%%step a\nvalue = 1\nvalue")
    assert cell.outputs[-1] == ("execute_result", "1")
    assert f"The index '{index}' is damaged" in cell.text
    assert "Hint: `jupyter mlops store recover` restores what can be restored" in cell.text
    assert "Traceback" not in cell.text
    two_lines(kernel.run("%mlops runs"))
    assert index.read_bytes() == CORRUPT
    os.replace(index, tmp_path / "aside")
    assert kernel.run("%%step a\nvalue = 1\nvalue").text == "1"
    assert kernel.run("%%step a\nvalue = 1\nvalue").reused, "after the mend it works without a restart"


def test_with_an_index_of_a_newer_version_cells_run_and_one_line_says_to_upgrade(
    tmp_path: Path, start_kernel: Callable[..., LiveKernel]
) -> None:
    open_store(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / ".mlops" / "index.db")) as index, index:
        index.execute("update alembic_version set version_num = '9999'")
    kernel = start_kernel(tmp_path)
    cell = kernel.run("%%step x\nvalue = 1\nprint('ran')")
    assert "ran" in cell.text
    assert "schema 9999" in cell.text
    assert "pip install -U jupyter-mlops" in cell.text
    assert "9999" in two_lines(kernel.run("%mlops store status"))[0]
    with contextlib.closing(sqlite3.connect(tmp_path / ".mlops" / "index.db")) as index:
        assert index.execute("select count(*) from step_runs").fetchall() == [(0,)]


def test_an_index_that_turns_corrupt_while_a_kernel_uses_it_does_not_stop_its_cells(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    kernel = start_kernel(tmp_path)
    kernel.run("%%step a\nvalue = 1")
    kernel.run("%mlops drain")
    index = tmp_path / ".mlops" / "index.db"
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (tmp_path / ".mlops" / name).write_bytes(CORRUPT)
    cell = kernel.run("%%step b\nother = value + 1\nother")
    assert cell.outputs[-1] == ("execute_result", "2")
    assert str(index) in cell.text
    assert "Hint:" in cell.text
    assert "Traceback" not in cell.text
    assert kernel.run("other").text == "2"


def test_in_a_folder_that_cannot_be_written_cells_run_and_the_mend_is_told(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    (tmp_path / ".mlops").write_text("a file in place of the folder")
    kernel = start_kernel(tmp_path)
    for number in range(2):
        cell = kernel.run(f"%%step a{number}\nvalue = {number}\nvalue")
        assert cell.outputs[-1] == ("execute_result", str(number))
        assert "cannot be made" in cell.text
        assert f"Hint: Make '{tmp_path}' writable" in cell.text
    assert (tmp_path / ".mlops").read_text() == "a file in place of the folder"


def test_an_index_of_a_newer_version_is_told_and_cells_run(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    with open_store(tmp_path) as store, store.index.write() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    kernel = start_kernel(tmp_path)
    cell = kernel.run("%%step a\n'ran'")
    assert cell.outputs[-1] == ("execute_result", "'ran'")
    assert "upgrade with `pip install -U jupyter-mlops`" in cell.text


def write_notebook(path: Path, sources: dict[str, str], tags: list[str] | None = None) -> None:
    metadata = {} if tags is None else {"tags": tags}
    cells = [
        {
            "cell_type": "code",
            "id": name,
            "source": source,
            "metadata": metadata,
            "outputs": [],
            "execution_count": None,
        }
        for name, source in sources.items()
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


@pytest.mark.parametrize("by", ["magic", "tag"])
def test_a_second_cell_of_a_steps_name_fails_before_it_runs_and_leaves_no_record(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path, by: str
) -> None:
    path = tmp_path / "nb.ipynb"
    magic, tags = ("%%step twin\n", None) if by == "magic" else ("", ["step:twin"])
    sources = {"one": f"{magic}a = 1", "two": f"{magic}a = 2\nran = True"}
    write_notebook(path, sources, tags)
    kernel = start_kernel(tmp_path, JPY_SESSION_NAME=str(path))
    assert kernel.run(sources["one"], cell_id="one", tags=tags).text == ""
    for cell_id in ("two", "copied"):  # the one in the file, the other not saved yet
        error, hint = two_lines(kernel.run(sources["two"], cell_id=cell_id, tags=tags))
        assert "Two steps are named 'twin'" in error
        assert "rename one of them" in hint
    assert "NameError" in kernel.run("ran").error
    assert kernel.run("a").text == "1"
    assert "Two steps are named 'twin'" in kernel.run("%mlops status").text
    assert "Two steps are named 'twin'" in kernel.run("%mlops run").text
    with open_store(tmp_path, create=False) as store:
        assert [(run.version, run.cell_id) for run in store.steps.runs(step="twin")] == [(1, "one")]
        assert len(store.steps.versions("twin")) == 1
    assert kernel.run(f"{magic}a = 3\na", cell_id="one", tags=tags).text == "3"


def test_jupyterlabs_word_of_tags_and_of_deleted_cells_is_taken(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    path = tmp_path / "nb.ipynb"
    write_notebook(path, {"one": "a = 1"}, ["step:early"])
    kernel = start_kernel(tmp_path, JPY_SESSION_NAME=str(path))
    sent = {"tags": ["step:late"], "trusted": True, "deletedCells": [], "recordTiming": False}
    assert kernel.run("a = 1", cell_id="one", metadata=sent).text == ""
    assert "Two steps" in kernel.run("a = 2", cell_id="two", metadata=sent).text
    assert kernel.run("a = 2\na", cell_id="two", metadata={**sent, "deletedCells": ["one"]}).text == "2"
    asked = {"mlops": {"step": "by-metadata"}, "deletedCells": []}
    assert kernel.run("b = 1", cell_id="three", metadata=asked).text == ""
    kernel.run("%mlops drain")
    with open_store(tmp_path, create=False) as store:
        assert [run.step for run in store.steps.runs()] == ["by-metadata", "late", "late"]


def test_a_step_whose_cell_was_cut_and_pasted_is_not_taken_for_two(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    path = tmp_path / "nb.ipynb"
    write_notebook(path, {"old": "%%step moved\na = 1"})
    kernel = start_kernel(tmp_path, JPY_SESSION_NAME=str(path))
    kernel.run("%%step moved\na = 1", cell_id="old")
    write_notebook(path, {"new": "%%step moved\na = 1"})
    assert kernel.run("%%step moved\na = 1", cell_id="new").text == ""


def test_a_tag_in_the_saved_notebook_makes_a_step_without_the_front_end_sending_it(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    path = tmp_path / "nb.ipynb"
    write_notebook(path, {"one": "a = 1"})
    data = json.loads(path.read_text())
    data["cells"][0]["metadata"]["tags"] = ["step:tagged"]
    path.write_text(json.dumps(data))
    kernel = start_kernel(tmp_path, JPY_SESSION_NAME=str(path))
    assert not kernel.run("a = 1", cell_id="one").reused
    assert kernel.run("a = 1", cell_id="one").reused
    with open_store(tmp_path, create=False) as store:
        assert store.steps.names("nb.ipynb") == ["tagged"]


def test_a_notebook_that_exchanges_the_functions_of_json_is_recorded_and_reused(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    exchange = "import json\njson.dumps = lambda x: 'patched'\njson.loads = lambda x: 'patched'"
    cells = [exchange, "%%step one\nname = 'value'\nprint(json.dumps(1))", "%%step two\nsize = len(name)\nsize"]
    secret = "from jupyter_mlops.secrets import secret\nprint('' + secret('TOKEN'))"
    for is_new in (True, False):
        kernel = start_kernel(tmp_path, MLOPS_SECRET_TOKEN="open sesame")
        first = kernel.run(cells[0])
        one, two = kernel.run(cells[1]), kernel.run(cells[2])
        assert first.outputs == []
        assert one.outputs == [("stdout", "patched\n")]
        assert two.outputs == [("execute_result", "5")]
        assert two.reused is not is_new
        assert kernel.run(secret).text == "<secret TOKEN>\n"
        status = kernel.run("%mlops runs --json").text
        kernel.close()
        assert json.loads(status)
    with open_store(tmp_path, create=False) as store:
        for run in store.runs.list():
            assert run.environment is not None
            assert json.loads(store.objects.get(run.environment))["packages"]


_INTERRUPTED = """
from jupyter_mlops.capture.step import execution as step
def interrupted(*_):
    raise KeyboardInterrupt
kept = step.StepExecution.{place}
step.StepExecution.{place} = interrupted
"""


@pytest.mark.parametrize(("place", "runs"), [("before", False), ("after", True)])
def test_an_interrupt_while_we_look_at_a_cell_stops_that_cell_and_shows_nothing_of_ours(
    kernel: LiveKernel, place: str, runs: bool
) -> None:
    kernel.run(_INTERRUPTED.format(place=place))
    cell = kernel.run(f"%%step interrupted_{place}\nran_{place} = 1\nprint('ran')")
    kernel.run(f"step.StepExecution.{place} = kept")
    assert "callback" not in cell.text
    assert "jupyter_mlops" not in cell.error
    assert ("ran" in cell.text, "KeyboardInterrupt" in cell.error) == (runs, not runs)
    assert [note["note"] for note in cell.notes] == (["warning"] if runs else [])
    assert kernel.run("%%step fine\nprint('fine')").outputs == [("stdout", "fine\n")]


def test_an_interrupt_while_a_step_begins_to_be_watched_leaves_nothing_that_watches(kernel: LiveKernel) -> None:
    kernel.run(
        "from jupyter_mlops.capture.observe import watch\n"
        "from jupyter_mlops.capture.step.attempts import Attempts\n"
        "def interrupted(*_):\n    raise KeyboardInterrupt\n"
        "kept, Attempts.begin = Attempts.begin, interrupted"
    )
    cell = kernel.run("%%step begun --retries 1\nopen('begun', 'w').close()\nprint('ran')")
    assert ("ran" in cell.text, "KeyboardInterrupt" in cell.error) == (False, True)
    recording = "'finish_displayhook' in vars(get_ipython().displayhook)"
    assert kernel.run(f"Attempts.begin = kept\nprint(watch._active, {recording})").text == "[] False\n"

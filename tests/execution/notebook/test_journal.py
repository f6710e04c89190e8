"""A run's journal: its notebook can be built from it alone, at any moment, and nothing it says is more than was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, read, statuses, text, write_notebook

from jupyter_mlops.domain.run import RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import CellFailedError
from jupyter_mlops.execution.notebook.journal import event_of, message_of
from jupyter_mlops.execution.notebook.rebuild import rebuild
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel

DISPLAYS = (
    text("# Displays"),
    code("n = 2", "parameters"),
    code("import sys, time\nfor i in range(3):\n    print(f'\\r{i}', end='', flush=True); time.sleep(0.05)\nprint()"),
    code("print('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\nprint('ü out')"),
    code("from IPython.display import HTML, clear_output, display\nh = display('first', display_id=True)\n'a result'"),
    code("h.update('second')\ndisplay(HTML('<b>bold</b>'))"),
    code("display('gone')\nclear_output(wait=True)\ndisplay('there')\nclear_output()\nprint('left')"),
    code("print('waits for more')\nclear_output(wait=True)"),
    code("1 / 0", "raises-exception"),
    code("raise SystemError('never')", "skip-execution"),
    code("  "),
    code(
        "import ipywidgets\nout = ipywidgets.Output()\nbar = ipywidgets.IntProgress(max=3)\ndisplay(out, bar)\n"
        "with out:\n    print('within'); display('a widget')\nfor i in range(4):\n    bar.value = i"
    ),
    code("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2, 3])"),
)


def events_of(root: Path, run_id: str) -> list[dict[str, Any]]:
    with Store.open(root) as store:
        return list(store.journals.read(run_id))


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def comparable(notebook: Any) -> Any:
    """A notebook without the moments at which things happened, which nbformat's lines of text are joined for."""
    from nbformat import v4

    found = plain(v4.reads(json.dumps(plain(notebook))))
    found["metadata"].pop("language_info", None)
    for record in [found["metadata"], *(cell["metadata"] for cell in found["cells"])]:
        for name in ("start_time", "end_time", "duration"):
            record.get("papermill", {}).pop(name, None)
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The same notebook executed, and then reused where it can be."""
    root = tmp_path_factory.mktemp("displays")
    path = write_notebook(root / "a.ipynb", *DISPLAYS)
    return root, [run_notebook(path, {"n": 3}).id for _ in range(2)]


@pytest.mark.parametrize("which", [0, 1])
def test_a_notebook_rebuilt_from_its_journal_is_the_one_that_was_saved(
    runs: tuple[Path, list[str]], which: int
) -> None:
    root, ids = runs
    saved = read(root / "runs" / f"a-{which + 1}.ipynb")
    rebuilt = rebuild(events_of(root, ids[which]))
    assert (rebuilt.status, rebuilt.error, rebuilt.running) == (Status.COMPLETED, None, None)
    expected, found = comparable(saved), comparable(rebuilt.notebook)
    expected["metadata"]["papermill"].pop("exception")
    found["metadata"]["papermill"].pop("exception")
    for one, other in zip(expected["cells"], found["cells"], strict=True):
        assert one == other
    assert expected == found
    assert "widgets" in saved["metadata"]


def test_the_journal_tells_each_event_once_and_in_order(runs: tuple[Path, list[str]]) -> None:
    events = events_of(runs[0], runs[1][1])
    kinds = [event["event"] for event in events]
    assert kinds[:3] == ["run_started", "notebook", "kernel_started"]
    assert kinds[-1] == "run_ended"
    assert kinds.count("cell_started") == kinds.count("cell_ended") == 11
    assert kinds.count("passed") == 3
    assert {event["cell"] for event in events if event["event"] == "cell_ended" and event["reused"]} >= {1, 4}
    assert events[-1] == {**events[-1], "status": "completed", "error": None, "events_lost": 0}
    assert events[2]["kind"] == "ordinary"
    assert events[2]["pid"] > 0


def test_cut_at_any_moment_it_tells_what_was_done_and_no_more(runs: tuple[Path, list[str]]) -> None:
    events = events_of(runs[0], runs[1][0])
    for cut in range(len(events)):
        found = rebuild(events[:cut])
        ended = {event["cell"] for event in events[:cut] if event["event"] in ("cell_ended", "passed")}
        begun = {event["cell"] for event in events[:cut] if event["event"] == "cell_started"}
        assert found.status is None
        if found.notebook is None:
            assert cut < 2
            continue
        for index, cell in enumerate(found.notebook.cells):
            status = cell.metadata["papermill"]["status"]
            if index == 10:  # tagged skip-execution
                assert status == "pending"
            elif index in ended:
                assert status == "completed"
            else:
                assert status == ("running" if index in begun else "pending")
        assert found.running == next(iter(begun - ended), None)


def test_a_failed_run_tells_why_and_its_last_cell(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", code("%%step bad\nprint('so far')\nraise ValueError('no')"), code("y = 2")
    )
    with pytest.raises(CellFailedError) as caught:
        run_notebook(path, {})
    events = events_of(tmp_path, caught.value.details["run"].id)
    assert [event["event"] for event in events[-3:]] == ["cell_ended", "failed", "run_ended"]
    rebuilt = rebuild(events)
    assert rebuilt.status is Status.FAILED
    assert rebuilt.error == RunFailure("cell_error", "ValueError: no", 0, "bad", "ValueError", "no")
    assert statuses(comparable(rebuilt.notebook)) == ["failed", "pending"]


def test_a_message_and_its_event_are_the_same_to_a_notebook() -> None:
    shown = {"data": {"text/plain": "'a'"}, "metadata": {"isolated": True}, "transient": {"display_id": "d"}}
    for kind, content, buffers in (
        ("stream", {"name": "stdout", "text": "a"}, []),
        ("display_data", shown, []),
        ("update_display_data", shown, []),
        ("execute_result", {**shown, "execution_count": 3}, []),
        ("error", {"ename": "E", "evalue": "e", "traceback": ["t"]}, []),
        ("clear_output", {"wait": True}, []),
        ("execute_input", {"execution_count": 3}, []),
        ("comm_msg", {"comm_id": "c", "data": {"method": "update", "state": {"x": 1}}}, [b"\x00\xff"]),
    ):
        message = {"msg_type": kind, "content": content, "parent_header": {"msg_id": "r"}, "buffers": buffers}
        event = event_of(message)
        assert event is not None
        back = message_of(plain(event), "r")
        assert back is not None
        assert {name: back[name] for name in message} == message
    assert event_of({"msg_type": "status", "content": {"execution_state": "idle"}}) is None
    assert message_of({"event": "cell_started", "cell": 1}, "r") is None

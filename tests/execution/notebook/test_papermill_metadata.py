from __future__ import annotations

from datetime import datetime, timedelta, timezone

from nbformat import v4

from jupyter_mlops.execution.notebook.papermill_metadata import Ledger, is_executed


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def notebook_of(*sources: str):
    return v4.new_notebook(cells=[v4.new_code_cell(source, metadata={"tags": []}) for source in sources])


def record(notebook, index: int):
    return notebook.cells[index].metadata.papermill


def test_a_cell_is_completed_only_when_it_ended() -> None:
    notebook = notebook_of("a", "b", "c")
    ledger = Ledger(notebook, Clock())
    ledger.begin()
    ledger.cell_started(0)
    assert ledger.cell_ended(0, failed=False) == 1.0
    ledger.cell_started(1)
    assert [record(notebook, index)["status"] for index in range(3)] == ["completed", "running", "pending"]
    ledger.cell_ended(1, failed=True)
    ledger.end(failed=True)
    assert [record(notebook, index)["status"] for index in range(3)] == ["completed", "failed", "pending"]
    assert [record(notebook, index)["exception"] for index in range(3)] == [False, True, None]
    assert notebook.metadata.papermill["exception"] is True
    assert record(notebook, 2)["start_time"] is None


def test_what_an_earlier_execution_left_is_forgotten() -> None:
    notebook = notebook_of("a")
    notebook.cells[0].execution_count = 7
    notebook.cells[0].outputs = [v4.new_output("stream", text="old")]
    notebook.metadata["papermill"] = {"exception": True, "version": "1"}
    Ledger(notebook, Clock()).begin()
    assert notebook.cells[0].outputs == []
    assert notebook.cells[0].execution_count is None
    assert notebook.metadata.papermill["exception"] is None
    assert notebook.metadata.papermill["version"] == "1"


def test_text_empty_and_skipped_cells_are_not_executed() -> None:
    assert is_executed(v4.new_code_cell("x = 1"))
    assert not is_executed(v4.new_code_cell("  \n"))
    assert not is_executed(v4.new_markdown_cell("x"))
    assert not is_executed(v4.new_code_cell("x", metadata={"tags": ["skip-execution"]}))

"""Values of reused steps in a kernel started anew: each is there when it is read, and nothing else ran for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernels import Cell, LiveKernel
from notebooks import code, read, shown, write_notebook

from jupyter_mlops.domain.status import Status
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel
Start = Callable[..., LiveKernel]


class Notebook:
    """A saved notebook whose plain cells are steps, and the kernels in which they are run."""

    def __init__(self, start: Start, folder: Path, *cells: str) -> None:
        self._start = start
        self.cells = cells
        self.path = write_notebook(folder / "nb.ipynb", *(code(cell) for cell in cells))
        self.kernel: Any = None
        self.restart()

    def restart(self) -> None:
        """A kernel that knows nothing yet."""
        if self.kernel is not None:
            self.kernel.close()
        self.kernel = self._start(self.path.parent, JPY_SESSION_NAME=str(self.path), MLOPS_CAPTURE="all")

    def run(self, index: int) -> Cell:
        return self.kernel.run(self.cells[index], cell_id=f"c{index}")

    def run_all(self) -> list[Cell]:
        return [self.run(index) for index in range(len(self.cells))]

    def silently(self, expression: str) -> str:
        """What an expression gives, asked behind the extension's back: nothing is loaded for it."""
        reply = self.kernel.client.execute("", silent=True, user_expressions={"it": expression})
        while True:
            message = self.kernel.client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == reply:
                return str(message["content"]["user_expressions"]["it"]["data"]["text/plain"])


@pytest.fixture
def notebook(start_kernel: Start, tmp_path: Path) -> Callable[..., Notebook]:
    return lambda *cells: Notebook(start_kernel, tmp_path, *cells)


def steps_run(folder: Path) -> list[tuple[str, Status]]:
    with open_store(folder, create=False) as store:
        return [(str(run.cell_id), run.status) for run in reversed(store.steps.runs())]


def test_the_last_cell_of_a_kernel_started_anew_takes_just_what_it_reads(notebook: Callable[..., Notebook]) -> None:
    nb = notebook(
        "import numpy as np\nbig = np.arange(2_000_000.0)",
        "other = np.ones(2_000_000)",
        "total = big.sum()",
        "print(int(total), int(big[-1]))",
    )
    nb.run_all()
    nb.restart()
    assert nb.kernel.run("print(int(big[2]), int(total))", cell_id="c3").text.endswith("2 1999999000000\n")
    assert nb.silently("'big' in globals(), 'other' in globals()") == "(True, False)"
    nb.kernel.run("%mlops drain")
    assert [cell for cell, _ in steps_run(nb.path.parent)] == ["c0", "c1", "c2", "c3", "c3"], "no cell above ran again"


def test_a_value_that_cannot_be_stored_is_made_again_by_its_producer_only(notebook: Callable[..., Notebook]) -> None:
    nb = notebook(
        "import threading",
        "names = ['a']\nunused = list(range(10))",
        "lock = threading.Lock()\nword = names[0]",
        "print(lock.acquire(), word, names)",
    )
    first = nb.run_all()
    assert first[-1].text == "True a ['a']\n"
    nb.restart()
    last = nb.kernel.run("print('again', lock.acquire(), word)", cell_id="c3")
    assert last.text.endswith("again True a\n"), last.text
    assert not last.error
    assert nb.silently("'names' in globals(), 'unused' in globals()") == "(True, False)", (
        "what its producer reads, no more"
    )


def test_a_component_stays_one_after_loading(notebook: Callable[..., Notebook]) -> None:
    nb = notebook("a = b = []\nc = {'same': a}", "a.append(1)", "print(a is b, c['same'] is a, b)")
    assert nb.run_all()[-1].text == "True True [1]\n"
    nb.restart()
    assert [cell.reused for cell in (nb.run(0), nb.run(1))] == [True, True]
    cell = nb.kernel.run("b.append(2)\nprint(a is b, c['same'] is a, a)")
    assert cell.text == "True True [1, 2]\n"


def test_a_frame_changed_in_place_is_as_it_was_changed_in_a_new_kernel(notebook: Callable[..., Notebook]) -> None:
    nb = notebook(
        "import pandas as pd\nframe = pd.DataFrame({'x': [1, 2]})",
        "frame['y'] = frame['x'] * 2",
        "print(frame['y'].tolist(), list(frame))",
    )
    nb.run_all()
    nb.restart()
    assert [cell.reused for cell in nb.run_all()] == [True] * 3
    assert nb.kernel.run("print(frame['y'].sum(), list(frame))").text == "6 ['x', 'y']\n"
    nb.restart()
    assert nb.run(0).reused
    assert nb.kernel.run("print(list(frame))").text == "['x']\n", "before the change it is what it was then"
    assert nb.run(1).reused
    assert nb.kernel.run("print(list(frame))").text == "['x', 'y']\n"


def test_a_deleted_name_stays_deleted(notebook: Callable[..., Notebook]) -> None:
    nb = notebook("gone = [1]\nkept = [2]", "del gone", "print(kept)")
    nb.run_all()
    nb.restart()
    assert [cell.reused for cell in nb.run_all()] == [True] * 3
    assert "NameError" in nb.kernel.run("gone").error
    nb.restart()
    assert "NameError" in nb.kernel.run("print(kept, gone)", cell_id="c2").error


def test_a_damaged_object_lets_its_step_run_again_with_a_clear_line(notebook: Callable[..., Notebook]) -> None:
    nb = notebook("numbers = list(range(100_000, 160_000))", "print(sum(numbers[:2]))")
    nb.run_all()
    nb.kernel.run("1")
    nb.restart()
    with open_store(nb.path.parent, create=False) as store:
        (made,) = [run for run in store.steps.runs() if run.cell_id == "c0"]
        path = store.objects.path(str(made.result))
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    cell = nb.run(0)
    assert not cell.reused
    assert "is not used" in cell.text
    assert "Traceback" not in cell.text
    assert nb.kernel.run("print(numbers[-1])").text == "159999\n"
    nb.restart()
    assert nb.run(0).reused, "the new result serves again"


def two_lines(cell: Cell) -> str:
    lines = [line for line in cell.text.splitlines() if line.strip()]
    assert [line.split(":")[0] for line in lines] == ["Error", "Hint"], cell.text
    assert cell.error
    return lines[0]


def test_a_step_whose_claims_are_contradicted_fails_with_two_lines(start_kernel: Start) -> None:
    kernel = start_kernel()
    kernel.run("a, b = 1, 2")
    cell = kernel.run("%%step total --inputs a\ntotal = a + b\nran = True")
    assert "reads 'b', which its --inputs does not list" in two_lines(cell)
    assert "NameError" in kernel.run("ran").error, "it did not run"
    cell = kernel.run("%%step total --outputs total\ntotal = a + b\nextra = 1")
    assert "makes or changes 'extra'" in two_lines(cell)
    cell = kernel.run("%%step total --outputs total,missing\ntotal = a + b")
    assert "'missing'" in two_lines(cell)
    good = "%%step total --inputs a,b --outputs total\ntotal = a + b\ntotal"
    assert kernel.run(good).text == "3"
    assert kernel.run(good).reused
    kernel.run("%mlops drain")
    with open_store(kernel.folder, create=False) as store:
        found = [run.status for run in reversed(store.steps.runs(step="total"))]
    assert found[-2:] == [Status.COMPLETED, Status.REUSED]
    assert Status.COMPLETED not in found[:-2]


def test_an_authors_word_makes_a_step_repeatable_and_ttl_for_a_time(start_kernel: Start) -> None:
    kernel = start_kernel()
    body = "import time\nnow = time.time()\nnow"
    plain = f"%%step plain\n{body}"
    kernel.run(plain)
    assert not kernel.run(plain).reused
    word = f"%%step word --repeatable\n{body}"
    first = kernel.run(word)
    again = kernel.run(word)
    assert again.reused
    assert again.text == first.text
    short = f"%%step short --ttl 1s\n{body}"
    first = kernel.run(short)
    assert kernel.run("import time; time.sleep(1.1)").error == ""
    again = kernel.run(short)
    assert not again.reused
    assert again.text != first.text
    long = f"%%step long --ttl 1d\n{body}"
    kernel.run(long)
    assert kernel.run(long).reused


def test_in_a_job_what_a_reused_cell_imported_is_there_before_an_executed_cell_needs_it(tmp_path: Path) -> None:
    cells = [
        "import os.path, sys\nimport json.tool",
        "import os\nsep = os.sep",
        "print('json.tool' in sys.modules, len(sep))",
    ]

    def run(*sources: str) -> dict[str, Any]:
        path = write_notebook(tmp_path / "a.ipynb", *(code(source) for source in sources))
        ended = run_notebook(path, {})
        return read(tmp_path / str(ended.output_path))

    assert shown(run(*cells)["cells"][2]) == "True 1\n"
    output = run(*cells[:2], "print('now', 'json.tool' in sys.modules, len(sep))")
    notes = [json.dumps(cell["metadata"].get("jupyter_mlops", {}).get("status")) for cell in output["cells"]]
    assert notes == ['"reused"', '"reused"', "null"]
    assert shown(output["cells"][2]) == "now True 1\n"

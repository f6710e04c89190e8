"""Completion of our lines in a real kernel, by the request that JupyterLab sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernels import LiveKernel
from notebooks import code, write_notebook

pytestmark = pytest.mark.kernel

SOURCES = ("%%step load\nrows = [1]\nrate = 0.5", "%%step train --kind fit\nauc = 0.9", "x = 1")
MODEL = """
class Model:
    def predict(self):
        pass
model = Model()
class Odd:
    __class__ = property(1)
odd = Odd()
"""


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel], tmp_path_factory: pytest.TempPathFactory) -> LiveKernel:
    """A kernel in whose project both steps ran."""
    folder = tmp_path_factory.mktemp("project")
    path = write_notebook(folder / "nb.ipynb", *map(code, SOURCES))
    kernel = start_kernel(folder, JPY_SESSION_NAME=str(path))
    assert matches(kernel, "%mlops sta") == ["status"]
    assert matches(kernel, "%mlops log ") == ["load", "train", "cell@c2"]  # of the notebook: nothing ran yet
    assert "1" not in matches(kernel, "%mlops runs compare ")
    assert not (folder / ".mlops").exists()
    for index, source in enumerate(SOURCES):
        kernel.run(source, cell_id=f"c{index}")
    kernel.run(MODEL)
    kernel.run("%mlops drain")
    return kernel


def answer(kernel: LiveKernel, line: str, rest: str = "") -> dict[str, Any]:
    """The kernel's reply where the cursor stands between `line` and `rest`."""
    kernel.client.complete(line + rest, len(line))
    content: dict[str, Any] = kernel.client.get_shell_msg(timeout=120)["content"]
    return content


def matches(kernel: LiveKernel, line: str, rest: str = "") -> list[str]:
    found: list[str] = answer(kernel, line, rest)["matches"]
    return found


LINES = [
    ("%mlops st", "", "st", ["status", "steps", "store"]),
    ("x = %mlops runs comp", "", "comp", ["compare"]),
    ("y = 1\n%mlops runs compare ", "", "", ["1"]),
    ("%mlops why tr", "\nmore = 1", "tr", ["train"]),
    ("%mlops diff load ", "", "", ["v1"]),
    ("%mlops run --fr", "", "--fr", ["--from"]),
    ("%mlops status nb", "", "nb", ["nb.ipynb"]),
    ("%%st", "", "%%st", ["%%step"]),
    ("%%step ", "", "", ["load", "train"]),
    ("%%step train --kin", "", "--kin", ["--kind"]),
    ("%%step train --kind f", "", "f", ["fit", "features"]),
    ("%%step train --metrics auc,", "\nscore = 1", "", ["score", "rate", "x"]),
    ("%%step train --model m", "\n", "m", ["model"]),
]


@pytest.mark.parametrize("jedi", [True, False])
def test_our_lines_are_completed_by_us_alone(kernel: LiveKernel, jedi: bool) -> None:
    kernel.run(f"%config IPCompleter.use_jedi = {jedi}")
    for line, rest, replaced, expected in LINES:
        reply = answer(kernel, line, rest)
        assert (reply["status"], reply["matches"]) == ("ok", expected), line
        assert (line + rest)[reply["cursor_start"] : reply["cursor_end"]] == replaced, line


def test_where_nothing_of_ours_fits_no_one_guesses_python(kernel: LiveKernel) -> None:
    for line in ("%mlops nosuch ", "%mlops runs --limit ", "%%step train --reads ", "%mlops --"):
        assert {"print", "for", "%time"}.isdisjoint(matches(kernel, line)), line


def test_other_lines_are_completed_as_ever(kernel: LiveKernel) -> None:
    assert "append" in matches(kernel, "rows.app")[0]
    assert "%mlops" in matches(kernel, "%mlo")
    assert "rows" in matches(kernel, "print(ro")


def test_it_takes_no_time(kernel: LiveKernel) -> None:
    """The least of several, since the machine may be busy."""
    for line in ("%mlops log ", "%mlops runs compare ", "%%step train --metrics "):
        took = []
        for _ in range(10):
            began = time.perf_counter()
            matches(kernel, line)
            took.append(time.perf_counter() - began)
        assert min(took) < 0.05, line


def test_without_the_extension_nothing_of_it_is_left(start_kernel: Callable[..., LiveKernel], tmp_path: Path) -> None:
    kernel = start_kernel(tmp_path)
    kernel.run("%unload_ext jupyter_mlops")
    assert "status" not in matches(kernel, "%mlops sta")
    kernel.run("%load_ext jupyter_mlops")
    assert matches(kernel, "%mlops sta") == ["status"]

"""The forked kernels of these tests show what real kernels show, and are as fresh."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
from kernels import LiveKernel

from .conftest import Pair
from .edits import play, shrink, told
from .generate import Cell, Scenario, Step
from .trap import Trap
from .traps import TRAPS

pytestmark = pytest.mark.kernel
REFERENCE = (
    "nothing changed",
    "alias split",
    "the generator goes on after a reuse",
    "display order",
    "rich displays",
    "file changed",
)


def real_run(kernel: LiveKernel, trap: Trap, second: bool) -> list[tuple[list[str], bool]]:
    """The kinds and texts that each cell shows in a real kernel, and whether it was reused."""
    cells = trap.second() if second else trap.first()
    shown = [kernel.run(cell["code"], cell_id=cell["id"]) for cell in cells]
    kernel.run("%mlops drain", silent=True)
    return [([f"{kind} {text}" for kind, text in cell.outputs], cell.reused) for cell in shown]


@pytest.mark.parametrize("name", REFERENCE)
def test_real_kernels_give_the_same_as_forked_ones(
    name: str, pair: Pair, start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    trap = next(trap for trap in TRAPS if trap.name == name)
    real, forked = [], []
    for second in (False, True):
        for folder in ("real", "forked"):
            (tmp_path / folder).mkdir(exist_ok=True)
            for file, text in (trap.edited if second else trap.files).items():
                (tmp_path / folder / file).write_text(text or "")
        kernel = start_kernel(tmp_path / "real", MLOPS_CAPTURE="all", MLOPS_TRACKING="later")
        real.append(real_run(kernel, trap, second))
        fork = pair[0].start(tmp_path / "forked", True)
        shown = fork.play(trap.second() if second else trap.first())
        fork.close()
        forked.append([([_line(*output) for output in cell.outputs], cell.became == "reused") for cell in shown])
    assert _in_order(forked) == _in_order(real)


def _in_order(runs: list[list[tuple[list[str], bool]]]) -> list[list[tuple[list[str], bool]]]:
    """What is written to both streams in one go arrives in either order."""
    return [
        [
            ([line for _, group in groupby(lines, key=_is_stream) for line in sorted(group)], reused)
            for lines, reused in cells
        ]
        for cells in runs
    ]


def _is_stream(line: str) -> str:
    return "stream" if line.startswith(("stdout ", "stderr ")) else line


def _line(kind: str, content: object) -> str:
    return f"{kind} {content.get('text/plain')}" if isinstance(content, dict) else f"{kind} {content}"


def test_a_forked_kernel_is_fresh(pair: Pair, tmp_path: Path) -> None:
    look = (
        "import sys\nprint([n for n in ('numpy', 'pandas', 'sklearn', 'pytest', 'oracle') if n in sys.modules])\n"
        "import numpy\nprint(numpy.random.rand())\nprint(sys.path[0] == '', __name__)"
    )
    texts = []
    for _ in range(2):
        kernel = pair[0].start(tmp_path, False)
        texts.append("".join(text for _, text in kernel.play([{"id": "a", "code": look}])[0].outputs))
        kernel.close()
    assert texts[0].startswith("[]\n")
    assert texts[0].endswith("\nTrue __main__\n")
    assert texts[0] != texts[1], "numpy's generator is seeded anew"


def test_a_difference_is_found_and_told_with_the_least_that_shows_it(pair: Pair) -> None:
    cells = (Cell("c1", "x = 1\nz = 5"), Cell("c2", "y = 2"), Cell("c3", "import time\nprint(x, time.time())"))
    story = Scenario(0, 0, False, tuple(Step(cells, f"edit {number}") for number in range(3)))
    assert play(copy.deepcopy(story), pair).differences, "the clock differs"
    smallest = shrink(story, pair)
    text = told(smallest, pair)
    assert [[cell.id for cell in step.cells] for step in smallest.steps] == [["c1", "c3"]]
    assert "print(x, time.time())" not in text.replace("x, ", "x, ", 1) or "c3" in text
    assert "plain:" in text

"""What a cell printed just before its kernel was killed stands in the notebook, every time, under load too."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.domain.status import Status
from jupyter_mlops.execution.kernels.warm.pool import Pool

from .played import notebook_of, play

pytestmark = pytest.mark.kernel

CELLS = [
    "import os, signal, sys\nprint('first')",
    "print('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\nprint('about to die', flush=True)\n"
    "os.kill(os.getpid(), signal.SIGKILL)",
    "print('never')",
]


def spin() -> None:
    while True:
        pass


@pytest.fixture
def load() -> Iterator[None]:
    """All processors are busy: who reads gets to it late."""
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=spin, daemon=True) for _ in range(multiprocessing.cpu_count())]
    for process in busy:
        process.start()
    yield
    for process in busy:
        process.kill()
        process.join()


@pytest.mark.usefixtures("load")
@pytest.mark.parametrize(("kind", "times"), [("warm", 12), ("ordinary", 3)])
def test_the_last_words_of_a_killed_kernel_are_kept_every_time(
    kind: str, times: int, tmp_path: Path, pool: Pool
) -> None:
    notebook = notebook_of(CELLS)
    kept = []
    for _ in range(times):
        executed, outcome, told = play(notebook, tmp_path, pool if kind == "warm" else None)
        assert (told.kind, outcome.status) == (kind, Status.FAILED), told.why
        said = dict.fromkeys(("stdout", "stderr"), "")
        for output in executed.cells[1].outputs:
            if output.output_type == "stream":
                said[output.name] += output.text
        kept.append((said["stdout"], "err\n" in said["stderr"], executed.cells[2].outputs))
    assert kept == [("out\nabout to die\n", True, [])] * times

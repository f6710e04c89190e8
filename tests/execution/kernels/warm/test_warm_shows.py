"""What a notebook shows in a warm kernel is what it shows in an ordinary one, output by output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from oracle.trap import Trap
from oracle.traps import TRAPS

from jupyter_mlops.execution.kernels.warm.pool import Pool

from .played import differences, notebook_of, play
from .showcase import NOTEBOOKS

pytestmark = pytest.mark.kernel
PLAYED = TRAPS if os.environ.get("WARM_TRAPS") == "all" else TRAPS[::30]
"""Few of them, to keep the tests short; `make oracle` plays all."""


def both(cells: list[str], tmp_path: Path, pool: Pool, **options: Any) -> list[str]:
    """Differences between the two kinds of kernel."""
    notebook = notebook_of(cells, options.pop("tags", None))
    folders = (tmp_path / "warm", tmp_path / "ordinary")
    files = options.pop("files", {})
    for folder in folders:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
    found: list[str] = []
    for _ in range(3):
        # An ordinary kernel sends what was written below Python when it gets to it: now and then too late for the cell.
        warm, _, told = play(notebook, folders[0], pool, **options)
        ordinary, _, told_too = play(notebook, folders[1], **options)
        assert (told.kind, told_too.kind) == ("warm", "ordinary"), (told.why, told_too.why)
        found = differences(warm, ordinary, folders)
        if not found:
            break
    return found


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_all_ways_to_show_something_show_the_same(name: str, tmp_path: Path, pool: Pool) -> None:
    found = both(NOTEBOOKS[name], tmp_path, pool)
    assert not found, "\n".join(found)


def test_a_notebook_may_exchange_the_functions_of_json(tmp_path: Path, pool: Pool) -> None:
    """In a kernel without the extension no message can be packed then, and who waits for one waits for ever."""
    cells = ["import json\njson.dumps = lambda x: 'patched'\njson.loads = None", "print(json.dumps(1))", "json.loads"]
    assert not both([*cells], tmp_path, pool)


@pytest.mark.parametrize("trap", PLAYED, ids=lambda trap: trap.name)
def test_traps_show_the_same(trap: Trap, tmp_path: Path, pool: Pool) -> None:
    found = both(
        [cell["code"] for cell in trap.first()],
        tmp_path,
        pool,
        files=trap.files,
        environment=trap.environment,
        tags={index: list(tags) for index, tags in trap.tags.items()},
    )
    assert not found, "\n".join(found)

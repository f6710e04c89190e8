"""Code blocks that the documentation marks as tested run, page by page, top to bottom.

`<!-- tested: shell -->` above a block: its lines are given to bash, one shell a page. `<!-- tested: cell -->`: the block is
a cell, one kernel a page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^<!-- tested: (\w+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[object]:
    """The pages that have tested blocks of this kind, with them."""
    found = []
    for page in sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")]):
        codes = [code for which, code in BLOCK.findall(page.read_text()) if which == kind]
        if codes:
            found.append(pytest.param(codes, id=page.relative_to(ROOT).as_posix()))
    return found


def test_every_mark_stands_above_a_block_of_a_known_kind() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        text = page.read_text()
        assert len(re.findall(r"^<!-- tested:", text, re.MULTILINE)) == len(BLOCK.findall(text))
        assert {kind for kind, _ in BLOCK.findall(text)} <= {"shell", "cell"}


@pytest.mark.kernel
@pytest.mark.parametrize("codes", blocks("shell"))
def test_commands_of_a_page_run(codes: list[str], tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(codes)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.kernel
@pytest.mark.parametrize("codes", blocks("cell"))
def test_cells_of_a_page_run(codes: list[str], tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    nbformat.write(notebook, tmp_path / "page.ipynb")
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "stream" and output.name == "stderr"]

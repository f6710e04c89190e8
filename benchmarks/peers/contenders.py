"""How each contender runs a trap's notebook: in its own natural form, each run in a process of its own."""

from __future__ import annotations

import html
import json
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.place import PeerError, python, run
from benchmarks.peers.traps import Trap

HERE = Path(__file__).resolve().parent
SCRIPT = "script.py"
NOTEBOOK = "notebook.ipynb"


def plain(trap: Trap, cells: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """No cache: what the answer is."""
    (folder / SCRIPT).write_text("\n".join(cells), encoding="utf-8")
    return run([str(python()), SCRIPT], folder, environment=environment)


def ours(trap: Trap, cells: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """`jupyter mlops run`, with every cell a step."""
    _write_notebook(cells, folder / NOTEBOOK)
    command = [str(Path(sys.executable).parent / "jupyter"), "mlops", "run", NOTEBOOK, "-o", "executed.ipynb"]
    run(command, folder, environment=environment)
    return _printed(folder / "executed.ipynb")


def joblib(trap: Trap, cells: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """The work is a function under `Memory.cache`; what it reads of other cells' data are its arguments."""
    made = ", ".join(trap.makes)
    function = f"def work({', '.join(trap.reads)}):\n{textwrap.indent(cells[trap.work], '    ')}\n    return {made}"
    call = f"{made} = work({', '.join(trap.reads)})"
    top = "import joblib\nmemory = joblib.Memory('.joblib', verbose=0)"
    lines = [top, *cells[: trap.work], f"@memory.cache\n{function}\n{call}", *cells[trap.work + 1 :]]
    return plain(trap, lines, folder, environment)


def marimo_block(trap: Trap, cells: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """The work's cell is a `with mo.persistent_cache(...)` block."""
    work = f"with mo.persistent_cache('work'):\n{textwrap.indent(cells[trap.work], '    ')}"
    return _marimo(["import marimo as mo", *_replaced(cells, trap.work, work)], folder, environment)


def marimo_cells(trap: Trap, cells: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Every cell is cached, by `cache_cells` (which marimo calls experimental)."""
    (folder / "pyproject.toml").write_text("[tool.marimo.runtime]\ncache_cells = true\n", encoding="utf-8")
    return _marimo(cells, folder, environment)


def jupyter_cache(trap: Trap, cells: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """The notebook's outputs are taken from the cache where it has its code, else it is executed and cached."""
    _write_notebook(cells, folder / NOTEBOOK)
    run([str(python()), str(HERE / "jupyter_cache_worker.py"), str(folder)], folder, environment=environment)
    return _printed(folder / "executed.ipynb")


def kishu(trap: Trap, folder: Path, environment: Mapping[str, str]) -> str:
    """Both runs: the notebook; then a new kernel, a check-out of the state before the first edited cell, and the rest.

    Kishu brings back a state when asked and decides nothing, so that it has no part in a trap without an edited cell.
    """
    if not trap.edits:
        raise NotImplementedError
    told = json.dumps({"before": trap.cells, "after": trap.cells_later, "first": min(trap.edits)})
    if min(trap.edits) == 0:
        raise NotImplementedError
    printed = run(
        [str(python()), str(HERE / "kishu_worker.py"), str(folder), told], folder, environment=environment, timeout=240
    )
    return str(json.loads(printed.splitlines()[-1])["answer"])


def _marimo(cells: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    *others, last = cells
    shown = re.sub(r"^print\((.*)\)$", r"str(\1)", last, flags=re.M)  # what a cell prints is not kept, what it gives is
    functions = [f"@app.cell\ndef _():\n{textwrap.indent(cell, '    ')}\n    return\n" for cell in (*others, shown)]
    source = "import marimo\n\napp = marimo.App()\n\n" + "\n\n".join(functions)
    (folder / "notebook.py").write_text(source, encoding="utf-8")
    command = [str(python().parent / "marimo"), "-q", "-y", "export", "ipynb", "notebook.py", "--sort", "top-down"]
    executed = folder / "executed.ipynb"
    executed.unlink(missing_ok=True)
    try:
        run([*command, "--include-outputs", "-f", "-o", executed.name], folder, environment=environment)
    except PeerError:
        if not executed.exists():
            raise
    return _printed(executed)  # which tells the error of the cell that failed


def _replaced(cells: Sequence[str], index: int, source: str) -> list[str]:
    return [source if place == index else cell for place, cell in enumerate(cells)]


def _write_notebook(cells: Sequence[str], path: Path) -> None:
    import nbformat

    made = [nbformat.v4.new_code_cell(cell, id=f"cell-{index}") for index, cell in enumerate(cells)]
    notebook = nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": {"name": "python3", "display_name": "3"}})
    nbformat.write(notebook, path)


def _printed(path: Path) -> str:
    """What the last code cell of an executed notebook prints. Raises `PeerError` for a cell that failed."""
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    for cell in code:
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                raise PeerError(f"{output['ename']}: {output['evalue']}"[:200])
    return "".join(_text(output) for output in code[-1]["outputs"])


def _text(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return "".join(output["text"])
    data = output.get("data", {})
    if "text/html" in data:
        return html.unescape(re.sub(r"<[^>]+>", "", "".join(data["text/html"]))).strip("'")
    return "".join(data.get("text/plain", ""))

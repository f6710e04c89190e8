"""Our engine beside papermill's own: the same notebooks, and the differences that docs/papermill.md lists, no others."""

from __future__ import annotations

import functools
import http.server
import importlib
import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import papermill as pm
import pytest
from notebooks import code, read, shown, statuses, text, write_notebook

from jupyter_mlops.domain.status import Status
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel

ENGINES = {"default": None, "mlops": "mlops"}
PARAMETERS: dict[str, Any] = {"n": 3, "name": 'it\'s\n"q"', "items": [1, {"a": None}], "flag": False, "x": 1.5}


def executed(folder: Path, engine: str, *cells: dict[str, Any], **options: Any) -> tuple[dict[str, Any], str]:
    """The executed notebook, and the name of what was raised."""
    path = write_notebook(folder / engine / "a.ipynb", *cells)
    output, raised = path.with_name("out.ipynb"), ""
    try:
        pm.execute_notebook(
            path, output, engine_name=ENGINES[engine], **{"progress_bar": False, "cwd": str(path.parent), **options}
        )
    except Exception as error:  # noqa: BLE001 - which it is, is what is compared
        raised = type(error).__name__
    return read(output), raised


def joined(outputs: list[dict[str, Any]]) -> list[Any]:
    """Outputs as they look: pieces of a stream in one."""
    found: list[Any] = []
    for output in outputs:
        if output["output_type"] != "stream":
            output = {**output, "traceback": [re.sub(r"\d{3,}", "", line) for line in output.get("traceback", [])]}
            found.append(output)
        elif found and found[-1][:2] == ["stream", output["name"]]:
            found[-1][2] += "".join(output["text"])
        else:
            found.append(["stream", output["name"], "".join(output["text"])])
    return found


def comparable(notebook: dict[str, Any]) -> Any:
    notebook["metadata"]["papermill"] = {
        name: value
        for name, value in notebook["metadata"]["papermill"].items()
        if name not in ("start_time", "end_time", "duration", "input_path", "output_path")
    }
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)
        for name in ("start_time", "end_time", "duration"):
            cell["metadata"].get("papermill", {}).pop(name, None)
        if cell["cell_type"] == "code":
            cell["outputs"] = joined(cell["outputs"])
        if {"injected-parameters", "papermill-error-cell-tag"} & {*cell["metadata"]["tags"]}:
            cell.pop("id")  # made anew each time
        if "papermill-error-cell-tag" in cell["metadata"]["tags"]:
            assert "papermill-error-cell" in "".join(cell.pop("source"))  # the words around it are others
        if "injected-parameters" in cell["metadata"]["tags"]:
            values: dict[str, Any] = {}
            exec("".join(cell["source"]), values)
            cell["source"] = {name: values[name] for name in PARAMETERS}  # quotes may be others
    return notebook


CELLS = (
    text("# A notebook"),
    code("n = 1\nname = 'x'\nitems = []\nflag = True\nx = 0.5\nkept = 'as it was'", "parameters"),
    code("import sys, time\nprint(n, name, items, flag, x, kept)\nprint('to stderr', file=sys.stderr, flush=True)\nn"),
    code("from IPython.display import HTML, clear_output, display\nh = display('first', display_id='d')"),
    code("h.update('second')\ndisplay(HTML('<b>bold</b>'))\nclear_output(wait=True)\ndisplay('left')"),
    code("1 / 0", "raises-exception"),
    code("raise SystemError('never')", "skip-execution"),
    code("  "),
    code("await __import__('asyncio').sleep(0)\n!echo from a shell\n"),
    code("def f():\n    raise ValueError('with a cause')\nf()"),
    code("print('never')"),
)


def test_a_notebook_that_fails_is_the_same_by_either_engine(tmp_path: Path) -> None:
    (one, raised), (other, also) = (executed(tmp_path, engine, *CELLS, parameters=PARAMETERS) for engine in ENGINES)
    assert raised == also == "PapermillExecutionError"
    one, other = comparable(one), comparable(other)
    # The cell that was skipped: papermill's engine says that it completed.
    skipped = [cell["metadata"]["papermill"] for cell in (one["cells"][8], other["cells"][8])]
    assert [record.pop("status") for record in skipped] == ["completed", "pending"]
    assert [record.pop("exception") for record in skipped] == [False, None]
    assert one == other


@pytest.mark.parametrize(
    ("body", "default", "ours"),
    [
        ("import sys\nsys.exit(0)", (["failed", "pending"], True, ""), (["completed", "pending"], None, "")),
        (
            "import os\nos.kill(os.getpid(), 9)",
            (["completed", "completed"], None, "DeadKernelError"),
            (["failed", "pending"], True, "DeadKernelError"),
        ),
        (
            "import time\ntime.sleep(30)",
            (["completed", "completed"], None, "CellTimeoutError"),
            (["failed", "pending"], True, "PapermillExecutionError"),
        ),
        ("%no-such-magic", (["failed", "pending"], True, "PapermillExecutionError"), None),
    ],
    ids=["sys.exit", "killed", "timed out", "unknown magic"],
)
def test_the_differences_are_those_that_are_documented(tmp_path: Path, body: str, default: Any, ours: Any) -> None:
    for engine, expected in (("default", default), ("mlops", ours or default)):
        notebook, raised = executed(tmp_path, engine, code(body), code("y = 2"), execution_timeout=4)
        found = statuses(notebook), notebook["metadata"]["papermill"]["exception"], raised
        assert found == expected, engine


def test_what_an_earlier_execution_left_is_no_parameter_of_this_one(tmp_path: Path) -> None:
    """papermill keeps the record of parameters in a notebook whose injected cell someone took out."""
    path = write_notebook(tmp_path / "a.ipynb", code("n = 1", "parameters"), code("print(n)"), kernel="python")
    notebook = read(path)
    notebook["metadata"]["papermill"] = {"parameters": {"n": "seven"}, "default_parameters": {}, "version": "2.0"}
    path.write_text(__import__("json").dumps(notebook))
    pm.execute_notebook(path, tmp_path / "out.ipynb", engine_name="mlops", progress_bar=False)
    assert shown(read(tmp_path / "out.ipynb")["cells"][1]) == "1\n"
    with Store.open(tmp_path) as store:
        assert store.runs.get(1).parameters == {"n": 1}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a folder, served on loopback."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_notebook_behind_an_address_is_executed_with_all_that_papermill_shows(
    tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(
        tmp_path / "served" / "far.ipynb",
        code("n = 1", "parameters"),
        code("# papermill_description=Counting\nprint('n is', n)\nimport sys; print('odd', file=sys.stderr)"),
    )
    monkeypatch.chdir(tmp_path)
    importlib.import_module("ipykernel.zmqshell")  # its being loaded makes no terminal a notebook
    out, err = io.StringIO(), io.StringIO()
    pm.execute_notebook(
        f"{served}/far.ipynb", "out.ipynb", {"n": 2}, engine_name="mlops", stdout_file=out, stderr_file=err
    )
    assert out.getvalue() == "n is 2\n"
    assert err.getvalue() == "odd\n"
    bar = capsys.readouterr().err
    assert "Executing Counting" in bar
    assert "3/3" in bar
    saved = read(tmp_path / "out.ipynb")
    assert statuses(saved) == ["completed"] * 3
    assert saved["metadata"]["papermill"]["input_path"] == f"{served}/far.ipynb"
    with Store.open(tmp_path) as store:
        run = store.runs.get(1)
    assert (run.status, run.notebook, run.parameters) == (Status.COMPLETED, "far.ipynb", {"n": 2})

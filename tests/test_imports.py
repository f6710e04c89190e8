"""What importing costs: `import jupyter_mlops` and `%load_ext` pull in nothing heavy, and are quick."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"mlflow", "papermill", "pandas", "sklearn", "numpy", "matplotlib", "sqlalchemy", "alembic", "rich", "nbformat"}
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
"""
REPORT = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
LOAD_MILLISECONDS = 150
"""The promise of the README."""


def modules_after(code: str, folder: Path) -> set[str]:
    """Top-level modules loaded by a fresh interpreter that ran `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_heavy_nor_any_part_of_jupyter(tmp_path: Path) -> None:
    assert not modules_after("import jupyter_mlops", tmp_path) & (HEAVY | {"IPython", "jupyter_server", "tornado"})


def test_loading_the_extension_imports_nothing_heavy(tmp_path: Path) -> None:
    """Before the thread that warms up has had a turn: what the user waits for."""
    code = f"{SHELL}import threading\nthreading.Thread.start = lambda self: None\n"
    code += "shell.run_line_magic('load_ext', 'jupyter_mlops')"
    assert not modules_after(code, tmp_path) & HEAVY


@pytest.mark.parametrize(
    "name", ["domain.run", "domain.step", "domain.brief", "capture.session.events", "tracking", "verbs"]
)
def test_what_only_a_step_or_a_verb_needs_is_left_to_it(tmp_path: Path, name: str) -> None:
    code = f"{SHELL}import sys, threading\nthreading.Thread.start = lambda self: None\n"
    code += f"shell.run_line_magic('load_ext', 'jupyter_mlops')\nassert 'jupyter_mlops.{name}' not in sys.modules"
    assert not modules_after(code, tmp_path) & {"difflib", "fractions", "zoneinfo"}


def test_warming_up_never_imports_mlflow_papermill_pandas_or_sklearn(tmp_path: Path) -> None:
    code = f"{SHELL}import threading, time\nshell.run_line_magic('load_ext', 'jupyter_mlops')\n"
    code += "[thread.join(30) for thread in threading.enumerate() if thread.name.startswith('jupyter-mlops')]"
    loaded = modules_after(code, tmp_path)
    assert "sqlalchemy" in loaded, "the thread has run"
    assert not loaded & {"mlflow", "papermill", "pandas", "sklearn", "numpy", "matplotlib", "alembic"}


@pytest.mark.parametrize("verb", ["status", "steps", "runs"])
def test_a_listing_imports_none_of_mlflow_papermill_pandas_sklearn(tmp_path: Path, verb: str) -> None:
    (tmp_path / "nb.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (tmp_path / ".mlops").mkdir()
    code = f"from jupyter_mlops.cli.main import main\nassert main(['{verb}']) == 0"
    assert not modules_after(code, tmp_path) & {"mlflow", "papermill", "pandas", "sklearn", "alembic", "nbformat"}


@pytest.mark.parametrize("command", ["params nb.ipynb", "run nb.ipynb -p rate 7", "submit nb.ipynb -p rate 7"])
def test_what_does_not_fit_is_refused_before_all_that_executes_is_loaded(tmp_path: Path, command: str) -> None:
    source = "from typing import Annotated\nfrom pydantic import Field\nrate: Annotated[float, Field(le=1)] = 0.1"
    cell = {"cell_type": "code", "id": "a", "source": source, "outputs": [], "execution_count": None}
    cell["metadata"] = {"tags": ["parameters"]}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "nb.ipynb").write_text(json.dumps(notebook))
    expected = 0 if command.startswith("params") else 2
    code = f"from jupyter_mlops.cli.main import main\nassert main({command.split()}) == {expected}"
    loaded = modules_after(code, tmp_path)
    assert not loaded & (HEAVY - {"rich"} | {"psutil", "IPython", "jupyter_client"})
    assert ("pydantic" in loaded) == bool(expected), "the value was checked"


def test_what_a_job_needs_before_its_kernel_starts_is_light(tmp_path: Path) -> None:
    """nbclient and nbformat (with jsonschema's grammars, seconds) are imported while the kernel starts."""
    assert not modules_after("import jupyter_mlops.jobs.running.job", tmp_path) & {"nbclient", "nbformat", "papermill"}


@pytest.mark.slow
def test_loading_the_extension_takes_less_than_150_ms(tmp_path: Path) -> None:
    """The median of fresh processes: what `%load_ext` takes in a shell that is up."""
    tests = str(Path(__file__).parent)
    code = f"""{SHELL}
import os, sys
sys.path.append({tests!r})
from machine import Stopwatch, wait_for_quiet
wait_for_quiet(3)
with Stopwatch(os.getpid()) as watch:
    shell.run_line_magic("load_ext", "jupyter_mlops")
print((watch.processor if watch.busy else watch.wall) * 1000)
"""
    taken = []
    for _ in range(7):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        )
        taken.append(float(done.stdout.splitlines()[-1]))
    assert statistics.median(taken) < LOAD_MILLISECONDS, taken

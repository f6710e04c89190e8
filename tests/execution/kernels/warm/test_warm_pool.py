"""Which plans get a warm kernel, and how many processes that fork them there are."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.domain.status import Status
from jupyter_mlops.execution.kernels.warm import fitness
from jupyter_mlops.execution.kernels.warm.imports import imports_of
from jupyter_mlops.execution.kernels.warm.pool import Pool

from .played import notebook_of, play

pytestmark = pytest.mark.kernel


def kind_of(cells: list[str], folder: Path, pool: Pool | None, **options: Any) -> tuple[str, str]:
    notebook = notebook_of(cells)
    notebook.metadata.update(options.pop("metadata", {}))
    _, _, told = play(notebook, folder, pool, **options)
    return told.kind, told.why


def test_a_notebook_may_ask_for_an_ordinary_kernel(tmp_path: Path, pool: Pool) -> None:
    kind, why = kind_of(["x = 1"], tmp_path, pool, metadata={"jupyter_mlops": {"kernel": "ordinary"}})
    assert kind == "ordinary"
    assert "metadata" in why
    assert kind_of(["x = 1"], tmp_path, pool, mode="ordinary") == ("ordinary", "it was requested")


def test_without_a_pool_or_with_another_python_the_kernel_is_ordinary(tmp_path: Path, pool: Pool) -> None:
    assert kind_of(["x = 1"], tmp_path, None)[0] == "ordinary"
    assert "does not use this Python" in kind_of(["x = 1"], tmp_path, pool, same_python=False)[1]


def test_where_processes_are_not_forked_the_kernel_is_ordinary(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = type("P", (), {"notebook": {}, "same_python": True, "kernel_name": "python3"})()
    monkeypatch.setattr(fitness.sys, "platform", "darwin")
    assert "darwin" in fitness.unfit(plan)


def test_a_kernel_started_by_a_command_of_its_own_is_ordinary(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "data" / "kernels" / "wrapped"
    spec.mkdir(parents=True)
    argv = ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}", "--quiet"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "W", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    kind, why = kind_of(["x = 1"], tmp_path, pool, kernel_name="wrapped")
    assert kind == "ordinary"
    assert "its own command" in why


def test_a_file_that_hides_a_module_makes_the_kernel_ordinary(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "pytz.py").write_text("mine = 1")
    (tmp_path / "joblib.py").write_text("mine = 1")
    kind, why = kind_of(["import sklearn"], tmp_path, pool)
    assert kind == "ordinary"
    assert "joblib" in why


def test_modules_of_the_project_are_not_loaded_ahead(tmp_path: Path, pool: Pool) -> None:
    (tmp_path / "mine.py").write_text("import os\nprint('loading', os.getpid())")
    executed, _, told = play(notebook_of(["import os, mine\nos.getpid()"]), tmp_path, pool)
    assert told.kind == "warm"
    assert executed.cells[0].outputs[0].text.split()[1] == executed.cells[0].outputs[1].data["text/plain"]


def module_in_site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> Path:
    """A package installed in a folder that counts as one of packages."""
    import sysconfig

    path = Path(sysconfig.get_paths()["purelib"]) / f"{name}.py"
    monkeypatch.delitem(os.environ, "NONE", raising=False)
    path.write_text(source)
    return path


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("print('hello')", "writes or warns"),
        ("import warnings\nwarnings.warn('old')", "writes or warns"),
        ("import os\nos.system('echo below')", "writes or warns"),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(999,), daemon=True).start()", "threads"),
        ("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)", "signals"),
        ("raise RuntimeError", "RuntimeError"),
    ],
)
def test_a_package_whose_import_does_more_is_left_to_the_notebook(
    source: str, why: str, tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"mlops_test_{abs(hash(source)) % 10**8}_{os.getpid()}"
    path = module_in_site_packages(tmp_path, monkeypatch, name, source)
    try:
        kind, told = kind_of([f"import {name}"], tmp_path, pool)
        assert kind == "warm"
        assert name in told
        assert why in told
    finally:
        path.unlink()


def test_a_package_that_changes_is_loaded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"mlops_test_changing_{os.getpid()}"
    path = module_in_site_packages(tmp_path, monkeypatch, name, "value = 1")
    monkeypatch.setattr("jupyter_mlops.execution.kernels.warm.parent.LOOK_SECONDS", 0.0)
    try:
        with Pool() as pool:
            cell = f"import {name}\n{name}.value"
            values = []
            for value in (1, 22):
                path.write_text(f"value = {value}")
                executed, _, told = play(notebook_of([cell]), tmp_path, pool)
                values.append((told.kind, executed.cells[0].outputs[0].data["text/plain"]))
        assert values == [("warm", "1"), ("warm", "22")]
    finally:
        path.unlink()


def test_one_process_serves_notebooks_with_fewer_imports_and_few_are_kept(tmp_path: Path) -> None:
    with Pool(most=2) as pool:
        kind_of(["import cloudpickle, cronsim"], tmp_path, pool)
        kind_of(["import cronsim"], tmp_path, pool)
        kind_of(["x = 1"], tmp_path, pool)
        assert len(pool._parents) == 1
        for name in ("xxhash", "threadpoolctl", "this_is_none"):
            kind_of([f"import {name}"], tmp_path, pool)
        assert len(pool._parents) == 2
        pids = [parent.pid for parent in pool._parents]
    time.sleep(0.1)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    with pytest.raises(fitness.NotWarm):
        pool.ready(fitness.Wish((), "", {}, ()))


def test_imports_are_found_in_order_up_to_what_may_change_them() -> None:
    def found(*cells: str) -> list[str]:
        return imports_of({"cells": [{"cell_type": "code", "source": cell} for cell in cells]})

    assert found("import a, b.c as d\nfrom e import f, g") == ["a", "b.c", "e:f", "e:g"]
    assert found("%%time\nimport a", "%%bash\nimport b", "!pip list", "import c") == ["a"]
    assert found("import a\nimport os\nos.environ['X'] = '1'\nimport b", "import c") == ["a", "os"]
    assert found("import os\nos.environ['X'] == '1'\nimport b") == ["os", "b"]
    assert found("import sys\nsys.path.insert(0, 'src')", "import mine") == ["sys"]
    assert found("def f():\n    import late\ntry:\n    import a\nexcept ImportError:\n    a = None") == ["a"]
    assert found("this is no python", "import a") == ["a"]
    assert found("from . import x\nfrom a import *") == ["a"]
    assert found("%matplotlib inline\nimport a", "%env X=1", "import b") == ["a"]


def test_libraries_that_do_not_outlive_a_fork_are_named() -> None:
    assert {"tensorflow", "jax", "grpc", "ray"} <= fitness.NEVER


def test_folders_of_packages_that_change_all_the_time_hold_nothing_up(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.count()
    monkeypatch.setattr("jupyter_mlops.execution.kernels.warm.pool._packages", lambda: ((str(tmp_path), next(times)),))
    _, outcome, told = play(notebook_of(["1"]), tmp_path, pool)
    assert (told.kind, outcome.status) == ("warm", Status.COMPLETED)

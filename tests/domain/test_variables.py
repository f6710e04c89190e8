"""What a job's kernel is told by environment variables."""

from __future__ import annotations

import re
from pathlib import Path

import jupyter_mlops
from jupyter_mlops.domain.variables import OF_KERNELS, KernelTask


def test_a_kernel_reads_what_it_was_told() -> None:
    task = KernelTask("run", "/project", "a/nb.ipynb", True, ("train",), ("one", "two"), True, True)
    told = task.to_environment()
    assert KernelTask.of_environment({"PATH": "/bin", **told}) == task
    assert told.keys() == set(OF_KERNELS)


def test_where_nothing_is_told_no_variable_is_set() -> None:
    assert KernelTask().to_environment() == {}
    assert KernelTask.of_environment({}) == KernelTask()


def test_each_variable_has_its_name_in_one_file_alone() -> None:
    package = Path(jupyter_mlops.__file__).parent
    named = re.compile(r"""^[^#]*["']MLOPS_[A-Z_]+["']""", re.MULTILINE)
    found = [path.name for path in package.rglob("*.py") if named.search(path.read_text(encoding="utf-8"))]
    assert found == ["variables.py"]

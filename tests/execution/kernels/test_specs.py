"""Kernel specs are those that jupyter_client finds, mostly without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.execution.kernels.specs import find_kernel


def installed(folder: Path, name: str, **told: Any) -> Path:
    spec = folder / "kernels" / name
    spec.mkdir(parents=True)
    content = {"argv": ["python", "-m", name], "display_name": name, "language": "python"} | told
    (spec / "kernel.json").write_text(json.dumps(content))
    return spec


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Jupyter's that is looked into first, and another after it."""
    monkeypatch.setenv("JUPYTER_PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    return tmp_path


def test_all_that_are_installed_are_what_jupyter_client_says(data: Path) -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    installed(data / "second", "julia-1.9", language="julia", env={"A": "1"}, interrupt_mode="message")
    specs = KernelSpecManager()
    found = specs.find_kernel_specs()
    assert {"python3", "julia-1.9"} <= found.keys()
    for name in found:
        theirs, ours = specs.get_kernel_spec(name), find_kernel(name)
        told = (list(ours.argv), ours.language, ours.env, ours.resource_dir)
        assert told == (theirs.argv, theirs.language, theirs.env, theirs.resource_dir)


def test_the_folder_that_is_looked_into_first_wins_whatever_the_case(data: Path) -> None:
    installed(data / "second", "mine", language="second")
    assert find_kernel("mine").language == "second"
    installed(data / "first", "MINE", language="first")
    assert find_kernel("mine").language == find_kernel("Mine").language == "first"


def test_a_folder_without_a_spec_is_passed_by(data: Path) -> None:
    (data / "first" / "kernels" / "mine").mkdir(parents=True)
    installed(data / "second", "mine", language="second")
    assert find_kernel("mine").language == "second"


def test_python_is_the_kernel_of_this_python() -> None:
    assert find_kernel("python") == find_kernel("python3")
    assert find_kernel("python").argv[1:3] == ("-m", "ipykernel_launcher")


def test_a_provisioner_that_is_not_there_makes_a_kernel_unknown_as_jupyter_has_it(data: Path) -> None:
    installed(data / "first", "far", metadata={"kernel_provisioner": {"provisioner_name": "far-provisioner"}})
    with pytest.raises(UnknownNameError, match="far"):
        find_kernel("far")


def test_an_unknown_name_is_told_with_those_there_are(data: Path) -> None:
    installed(data / "first", "mine")
    with pytest.raises(UnknownNameError) as caught:
        find_kernel("mime")
    assert "mine" in f"{caught.value.message} {caught.value.hint}"


def test_the_check_of_parameters_needs_no_jupyter_client(tmp_path: Path) -> None:
    notebook = tmp_path / "n.ipynb"
    cell = {
        "id": "a", "cell_type": "code", "source": "n: int = 1", "metadata": {"tags": ["parameters"]},
        "outputs": [], "execution_count": None,
    }  # fmt: skip
    notebook.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}))
    code = (
        "import sys\nfrom pathlib import Path\nfrom jupyter_mlops.jobs.queue.request import check_request\n"
        f"print(check_request(Path({str(notebook)!r}), {{'n': 7}}).arguments, 'jupyter_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "{'n': 7} False"

"""What the demo says at its end: where everything is, and how to open it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.operations.project.demo import Demo
from jupyter_mlops.operations.runs.compare import Comparison, StepPair, StepSide
from jupyter_mlops.verbs.framework.verb import CLI, Context
from jupyter_mlops.verbs.project.demo import _data, _show


def demo_in(folder: Path, *, tracked: bool = True) -> Demo:
    runs = [
        Run(
            id=str(number),
            number=number,
            kind="job",
            notebook="breast_cancer.ipynb",
            status=Status.COMPLETED,
            output_path=f"runs/breast_cancer-{number}.ipynb",
        )
        for number in (1, 2)
    ]
    computed = StepSide(Status.COMPLETED, 1, 0.03, "it had not run before")
    reused = StepSide(Status.REUSED, 1, 0.01, "nothing it depends on changed")
    comparison = Comparison(*runs, (), (), (StepPair("load", computed, reused, True),))
    return Demo(folder, folder / "breast_cancer.ipynb", True, comparison, tracked)


def shown(demo: Demo, start: Path) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(_show(demo, Context(CLI, start, console)))
    return console.export_text()


def test_it_names_notebooks_store_and_the_command_for_mlflows_pages(tmp_path: Path) -> None:
    text = shown(demo_in(tmp_path / "my demo"), tmp_path)
    assert "my demo/runs/breast_cancer-2.ipynb" in text
    assert "my demo/.mlops" in text
    uri = f"sqlite:///{tmp_path}/my demo/.mlops/mlflow.db"
    assert f"mlflow ui --backend-store-uri '{uri}' --workers 1" in text
    assert "cd 'my demo' && jupyter lab breast_cancer.ipynb" in text
    assert "make lab" not in text
    assert ["load", "executed", "30", "ms", "reused", "10", "ms"] in [line.split() for line in text.splitlines()]


def test_in_a_source_checkout_make_lab_opens_it(tmp_path: Path) -> None:
    (tmp_path / "labextension").mkdir()
    (tmp_path / "labextension" / "package.json").write_text("{}")
    assert "make lab" in shown(demo_in(tmp_path / "demo"), tmp_path)
    assert "make lab" not in shown(demo_in(tmp_path / "other"), tmp_path)


@pytest.mark.parametrize(("tracked", "said"), [(True, False), (False, True)])
def test_it_says_so_where_mlflow_has_not_everything_yet(tmp_path: Path, tracked: bool, said: bool) -> None:
    assert ("still being written" in shown(demo_in(tmp_path, tracked=tracked), tmp_path)) is said


def test_other_programs_get_the_comparison(tmp_path: Path) -> None:
    wire = to_wire(_data(demo_in(tmp_path)))
    assert wire["tracking_uri"] == f"sqlite:///{tmp_path}/.mlops/mlflow.db"
    assert wire["comparison"]["steps"][0]["b"]["status"] == "reused"

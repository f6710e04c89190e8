"""The demo: two runs of the template's notebook, the second of which must reuse what is upstream of its change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, RunError
from jupyter_mlops.jobs.running.events import OnEvent, RunEvent
from jupyter_mlops.operations.project.demo import check_reuse, prepare_demo, run_demo
from jupyter_mlops.operations.runs.compare import Comparison, StepPair, StepSide


@pytest.mark.kernel
def test_the_second_run_reuses_what_does_not_depend_on_the_change(tmp_path: Path) -> None:
    watched: list[tuple[Mapping[str, Any], list[RunEvent]]] = []

    @contextmanager
    def watch(parameters: Mapping[str, Any]) -> Iterator[OnEvent]:
        watched.append((parameters, []))
        yield watched[-1][1].append

    notebook, made = prepare_demo(tmp_path / "demo")
    source = notebook.read_bytes()
    demo = run_demo(notebook, made=made, watch=watch)

    first, second = demo.runs
    assert (first.status, second.status) == (Status.COMPLETED, Status.COMPLETED)
    assert (first.steps_reused, second.steps_executed, second.steps_reused) == (0, 3, 5), (
        "3: max_depth and what reads it"
    )
    reused = {pair.name for pair in demo.comparison.steps if pair.b is not None and pair.b.reused}
    assert {"load", "clean", "split"} == {name for name in reused if "@" not in name}
    assert {"train", "evaluate"} <= {pair.name for pair in demo.comparison.steps} - reused
    assert [pair.name for pair in demo.comparison.parameters if pair.differs] == ["max_depth"]
    assert {metric.name for metric in demo.comparison.metrics} >= {"auc", "accuracy", "cv_auc"}
    assert demo.tracked
    assert [parameters for parameters, _ in watched] == [{}, {"max_depth": 1}]
    assert all(events for _, events in watched)
    assert notebook.read_bytes() == source
    for run in demo.runs:
        assert json.loads((demo.folder / str(run.output_path)).read_text())["cells"]
    assert prepare_demo(tmp_path / "demo") == (notebook, False)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "breast_cancer.ipynb").write_text("{}")
    with pytest.raises(InputError, match="not empty"):
        prepare_demo(tmp_path)


def comparison(statuses: dict[str, Status]) -> Comparison:
    run = Run(id="a", number=1, kind="job", notebook="nb.ipynb", status=Status.COMPLETED)
    sides = {name: StepSide(status, 1, 0.1, Reason(ReasonCode.NO_CACHE)) for name, status in statuses.items()}
    return Comparison(run, run, (), (), tuple(StepPair(name, side, side, True) for name, side in sides.items()))


def test_an_upstream_step_that_was_computed_again_is_an_error_with_its_reason() -> None:
    with pytest.raises(RunError, match=r"computed step 'clean' again \(it is marked --no-cache\)") as caught:
        check_reuse(comparison({"load": Status.REUSED, "clean": Status.COMPLETED, "split": Status.REUSED}))
    assert "jupyter mlops why clean" in caught.value.hint


def test_an_upstream_step_that_is_gone_is_an_error() -> None:
    with pytest.raises(RunError, match="has no step 'split'"):
        check_reuse(comparison({"load": Status.REUSED, "clean": Status.REUSED}))

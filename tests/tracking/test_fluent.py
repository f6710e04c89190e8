"""What a cell does with mlflow while a step runs. Each test is a process of its own, as MLflow's state is the process's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run as MLflowRun
from tracked_project import TrackedProject

from jupyter_mlops import tracking
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.tracking.attachment import _TrackingVariable

KERNEL = """
import json, sys, traceback, warnings
from pathlib import Path
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store
from jupyter_mlops.tracking.fluent import StepRuns

root, cells = Path(sys.argv[1]), json.loads(sys.argv[2])
store = open_store(root)
steps, space, told = StepRuns(root), {}, {"errors": [], "warnings": []}
for step_run_id, code in cells:
    step_run = store.steps.run(step_run_id) if step_run_id else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if step_run:
            steps.before(step_run)
        try:
            exec(code, space)
        except Exception:
            told["errors"].append(traceback.format_exc())
        if step_run:
            steps.after(step_run)
            now = store.now()
            store.steps.update_run(step_run.id, told_at=now, status=Status.COMPLETED, ended_at=now)
    told["warnings"] += [str(one.message) for one in caught if "jupyter-mlops" in str(one.message)]
told["modules"] = [name for name in ("mlflow", "pandas", "sklearn") if name in sys.modules]
told["said"] = space.get("said")
print(json.dumps(told, default=str))
"""


class Cells:
    """Runs cells one after the other in a process; those with a name are steps of one Run."""

    def __init__(self, project: TrackedProject) -> None:
        self.project = project
        self.run: Run = project.run(kind="session")
        self.steps: list[StepRun] = []

    def execute(self, *cells: tuple[str, str], environment: dict[str, str] | None = None) -> dict[str, Any]:
        """`cells` are (step's name or "", code). Returns what the process tells."""
        given = []
        for name, code in cells:
            if name:
                self.steps.append(self.project.begin(self.run, name))
            given.append((self.steps[-1].id if name else "", textwrap.dedent(code)))
        done = subprocess.run(
            [sys.executable, "-c", KERNEL, str(self.project.root), json.dumps(given)],
            capture_output=True,
            text=True,
            cwd=self.project.root,
            env={**os.environ, "PYTHONPATH": str(Path(tracking.__file__).parents[2]), **(environment or {})},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    def of(self, number: int, uri: str | None = None) -> MLflowRun:
        """The MLflow run of the step."""
        return self.project.mlflow_run(self.steps[number], uri)


@pytest.fixture
def cells(project: TrackedProject) -> Cells:
    return Cells(project)


def test_a_step_without_mlflow_imports_nothing_and_makes_nothing(cells: Cells) -> None:
    told = cells.execute(("load", "x = 1"), ("clean", "x += 1"))
    assert (told["errors"], told["warnings"], told["modules"]) == ([], [], [])


def test_a_step_that_only_has_mlflow_imported_makes_no_run_in_the_kernel(cells: Cells) -> None:
    told = cells.execute(("", "import mlflow"), ("load", "x = 1"))
    assert told["errors"] == []
    assert cells.project.store.outbox.size() > 0  # no writer was woken
    assert cells.project.all_of(cells.steps[0]) == []


def test_what_a_step_logs_lands_in_its_run_also_when_mlflow_is_imported_in_it(cells: Cells) -> None:
    told = cells.execute(
        ("train", "import mlflow\nmlflow.log_metric('loss', 0.5)\nmlflow.log_param('rate', 1)"),
        ("evaluate", "mlflow.log_metric('auc', 0.9)\nmlflow.set_tag('who', 'me')"),
        ("evaluate", "mlflow.log_metric('auc', 0.8)"),
        ("", "said = [mlflow.active_run(), mlflow.last_active_run().info.run_id, mlflow.search_runs().shape[0] > 3]"),
    )
    assert told["errors"] == []
    cells.project.deliver()
    parent = cells.project.mlflow_run(cells.run)
    train, first, second = (cells.of(number) for number in range(3))
    assert (train.data.metrics, train.data.params) == ({"loss": 0.5}, {"rate": "1"})
    assert (first.data.metrics, second.data.metrics) == ({"auc": 0.9}, {"auc": 0.8})
    assert first.data.tags["who"] == "me"
    assert [run.info.status for run in (train, first, second)] == ["FINISHED"] * 3
    assert len(cells.project.children(parent)) == 3
    assert parent.data.metrics == {"loss": 0.5, "auc": 0.8}
    assert told["said"] == [None, second.info.run_id, True]


def test_start_run_in_a_step_makes_children_and_never_says_already_active(cells: Cells) -> None:
    code = """
        import mlflow
        from mlflow import start_run
        for name in ("a", "b"):
            with start_run(run_name=name):
                mlflow.log_metric("score", 1)
        mlflow.log_metric("own", 2)
        mlflow.start_run(run_name="left")
        mlflow.log_metric("score", 3)
        said = mlflow.active_run().info.run_id
    """
    told = cells.execute(("sweep", code), ("sweep", code))
    assert told["errors"] == []
    for number in (0, 1):
        step = cells.of(number)
        children = {run.info.run_name: run for run in cells.project.children(step)}
        assert step.data.metrics == {"own": 2.0}
        assert children["left"].data.metrics == {"score": 3.0}
        assert {name: run.info.status for name, run in children.items()} == dict.fromkeys("ab", "FINISHED") | {
            "left": "FINISHED"
        }
        assert {run.data.tags["mlflow.source.name"] for run in children.values()} == {"notebooks/churn.ipynb"}


def test_a_run_id_is_respected(cells: Cells) -> None:
    told = cells.execute(
        ("", "import mlflow"),
        ("first", "run = mlflow.start_run(run_name='mine')\nmlflow.end_run()\nmlflow.log_metric('own', 1)"),
        (
            "second",
            "with mlflow.start_run(run_id=run.info.run_id): mlflow.log_metric('later', 1)\nsaid = run.info.run_id",
        ),
    )
    assert told["errors"] == []
    assert cells.project.client.get_run(told["said"]).data.metrics == {"later": 1.0}
    assert cells.of(1).data.metrics == {}


def test_a_cell_that_ends_all_runs_first_still_logs_below_its_step(cells: Cells) -> None:
    told = cells.execute(
        (
            "train",
            """
            import mlflow
            while mlflow.active_run():
                mlflow.end_run()
            with mlflow.start_run(run_name="inner"):
                mlflow.log_metric("loss", 1)
            """,
        )
    )
    assert told["errors"] == []
    (inner,) = cells.project.children(cells.of(0))
    assert (inner.info.run_name, inner.data.metrics) == ("inner", {"loss": 1.0})


def test_a_run_made_in_a_thread_belongs_to_the_step(cells: Cells) -> None:
    told = cells.execute(
        (
            "train",
            """
            import mlflow, threading
            thread = threading.Thread(target=lambda: mlflow.log_metric("loss", 1))
            thread.start(); thread.join()
            """,
        )
    )
    assert told["errors"] == []
    (child,) = cells.project.children(cells.of(0))
    assert child.data.metrics == {"loss": 1.0}


def test_autolog_lands_in_the_steps_run(cells: Cells) -> None:
    told = cells.execute(
        ("", "import mlflow\nmlflow.sklearn.autolog(log_models=False, silent=True)"),
        (
            "train",
            """
            from sklearn.datasets import load_iris
            from sklearn.tree import DecisionTreeClassifier
            DecisionTreeClassifier(max_depth=2).fit(*load_iris(return_X_y=True))
            """,
        ),
    )
    assert told["errors"] == []
    step = cells.of(0)
    assert step.data.params["max_depth"] == "2"
    assert step.data.metrics["training_accuracy_score"] > 0.9
    assert cells.project.children(step) == []


def test_a_run_that_was_active_before_the_step_is_active_after_it(cells: Cells) -> None:
    told = cells.execute(
        ("", "import mlflow\nmlflow.set_tracking_uri('sqlite:///mine.db')\nouter = mlflow.start_run()"),
        ("train", "mlflow.log_metric('loss', 1)"),
        ("", "said = [mlflow.active_run().info.run_id == outer.info.run_id]\nmlflow.end_run()"),
    )
    assert told["errors"] == []
    assert told["said"] == [True]


def test_a_tracking_uri_set_in_the_step_is_used_and_remembered(cells: Cells) -> None:
    uri = f"sqlite:///{cells.project.root}/elsewhere.db"
    told = cells.execute(
        ("train", f"import mlflow\nmlflow.set_tracking_uri({uri!r})\nmlflow.log_metric('loss', 1)"),
        ("evaluate", "mlflow.log_metric('auc', 1)"),
    )
    assert told["errors"] == []
    assert cells.project.store.runs.get(cells.run.id).tracked_at.uri == uri
    cells.project.finish(cells.run)
    cells.project.deliver()
    assert [cells.of(number, uri).info.status for number in (0, 1)] == ["FINISHED"] * 2
    parent = cells.project.mlflow_run(cells.run, uri)
    assert (parent.info.status, parent.data.metrics) == ("FINISHED", {"loss": 1.0, "auc": 1.0})


def test_a_tracking_uri_of_the_environment_is_used_and_remembered(cells: Cells) -> None:
    uri = f"sqlite:///{cells.project.root}/environment.db"
    told = cells.execute(
        ("train", "import mlflow\nmlflow.log_metric('loss', 1)"), environment={"MLFLOW_TRACKING_URI": uri}
    )
    assert told["errors"] == []
    assert cells.of(0, uri).data.metrics == {"loss": 1.0}
    assert cells.project.store.runs.get(cells.run.id).tracked_at.uri == uri


def test_a_session_goes_to_the_experiment_of_its_environment(other_project: TrackedProject) -> None:
    cells = Cells(other_project)  # no writer is about that would tell of the run before its first step
    told = cells.execute(("load", "x = 1"), environment={"MLFLOW_EXPERIMENT_NAME": "forecasts"})
    assert told["errors"] == []
    cells.project.deliver()
    for found in (cells.project.mlflow_run(cells.run), cells.of(0)):
        assert cells.project.client.get_experiment(found.info.experiment_id).name == "forecasts"


def test_the_users_experiment_is_left_alone(cells: Cells) -> None:
    told = cells.execute(
        ("train", "import mlflow\nmlflow.set_experiment('ours')\nwith mlflow.start_run(): mlflow.log_metric('a', 1)"),
        ("", "import os; said = [mlflow.get_experiment(os.environ['MLFLOW_EXPERIMENT_ID']).name]"),
    )
    assert (told["errors"], told["said"]) == ([], ["ours"])


def test_a_dead_server_is_warned_of_and_holds_up_no_step(other_project: TrackedProject) -> None:
    cells = Cells(other_project)  # its messages stay, so not in the project that other tests wait for
    told = cells.execute(
        (
            "train",
            """
            import mlflow, time
            began = time.monotonic()
            active = mlflow.active_run()
            said = [active, time.monotonic() - began]
            """,
        ),
        environment={"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
    )
    assert told["errors"] == []
    assert told["said"][0] is None
    assert told["said"][1] < 5
    assert len(told["warnings"]) == 1
    assert "does not answer" in told["warnings"][0]


def test_kernel_and_writer_at_once_make_one_run(cells: Cells) -> None:
    tracking.wake(cells.project.root)
    told = cells.execute(*[("train", "import mlflow\nmlflow.log_metric('loss', 1)")] * 5)
    assert told["errors"] == []
    cells.project.deliver()
    assert len(cells.project.children(cells.project.mlflow_run(cells.run))) == 5
    assert all(cells.of(number).data.metrics == {"loss": 1.0} for number in range(5))


@pytest.mark.parametrize("before", [None, ""])
def test_a_tracking_uri_that_is_empty_counts_as_unset_and_is_so_again_afterwards(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    own = "sqlite:////of/the/project.db"
    monkeypatch.setattr(mlflow, "is_tracking_uri_set", lambda: False)
    monkeypatch.setattr(mlflow, "set_tracking_uri", lambda _uri: None)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: own)
    if before is None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before)
    variable = _TrackingVariable(own)
    variable.set()
    assert os.environ["MLFLOW_TRACKING_URI"] == own
    variable.restore()
    assert os.environ.get("MLFLOW_TRACKING_URI") == before

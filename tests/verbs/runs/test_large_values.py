"""What verbs show of megabytes that an earlier build recorded: little, and how much they leave out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.domain.brief import IN_LIST
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store
from jupyter_mlops.store.db.schema import runs, step_runs
from verbs.projects import CELLS, NOON, add_run, add_step, data_of, text_of, write_notebook

TEXT = "abcd efgh\n" * 400_000
METRICS = {f"metric_{place:05}": place / 7 for place in range(5000)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of `nb.ipynb`, whose parameters, metrics, errors and reasons are as large as they were allowed to be."""
    folder = tmp_path_factory.mktemp("large")
    write_notebook(folder / "nb.ipynb")
    with open_store(folder) as store:
        for kind in ("job", "session"):
            given = {"rate": 0.5, "text": TEXT, "depth": 3}
            values = {"parameters": given, "options": RunOptions(given=given), "metrics": METRICS, "ended_at": NOON}
            run = add_run(store, kind=kind, status=Status.FAILED, **values)
            error = {"cause": "cell_error", "message": TEXT, "ename": "E", "evalue": TEXT, "cell_index": 1}
            with store.index.write() as connection:
                connection.execute(runs.update().where(runs.c.id == run.id).values(error=error))
            for name, code in CELLS.items():
                step = add_step(
                    store,
                    run,
                    name,
                    code.partition("\n")[2],
                    status=Status.FAILED if name == "train" else Status.COMPLETED,
                    metrics=METRICS,
                    why=Reason(ReasonCode.TOLD, TEXT),
                    unrepeatable=Reasons.of([Reason(ReasonCode.UNTOLD_VALUE, "x", TEXT)]),
                )
                if name == "train":
                    with store.index.write() as connection:
                        of_it = step_runs.c.id == step.id
                        connection.execute(step_runs.update().where(of_it).values(error=TEXT.replace("\n", " ")))
    return folder


LINES = (
    "runs",
    "runs --notebook nb.ipynb",
    "jobs list",
    "jobs show 1",
    "log train",
    "status nb.ipynb",
    "status nb.ipynb --all",
    "steps",
    "plan --notebook nb.ipynb",
    "why train --notebook nb.ipynb",
    "graph --notebook nb.ipynb",
    "runs compare 1 2",
)


@pytest.mark.parametrize("line", LINES)
def test_a_verb_shows_little_of_megabytes(project: Path, line: str) -> None:
    assert len(text_of(project, line)) < (200_000 if line == "jobs show 1" else 60_000)


@pytest.mark.parametrize("line", ["runs", "jobs list", "log train", "status nb.ipynb", "steps", "plan", "why train"])
def test_as_json_a_list_is_short_too(project: Path, line: str) -> None:
    assert len(json.dumps(data_of(project, line))) < 60_000


def test_runs_say_what_they_leave_out(project: Path) -> None:
    text = " ".join(text_of(project, "runs").split())
    assert "(+4,980)" in text
    assert "depth=3" in text
    left = data_of(project, "runs")[0]["left_out"]
    assert left["metrics"] == {"items": 4900, "unread": 0, "texts": {}}
    assert left["parameters"]["texts"]["text"] >= len(TEXT)
    assert left["error"]["texts"] == {"message": len(json.dumps(TEXT)) - 2, "evalue": len(json.dumps(TEXT)) - 2}


def test_a_jobs_own_record_is_whole_as_json(project: Path) -> None:
    run = data_of(project, "jobs show 1")["run"]
    assert run["parameters"]["text"] == run["error"]["message"] == TEXT
    assert (run["metrics"], run["left_out"]) == (METRICS, {})
    assert "(+4,980)" in text_of(project, "jobs show 1")


def test_a_log_says_what_it_leaves_out(project: Path) -> None:
    assert f"({len(TEXT):,} characters)" in " ".join(text_of(project, "log train").split())
    left = data_of(project, "log train")["runs"][0]["left_out"]
    assert left["error"]["texts"] == {"error": len(TEXT)}
    assert left["metrics"]["items"] == 4900


def test_a_status_says_how_many_metrics_it_leaves_out(project: Path) -> None:
    load, train = data_of(project, "status nb.ipynb")["steps"]
    assert len(load["metrics"]) == IN_LIST.items
    assert load["left_out"]["metrics"]["items"] == 4900
    assert len(train["reason"]) < 600
    assert train["reason"].endswith("…")


def test_a_reasons_words_say_how_long_what_they_quote_is(project: Path) -> None:
    assert f"({len(TEXT):,} characters)" in " ".join(text_of(project, "steps").split())
    assert f"({len(TEXT):,} characters)" in data_of(project, "steps")[0]["unrepeatable"]

"""`%mlops VERB` in a kernel: what each listing shows, and its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernels import LiveKernel

pytestmark = pytest.mark.kernel

SOURCES = {
    "p": "rate = 0.5  # learning rate",
    "load": "%%step load\nnumbers = [1, 2, 3]",
    "train": "%%step train --metrics score\nscore = sum(numbers) * rate",
    "report": "%%step report\nimport datetime\nat = datetime.datetime.now()",
    "never": "%%step never\nx = 1",
}


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel], tmp_path_factory: pytest.TempPathFactory) -> LiveKernel:
    """A kernel of a saved notebook whose steps have run: `train` in two versions, then reused; `never` never."""
    folder = tmp_path_factory.mktemp("line")
    write_notebook(folder / "nb.ipynb")
    kernel = start_kernel(folder, JPY_SESSION_NAME=str(folder / "nb.ipynb"))
    kernel.run(SOURCES["p"], cell_id="p", tags=["parameters"])
    kernel.run(SOURCES["load"], cell_id="load")
    kernel.run("%%step train\nscore = 0", cell_id="train")
    for cell in ("train", "train", "report"):
        kernel.run(SOURCES[cell], cell_id=cell)
    return kernel


def write_notebook(path: Path, **changed: str) -> None:
    cells = [
        {
            "cell_type": "code",
            "id": name,
            "source": changed.get(name, source),
            "metadata": {"tags": ["parameters"]} if name == "p" else {},
            "outputs": [],
            "execution_count": None,
        }
        for name, source in SOURCES.items()
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def shown(kernel: LiveKernel, line: str) -> str:
    """What a line shows, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", kernel.run(f"%mlops {line}").text)


def rows(text: str) -> dict[str, str]:
    """The rows of a table by their first word; a line that begins with a space goes on with the row above."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += line
        else:
            lines.append(line)
    return {line.split()[0]: " ".join(line.split()) for line in lines if line.strip()}


def data_of(kernel: LiveKernel, line: str) -> Any:
    cell = kernel.run(f"%mlops {line} --json")
    assert [kind for kind, _ in cell.outputs] == ["stdout"]
    return json.loads(cell.text)


def test_status_shows_each_step_in_order_with_its_state_and_reason(kernel: LiveKernel) -> None:
    found = rows(shown(kernel, "status"))
    assert list(found) == ["step", "load", "train", "report", "never", "and"]
    assert "1 cell without a name" in found["and"]
    assert found["load"].startswith("load fresh v1")
    assert "fresh v2" in found["train"]
    assert "load" in found["train"].split()
    assert "reads the clock" in found["report"]
    assert "never run" in found["never"]


def test_status_tells_of_edits_that_are_saved(kernel: LiveKernel) -> None:
    path = kernel.folder / "nb.ipynb"
    write_notebook(path, load="%%step load\nnumbers = [1, 2, 4]")
    found = rows(shown(kernel, "status"))
    assert "stale" in found["load"]
    assert "its code changed" in found["load"]
    assert "stale" in found["train"]
    assert "its input 'numbers' changed (from step 'load')" in found["train"]
    write_notebook(path)
    assert "fresh" in rows(shown(kernel, "status"))["train"]


def test_status_as_json_is_the_pipeline(kernel: LiveKernel) -> None:
    data = data_of(kernel, "status")
    assert data["notebook"] == "nb.ipynb"
    assert [(step["name"], step["state"]) for step in data["steps"]] == [
        ("load", "fresh"),
        ("train", "fresh"),
        ("report", "fresh"),
        ("never", "never_run"),
    ]
    assert data["steps"][1]["metrics"] == {"score": 3.0}
    assert data["steps"][1]["reused"] is True
    assert data["steps"][1]["upstream"] == ["load"]
    assert [parameter["name"] for parameter in data["parameters"]] == ["rate"]


def test_steps_shows_what_was_recorded(kernel: LiveKernel) -> None:
    text = shown(kernel, "steps")
    assert all(name in text for name in ("load", "train", "report"))
    assert "never" not in text
    data = data_of(kernel, "steps")
    assert [(row["step"], row["version"], row["status"]) for row in data] == [
        ("load", 1, "completed"),
        ("train", 2, "reused"),
        ("report", 1, "completed"),
    ]


def test_log_shows_versions_and_runs_of_one_step(kernel: LiveKernel) -> None:
    text = shown(kernel, "log train")
    assert "v1" in text
    assert "v2" in text
    assert "reused" in text
    assert "score=3" in text
    data = data_of(kernel, "log train")
    assert [version["number"] for version in data["versions"]] == [1, 2]
    assert [run["status"] for run in data["runs"]] == ["reused", "completed", "completed"]
    assert len(data_of(kernel, "log train -n 1")["runs"]) == 1


def test_diff_shows_what_changed_between_two_versions(kernel: LiveKernel) -> None:
    assert "1 score = 0 1 score = sum(numbers) * rate" in " ".join(shown(kernel, "diff train 1 v2").split())
    lines = shown(kernel, "diff train 1 v2 --unified").splitlines()
    assert "-score = 0" in [line.strip() for line in lines]
    assert "+score = sum(numbers) * rate" in [line.strip() for line in lines]
    assert "same" in shown(kernel, "diff train 1 1")
    data = data_of(kernel, "diff train 1 2")
    assert (data["before"]["number"], data["after"]["number"]) == (1, 2)
    assert "+score = sum(numbers) * rate" in data["diff"]


def test_runs_shows_this_session_with_its_parameters_and_metrics(kernel: LiveKernel) -> None:
    text = shown(kernel, "runs")
    assert "#1" in text
    assert "running" in text
    assert "nb.ipynb" in text
    (run,) = data_of(kernel, "runs")
    assert (run["number"], run["kind"], run["status"], run["notebook"]) == (1, "session", "running", "nb.ipynb")
    assert run["metrics"] == {"score": 3.0}
    assert run["parameters"] == {"rate": 0.5}
    assert (run["steps_executed"], run["steps_reused"]) == (4, 1)


def test_why_gives_the_state_now_and_the_reasons_of_the_newest_runs(kernel: LiveKernel) -> None:
    text = shown(kernel, "why train")
    assert "train is fresh" in text
    assert "was reused" in text
    assert "its code changed" in text
    assert "never run" in shown(kernel, "why never")
    assert "reads the clock" in shown(kernel, "why report")
    data = data_of(kernel, "why train")
    assert data["now"]["state"] == "fresh"
    assert data["runs"][1]["why"] == "its code changed"


def test_help_lists_the_verbs_of_the_magic_and_explains_each(kernel: LiveKernel) -> None:
    text = shown(kernel, "help")
    assert shown(kernel, "") == text, "no verb is a question for help"
    names = [entry["name"] for entry in data_of(kernel, "help")]
    assert {"status", "steps", "log", "diff", "runs", "why", "form", "help"} <= set(names)
    assert not {"demo", "drain"} & set(names)
    assert all(name in text for name in names)
    assert "%%step NAME" in text
    for name in names:
        assert f"%mlops {name}" in shown(kernel, f"help {name}")


def test_verb_help_is_shown_by_dash_h_and_the_kernel_goes_on(kernel: LiveKernel) -> None:
    assert "usage: %mlops log" in shown(kernel, "log -h")
    assert kernel.run("1").text == "1"


def test_form_as_json_is_the_list_of_parameters(kernel: LiveKernel) -> None:
    assert data_of(kernel, "form") == [
        {
            "name": "rate",
            "type": "float",
            "default": 0.5,
            "has_default": True,
            "default_source": "0.5",
            "help": "learning rate",
            "definition": "float",
            "base": "float",
            "choices": [],
            "range": "",
            "typed_by_default": True,
            "left_out": 0,
        }
    ]


def test_form_shows_a_form_of_widgets(kernel: LiveKernel) -> None:
    cell = kernel.run("%mlops form")
    assert "Traceback" not in cell.text
    assert [kind for kind, _ in cell.outputs] == ["display_data"]


def test_drain_says_nothing(kernel: LiveKernel) -> None:
    assert kernel.run("%mlops drain").outputs == []


def test_a_graph_is_shown_as_a_picture(kernel: LiveKernel) -> None:
    cell = kernel.run("%mlops graph")
    assert [kind for kind, _ in cell.outputs] == ["display_data"]
    assert cell.text.startswith("nb.ipynb: ")
    assert not list(kernel.folder.glob("*.svg"))


def test_a_plan_knows_plain_cells_by_what_steps_read_of_them(kernel: LiveKernel) -> None:
    found = {step["name"]: step for step in data_of(kernel, "plan")["steps"]}
    assert [found[name]["decision"] for name in ("load", "train", "report", "never")] == [
        "reuse",
        "reuse",
        "run",
        "run",
    ]
    path = kernel.folder / "nb.ipynb"
    write_notebook(path, p="rate = 0.75")
    found = {step["name"]: step for step in data_of(kernel, "plan")["steps"]}
    assert (found["load"]["decision"], found["train"]["decision"]) == ("reuse", "run")
    write_notebook(path, p="rate = sum([0.5])")
    found = {step["name"]: step for step in data_of(kernel, "plan")["steps"]}
    assert (found["load"]["decision"], found["train"]["decision"]) == ("reuse", "unknown")
    write_notebook(path)


def test_a_version_comes_back_as_the_next_cell_with_its_values(kernel: LiveKernel) -> None:
    cell = kernel.run("%mlops restore train 1 --values\nprint(score)")
    assert "Restored score." in cell.text
    assert cell.text.splitlines()[-1] == "0"
    kernel.run(SOURCES["train"], cell_id="train")


def test_run_executes_the_saved_cells_each_as_if_by_hand(kernel: LiveKernel) -> None:
    kernel.run("del numbers, score, rate")
    cell = kernel.run("%mlops run --from train --until report\nprint(score)")
    text = re.sub(r"\x1b\[[0-9;]*m", "", cell.text)
    assert [note["step"] for note in cell.notes] == ["load", "train"]
    assert re.search(r"^report +executed", text, re.MULTILINE)
    assert text.splitlines()[-1] == "3.0"
    runs = data_of(kernel, "log train -n 1")["runs"]
    assert (runs[0]["status"], runs[0]["cell_id"]) == ("reused", "train")
    assert {"train", "report"} <= {row["step"] for row in data_of(kernel, "steps")}
    assert "executed" in kernel.run("%mlops run --from train --until train --force").text
    assert data_of(kernel, "log train -n 1")["runs"][0]["why"] == "it is forced"


def test_run_stops_at_a_cell_that_fails_and_the_kernel_goes_on(kernel: LiveKernel) -> None:
    path = kernel.folder / "nb.ipynb"
    write_notebook(path, load="%%step load\n1 / 0")
    cell = kernel.run("%mlops run --from load")
    assert "Step 'load' failed: ZeroDivisionError" in cell.text
    assert "%mlops run --from load" in cell.text
    write_notebook(path)
    assert kernel.run("1").text == "1"


def test_run_takes_cells_that_await(kernel: LiveKernel) -> None:
    path = kernel.folder / "nb.ipynb"
    write_notebook(path, load="%%step load\nimport asyncio\nawait asyncio.sleep(0)\nnumbers = [4]")
    cell = kernel.run("%mlops run --from load --until load\nprint(numbers)\nawait asyncio.sleep(0)")
    assert not cell.error
    assert cell.text.splitlines()[-1] == "[4]"
    write_notebook(path)


def test_capture_makes_every_cell_a_step_until_it_is_put_off(kernel: LiveKernel) -> None:
    kernel.run("%mlops capture on")
    kernel.run("plain = 1", cell_id="never")
    assert data_of(kernel, "capture")["all"] is True
    kernel.run("%mlops capture off")
    assert any("@" in row["step"] for row in data_of(kernel, "steps --all"))

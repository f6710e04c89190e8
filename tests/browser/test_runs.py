"""Jobs in JupyterLab: started from the panel or elsewhere, followed while they run, looked at afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from labpage import LONG, LabPage
from labserver import LabServer
from playwright.sync_api import expect

NotebookWriter = Callable[..., Path]
Picture = Callable[[LabPage, str], None]

PARAMETERS = ("rate: float = 0.5  # how fast\nrounds: int = 2\nverbose: bool = False\nlabel: str = 'a'", ["parameters"])


def address(lab: LabServer, notebook: Path) -> str:
    return lab.url(notebook.relative_to(lab.root).as_posix())


def test_a_job_started_from_the_panel_is_followed_to_its_metrics(
    lab: LabServer, lab_page: LabPage, demo: Path, picture: Picture
) -> None:
    lab_page.open_notebook(address(lab, demo))
    lab_page.open_panel()
    lab_page.button("Run as job").first.click()
    form = lab_page.panel.get_by_role("form", name="Run as job")
    form.get_by_label("max_depth").fill("1")
    lab_page.button("Start job").click()
    expect(form).not_to_be_visible()
    expect(lab_page.run(1)).to_contain_text("Running", timeout=LONG)
    expect(lab_page.run(1).get_by_role("progressbar")).to_be_visible()
    expect(lab_page.run(1)).to_contain_text("Completed", timeout=LONG)
    expect(lab_page.run(1)).to_contain_text("8 run")  # five named steps, imports, parameters and those given
    expect(lab_page.run(1)).to_contain_text("auc")
    expect(lab_page.step("evaluate")).not_to_contain_text("auc")  # that is of another depth than the notebook's
    _look_at_details(lab_page)
    _run_live(lab_page, demo)
    _take_pictures(lab_page, picture)
    lab_page.run(1).get_by_role("button", name="Open the output notebook").click()
    tab = lab_page.page.locator("#jp-main-dock-panel .lm-TabBar-tab.jp-mod-current")
    expect(tab).to_contain_text(f"{demo.stem}-1.ipynb")


def _look_at_details(lab_page: LabPage) -> None:
    run = lab_page.run(1)
    run.get_by_role("button", name="details").click()
    parameters = run.get_by_role("table", name="Parameters").get_by_role("row")
    expect(parameters.filter(has_text="max_depth")).to_contain_text("1")
    expect(run.get_by_role("table", name="Metrics")).to_contain_text("accuracy")
    expect(run.get_by_role("table", name="Steps").get_by_role("row")).to_have_count(8)
    run.get_by_role("button", name="details").click()
    expect(run.get_by_role("table")).to_have_count(0)


def _run_live(lab_page: LabPage, demo: Path) -> None:
    """All cells in the kernel of the open notebook: what the job computed and max_depth does not touch is reused."""
    lab_page.select_cell(0)
    lab_page.run_cells(len(json.loads(demo.read_text(encoding="utf-8"))["cells"]) - 1)
    expect(lab_page.run(2)).to_contain_text("2 run, 3 reused", timeout=LONG)
    expect(lab_page.run(2)).to_contain_text("max_depth2")
    for name in ("load", "train", "evaluate"):
        expect(lab_page.step(name)).to_contain_text("Fresh")
    expect(lab_page.step("evaluate")).to_contain_text("auc")


def _take_pictures(lab_page: LabPage, picture: Picture) -> None:
    """For the README, in both themes."""
    lab_page.step("train").get_by_role("button").click()
    expect(lab_page.active_cell).to_contain_text("%%step train")
    for theme, name in (("JupyterLab Dark", "panel-dark.png"), ("JupyterLab Light", "panel.png")):
        lab_page.execute("apputils:change-theme", theme=theme)
        is_light = "false" if "Dark" in theme else "true"
        expect(lab_page.page.locator("body")).to_have_attribute("data-jp-theme-light", is_light)
        # A splash covers the change; JupyterLab trips over itself where the next one comes while it fades.
        expect(lab_page.page.locator("#jupyterlab-splash")).to_have_count(0)
        expect(lab_page.panel).to_be_visible()
        picture(lab_page, name)


def test_values_of_all_kinds_reach_the_job(lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter) -> None:
    notebook = write_notebook(PARAMETERS, "got = repr((rate, rounds, verbose, label))", "got")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.button("Run as job").first.click()
    form = lab_page.panel.get_by_role("form", name="Run as job")
    expect(form).to_contain_text("how fast")
    form.get_by_label("rounds").fill("1.5")
    lab_page.button("Start job").click()
    expect(form.get_by_role("alert")).to_contain_text("whole number")
    other = write_notebook("y = 1", name="other.ipynb")
    lab_page.execute("docmanager:open", path=other.relative_to(lab.root).as_posix())
    expect(form).not_to_be_visible()
    lab_page.execute("docmanager:open", path=notebook.relative_to(lab.root).as_posix())
    form.get_by_label("rounds").fill("3")
    form.get_by_label("verbose").check()
    form.get_by_label("label").fill("007")
    lab_page.button("Start job").click()
    expect(lab_page.run(1)).to_contain_text("Completed", timeout=LONG)
    output = json.loads((notebook.parent / "runs" / "notebook-1.ipynb").read_text(encoding="utf-8"))
    shown = output["cells"][-1]["outputs"][0]["data"]["text/plain"]
    assert "(0.5, 3, True, '007')" in "".join(shown)


def test_a_refusal_of_the_server_stands_beside_the_form(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("def broken(:", PARAMETERS)
    lab_page.expect_error(r"status of 4\d\d.*jupyter-mlops/runs")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.button("Run as job").first.click()
    form = lab_page.panel.get_by_role("form", name="Run as job")
    expect(form.get_by_label("rate")).to_have_value("0.5")
    path = notebook.relative_to(lab.root).as_posix()
    lab_page.execute("jupyter-mlops:run-job", path=path, parameters={"rat": 1})
    expect(form.get_by_role("alert")).to_contain_text("rat")
    expect(form.get_by_role("alert")).to_contain_text("Did you mean 'rate'?")
    form.get_by_label("rate").fill("0.25")
    expect(form.get_by_role("alert")).to_have_count(0)


def test_a_job_of_the_command_line_appears_by_itself_with_its_error_and_the_mend(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%%step bad\n1 / 0")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    expect(lab_page.panel).to_contain_text("No runs yet in this project.")
    done = lab.run("run", notebook.name, folder=notebook.parent)
    assert done.returncode == 1
    expect(lab_page.run(1)).to_contain_text("Failed", timeout=LONG)
    expect(lab_page.run(1)).to_contain_text("Step bad: ZeroDivisionError: division by zero")
    expect(lab_page.run(1)).to_contain_text("The output notebook shows the traceback.")
    expect(lab_page.step("bad")).to_contain_text("Never run")  # the notebook that is open did not fail
    expect(lab_page.badge("bad")).to_contain_text("Never run")


def test_a_running_job_can_be_canceled(lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter) -> None:
    notebook = write_notebook("%%step slow\nimport time\ntime.sleep(300)")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.button("Run as job").first.click()
    expect(lab_page.panel).to_contain_text("This notebook has no parameters.")
    lab_page.button("Start job").click()
    expect(lab_page.run(1)).to_contain_text("step slow", timeout=LONG)
    expect(lab_page.step("slow")).to_contain_text("Never run")
    lab_page.button("Cancel run 1").click()
    expect(lab_page.run(1)).to_contain_text("Canceled", timeout=LONG)
    expect(lab_page.run(1).get_by_role("progressbar")).to_have_count(0)
    expect(lab_page.step("slow")).to_contain_text("Never run")


def test_an_executed_copy_shows_the_steps_of_its_run_and_leads_to_its_source(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%%step load\nx = 1", "%%step bad\n1 / 0", "%%step after\ny = x")
    assert lab.run("run", notebook.name, folder=notebook.parent).returncode == 1
    lab_page.open_notebook(address(lab, notebook.parent / "runs" / "notebook-1.ipynb"))
    lab_page.open_panel()
    for name, state in (("load", "Completed"), ("bad", "Failed"), ("after", "Never run")):
        expect(lab_page.step(name)).to_contain_text(state)
    expect(lab_page.panel).to_contain_text("This notebook was written by run 1.")
    lab_page.button("Open the original").click()
    expect(lab_page.panel.get_by_role("heading", name=notebook.name)).to_be_visible()
    expect(lab_page.step("bad")).to_contain_text("Never run")
    expect(lab_page.step("load")).to_contain_text("a result from run 1 is available")


def test_a_job_that_failed_is_resumed_where_it_failed(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    gate = "%%step gate\nimport pathlib\nassert pathlib.Path('go').exists(), 'not yet'"
    notebook = write_notebook("%%step load\nimport time\nstamp = time.time()", gate)
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.button("Run as job").first.click()
    lab_page.button("Start job").click()
    expect(lab_page.run(1)).to_contain_text("Step gate: AssertionError: not yet", timeout=LONG)
    (notebook.parent / "go").touch()
    lab_page.button("Resume run 1").click()
    expect(lab_page.run(2)).to_contain_text("Completed", timeout=LONG)
    expect(lab_page.run(2)).to_contain_text("1 run, 1 reused")
    expect(lab_page.button("Resume run 1")).to_have_count(0)
    expect(lab_page.button("Resume run 2")).to_have_count(0)


def test_a_job_that_failed_by_its_code_goes_on_with_the_mended_cell(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%%step load\nx = 1", "%%step bad\ny = x / 0")
    assert lab.run("run", notebook.name, folder=notebook.parent).returncode == 1
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    expect(lab_page.run(1)).to_contain_text("Step bad: ZeroDivisionError", timeout=LONG)
    lab_page.button("Open at the cell").click()
    expect(lab_page.panel.get_by_role("heading", name="notebook-run1.ipynb")).to_be_visible()
    expect(lab_page.active_cell).to_contain_text("%mlops attach 1")
    lab_page.execute("docmanager:open", path=notebook.relative_to(lab.root).as_posix())
    lab_page.page.locator(".jp-Notebook:visible .jp-Cell").nth(1).locator(".cm-content").click()
    lab_page.page.keyboard.press("Control+a")
    lab_page.page.keyboard.type("%%step bad\ny = x")
    lab_page.button("Resume with my edit").click()
    expect(lab_page.run(2)).to_contain_text("Completed", timeout=LONG)
    expect(lab_page.run(2)).to_contain_text("1 run, 1 reused")


def test_numbers_are_whole_and_nothing_scrolls_in_a_narrow_panel(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%%step only\nx = 1")
    assert lab.run("run", notebook.name, folder=notebook.parent).returncode == 0
    with closing(sqlite3.connect(notebook.parent / ".mlops" / "index.db")) as index, index:
        index.execute("update runs set number = 123456")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    expect(lab_page.run(123456)).to_contain_text("#123456")
    lab_page.narrow(250)
    cut = "node => node.scrollWidth > node.clientWidth"
    assert lab_page.run(123456).locator(".jp-mlops-name").evaluate(cut) is False
    scrolls = "nodes => nodes.filter(n => n.scrollWidth > n.clientWidth || n.scrollHeight > n.clientHeight).length"
    assert lab_page.panel.locator(".jp-mlops-section").evaluate_all(scrolls) == 0


def test_megabytes_of_an_earlier_build_are_shown_in_part_and_all_of_them_are_one_click_away(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%%step only\nx = 1")
    assert lab.run("run", notebook.name, folder=notebook.parent).returncode == 0
    parameters = {"text": "a" * 4_000_000, "rate": 0.5}
    metrics = {f"metric_{place:05}": place for place in range(5000)}
    with closing(sqlite3.connect(notebook.parent / ".mlops" / "index.db")) as index, index:
        index.execute("update runs set parameters = ?, metrics = ?", (json.dumps(parameters), json.dumps(metrics)))
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    run = lab_page.run(1)
    expect(run).to_contain_text("+4,997")
    run.get_by_role("button", name="details").click()
    expect(run.get_by_role("table", name="Parameters")).to_contain_text("(4,000,000 characters)")
    expect(run.get_by_role("table", name="Parameters")).to_contain_text("rate")
    expect(run.get_by_role("table", name="Metrics")).to_contain_text("and 4,000 more")
    with lab_page.page.expect_popup() as popup:
        run.get_by_role("link", name="All of it as JSON").click()
    popup.value.wait_for_load_state()
    whole = json.loads(popup.value.locator("pre").inner_text())
    assert (whole["parameters"], len(whole["metrics"])) == (parameters, 5000)


def test_schedules_show_when_they_fire_and_that_no_scheduler_is_there(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook(PARAMETERS, "%%step one\nx = rate")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    expect(lab_page.panel).to_contain_text("jupyter mlops schedule add")
    options = ("--cron", "0 6 * * *", "--tz", "Europe/Zurich", "-p", "rate", "0.25")
    added = lab.run("schedule", "add", notebook.name, *options, folder=notebook.parent)
    assert added.returncode == 0, added.stderr
    schedule = lab_page.panel.locator(".jp-mlops-schedule")
    for text in ("0 6 * * *", "Europe/Zurich", "0.25", "6:00"):
        expect(schedule).to_contain_text(text)
    expect(lab_page.panel).to_contain_text("No scheduler is running")
    expect(lab_page.button("Start the scheduler")).to_be_visible()

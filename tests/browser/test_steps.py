"""Steps in JupyterLab: states in the panel and on the cells, marking, jumping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from labpage import LONG, LabPage
from labserver import LabServer
from playwright.sync_api import expect

NotebookWriter = Callable[..., Path]


def address(lab: LabServer, notebook: Path) -> str:
    return lab.url(notebook.relative_to(lab.root).as_posix())


def tags_on_disk(notebook: Path, index: int) -> list[str]:
    tags: list[str] = json.loads(notebook.read_text(encoding="utf-8"))["cells"][index]["metadata"].get("tags", [])
    return tags


def test_running_a_step_changes_its_badge_and_its_row(lab: LabServer, lab_page: LabPage, demo: Path) -> None:
    lab_page.open_notebook(address(lab, demo))
    lab_page.open_panel()
    expect(lab_page.panel.get_by_role("heading", name=demo.name)).to_be_visible()
    expect(lab_page.step("load")).to_contain_text("Never run")
    expect(lab_page.badge("load")).to_contain_text("Never run")
    cells = json.loads(demo.read_text(encoding="utf-8"))["cells"]
    load = next(index for index, cell in enumerate(cells) if "".join(cell["source"]).startswith("%%step load"))
    lab_page.select_cell(1)
    lab_page.run_cells(load)
    expect(lab_page.step("load")).to_contain_text("Fresh", timeout=LONG)
    expect(lab_page.badge("load")).to_contain_text("Fresh")
    expect(lab_page.step("clean")).to_contain_text("Never run")


def test_editing_a_step_makes_it_and_what_follows_stale(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%load_ext jupyter_mlops", "%%step first\na = 1", "%%step second\nb = a + 1")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.select_cell(0)
    lab_page.run_cells(3)
    expect(lab_page.step("second")).to_contain_text("Fresh", timeout=LONG)
    expect(lab_page.step("second")).to_contain_text("← first")
    lab_page.page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content").click()
    lab_page.page.keyboard.press("Control+End")
    lab_page.page.keyboard.type("0")
    expect(lab_page.badge("first")).to_contain_text("Stale")
    expect(lab_page.step("first")).to_contain_text("Stale")
    expect(lab_page.step("second")).to_contain_text("Stale")


def test_a_click_on_a_step_jumps_to_its_cell(lab: LabServer, lab_page: LabPage, demo: Path) -> None:
    lab_page.open_notebook(address(lab, demo))
    lab_page.open_panel()
    lab_page.step("evaluate").get_by_role("button").click()
    expect(lab_page.active_cell).to_contain_text("%%step evaluate")
    expect(lab_page.active_cell).to_be_in_viewport()
    expect(lab_page.step("evaluate").get_by_role("button")).to_have_attribute("aria-current", "location")
    expect(lab_page.page.locator("#jp-main-statusbar")).to_contain_text("Mode: Command")
    lab_page.execute("jupyter-mlops:jump-to-step", name="load")
    expect(lab_page.active_cell).to_contain_text("%%step load")
    expect(lab_page.active_cell).to_be_in_viewport()


def test_a_cell_is_marked_renamed_and_unmarked(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("# Read the data\nx = 1", ("y = x + 1", ["step:use"]))
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.select_cell(0)
    lab_page.button("Mark cell as step").click()
    name = lab_page.panel.get_by_role("textbox", name="Step name of cell 1")
    expect(name).to_be_focused()
    expect(name).to_have_value("read_the_data")
    for wrong, said in [("two words", "one word"), ("use", "must be unique")]:
        name.fill(wrong)
        lab_page.button("Mark as step").click()
        expect(lab_page.panel.get_by_role("alert")).to_contain_text(said)
    name.fill("read")
    name.press("Enter")
    expect(lab_page.step("read")).to_contain_text("Never run")
    expect(lab_page.badge("read")).to_be_visible()
    lab_page.execute("docmanager:save")
    assert tags_on_disk(notebook, 0) == ["step:read"]
    lab_page.select_cell(0)
    lab_page.button("Change step").click()
    lab_page.button("Remove mark").click()
    expect(lab_page.step("read")).to_have_count(0)
    expect(lab_page.badge("read")).to_have_count(0)
    lab_page.execute("docmanager:save")
    assert tags_on_disk(notebook, 0) == []


def test_a_marked_cell_is_recorded_when_it_is_run(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook(("x = 1", ["step:tagged"]))
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.button("Add it at the top").click()
    expect(lab_page.page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    lab_page.select_cell(0)
    lab_page.run_cells(2)
    expect(lab_page.step("tagged")).to_contain_text("Fresh", timeout=LONG)
    expect(lab_page.badge("tagged")).to_contain_text("Fresh")


def test_two_steps_of_one_name_are_shown_as_a_problem(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%%step same\nx = 1", "%%step same\ny = 2")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    expect(lab_page.panel).to_contain_text("Two steps are named 'same'.")
    lab_page.select_cell(0)
    lab_page.button("Show the cell").click()
    expect(lab_page.active_cell).to_contain_text("y = 2")


def test_a_kernel_that_starts_again_leaves_the_steps_as_they_are(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%load_ext jupyter_mlops", "%%step only\na = 1")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.select_cell(0)
    lab_page.run_cells(2)
    expect(lab_page.step("only")).to_contain_text("Fresh", timeout=LONG)
    expect(lab_page.run(1)).to_contain_text("Live")
    lab_page.begin("kernelmenu:restart")
    lab_page.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    expect(lab_page.run(1)).not_to_contain_text("Live", timeout=LONG)
    expect(lab_page.step("only")).to_contain_text("Fresh")
    expect(lab_page.step("only")).to_contain_text("a result from run 1 is available")
    lab_page.wait_for_kernel()


def test_the_steps_are_those_of_the_open_kernel_whatever_jobs_did(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook(
        "%load_ext jupyter_mlops", ("depth = 2", ["parameters"]), "%%step train --metrics score\nscore = depth / 8"
    )
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.select_cell(0)
    lab_page.run_cells(3)
    expect(lab_page.step("train")).to_contain_text("0.25", timeout=LONG)
    lab_page.execute("docmanager:save")
    done = lab.run("run", notebook.name, "-p", "depth", "1", folder=notebook.parent)
    assert done.returncode == 0, done.stderr
    expect(lab_page.run(2)).to_contain_text("0.125", timeout=LONG)
    lab_page.button("Refresh").click()
    expect(lab_page.step("train")).to_contain_text("Fresh")
    expect(lab_page.step("train")).to_contain_text("0.25")
    expect(lab_page.step("train")).not_to_contain_text("0.125")


def test_cells_that_were_captured_stay_when_one_of_them_is_marked(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%load_ext jupyter_mlops\n%mlops capture on", "rows = [1, 2]", "total = sum(rows)")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    lab_page.select_cell(0)
    lab_page.run_cells(3)
    expect(lab_page.step("rows = [1, 2]")).to_contain_text("Fresh", timeout=LONG)
    expect(lab_page.step("total = sum(rows)")).to_contain_text("← rows = [1, 2]")
    lab_page.select_cell(2)
    lab_page.button("Mark cell as step").click()
    lab_page.panel.get_by_role("textbox").fill("sum")
    lab_page.button("Mark as step").click()
    expect(lab_page.step("sum")).to_be_visible()
    expect(lab_page.step("rows = [1, 2]")).to_be_visible()
    lab_page.button("Hide cells without a name").click()
    expect(lab_page.step("rows = [1, 2]")).to_have_count(0)
    expect(lab_page.button("Show 1 cell without a name")).to_be_visible()

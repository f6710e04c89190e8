"""The panel where there is little to show: no notebook, no steps, another language, no server part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from labpage import LabPage
from labserver import LabServer
from playwright.sync_api import expect

NotebookWriter = Callable[..., Path]


def address(lab: LabServer, notebook: Path) -> str:
    return lab.url(notebook.relative_to(lab.root).as_posix())


@pytest.fixture
def bare_lab(tmp_path: Path) -> Iterator[LabServer]:
    """A JupyterLab whose server does not have our part."""
    server = LabServer(tmp_path, has_server_part=False)
    yield server
    server.stop()


def test_without_a_notebook_each_section_says_what_would_fill_it(lab: LabServer, lab_page: LabPage) -> None:
    lab_page.goto(lab.url())
    lab_page.open_panel()
    expect(lab_page.panel).to_contain_text("No notebook open")
    expect(lab_page.panel).to_contain_text("Open a notebook to see its steps here.")
    expect(lab_page.panel).to_contain_text("jupyter mlops run NOTEBOOK")
    expect(lab_page.panel).to_contain_text("jupyter mlops schedule add")
    expect(lab_page.button("Mark cell as step")).to_be_disabled()
    expect(lab_page.button("Run as job")).to_be_disabled()


def test_sections_fold_with_the_keyboard(lab: LabServer, lab_page: LabPage) -> None:
    lab_page.goto(lab.url())
    lab_page.open_panel()
    title = lab_page.panel.locator(".jp-AccordionPanel-title").filter(has_text="Schedules")
    content = lab_page.panel.get_by_text("No schedules yet in this project.")
    expect(content).to_be_visible()
    title.focus()
    lab_page.page.keyboard.press("Enter")
    expect(title).to_have_attribute("aria-expanded", "false")
    expect(content).not_to_be_visible()
    lab_page.page.keyboard.press("Enter")
    expect(content).to_be_visible()


def test_a_notebook_without_steps_offers_to_mark_one(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    lab_page.open_notebook(address(lab, write_notebook("%load_ext jupyter_mlops")))
    lab_page.open_panel()
    expect(lab_page.panel).to_contain_text("This notebook has no steps yet.")
    expect(lab_page.panel).to_contain_text('write "%%step NAME" on the first line of a cell')
    lab_page.button("Mark cell as step").last.click()
    expect(lab_page.panel.get_by_role("textbox")).to_be_focused()
    lab_page.page.keyboard.press("Escape")
    expect(lab_page.panel.get_by_role("textbox")).to_have_count(0)


def test_cells_that_no_one_named_are_shown_as_steps_and_may_be_marked(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    lab_page.open_notebook(address(lab, write_notebook("x = 1")))
    lab_page.open_panel()
    steps = lab_page.panel.get_by_role("list", name="Steps in pipeline order").get_by_role("listitem")
    expect(steps).to_have_count(1)
    expect(steps).to_contain_text("x = 1")
    expect(steps).to_contain_text("Never run")
    lab_page.button("Mark cell as step").first.click()
    expect(lab_page.panel.get_by_role("textbox")).to_be_focused()


def test_a_notebook_of_another_language_is_told_apart(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("x = 1", name="other.ipynb", language="julia")
    lab_page.goto(address(lab, notebook))
    dialog = lab_page.page.locator(".jp-Dialog")
    dialog.get_by_role("button", name="No Kernel").click()
    lab_page.open_panel()
    expect(lab_page.panel).to_contain_text("Steps need a Python kernel; this notebook uses julia.")
    expect(lab_page.button("Run as job").first).to_be_disabled()


def test_a_renamed_and_a_closed_notebook_are_followed(
    lab: LabServer, lab_page: LabPage, write_notebook: NotebookWriter
) -> None:
    notebook = write_notebook("%%step one\nx = 1")
    lab_page.open_notebook(address(lab, notebook))
    lab_page.open_panel()
    folder = notebook.parent.relative_to(lab.root).as_posix()
    rename = "([from, to]) => window.jupyterapp.serviceManager.contents.rename(from, to).then(() => null)"
    lab_page.page.evaluate(rename, [f"{folder}/notebook.ipynb", f"{folder}/renamed.ipynb"])
    expect(lab_page.panel.get_by_role("heading", name="renamed.ipynb")).to_be_visible()
    expect(lab_page.step("one")).to_contain_text("Never run")
    lab_page.execute("docmanager:save")
    # JupyterLab asks a new kernel for its debugger's state, and says so where the notebook is closed before the answer.
    lab_page.expect_error("Could not restore the debugger state: Canceled future")
    lab_page.execute("application:close")
    expect(lab_page.panel).to_contain_text("No notebook open")


def test_a_missing_server_part_is_named_with_the_mend(bare_lab: LabServer, lab_page: LabPage) -> None:
    lab_page.expect_error(r"404.*jupyter-mlops")
    lab_page.goto(bare_lab.url())
    lab_page.open_panel()
    notice = lab_page.panel.get_by_role("alert")
    expect(notice).to_contain_text("The server part of jupyter-mlops is not running.")
    expect(notice).to_contain_text("jupyter server extension enable jupyter_mlops")
    expect(notice.get_by_role("button", name="Try again")).to_be_visible()

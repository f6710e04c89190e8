"""One bad cell is one bad cell: the panel shows the steps around it, and of the cell itself why it always runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labpage import LONG, LabPage
from labserver import LabServer
from playwright.sync_api import expect

PASTE = """([index, text]) => {
  window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setSource(text);
}"""
DEEP = "runs always: it is nested too deeply to be analyzed"
CELLS = (
    *("%load_ext jupyter_mlops", "%%step first\na = 1", "%%step half", f"%%step row\ny = {'-' * 100_000}1"),
    *(f"%%step nested\nz = {' + '.join(['1'] * 2000)}", f"%%step wide\ntext = '{'x' * 100_000}'"),
    "%%step last\nb = a + 1",
)


def test_steps_are_shown_around_cells_that_cannot_be_analyzed(
    lab: LabServer,
    lab_page: LabPage,
    write_notebook: Callable[..., Path],
    picture: Callable[[LabPage, str], None],
) -> None:
    notebook = write_notebook(*CELLS)
    lab_page.open_notebook(lab.url(notebook.relative_to(lab.root).as_posix()))
    lab_page.open_panel()
    # Jupyter itself opens, saves and runs no such cell: here it is pasted into an open notebook.
    lab_page.expect_error("notebook.ipynb")
    lab_page.page.evaluate(PASTE, [2, "%%step half\ntext = '\ud800'"])
    expect(lab_page.step("half")).to_contain_text("runs always: it contains half a character", timeout=LONG)
    for name in ("row", "nested"):
        expect(lab_page.step(name)).to_contain_text(f"Never run{DEEP}")
    for name in ("first", "wide", "last"):
        expect(lab_page.step(name).locator(".jp-mlops-reason")).to_have_count(0)
        expect(lab_page.step(name)).to_contain_text("Never run")
    expect(lab_page.step("last")).to_contain_text("← first")
    picture(lab_page, "bad-cells-before.png")
    for index in (0, 1, 3, 4, 5, 6):
        lab_page.select_cell(index)
        lab_page.run_cells(1)
    for name in ("first", "wide", "last"):
        expect(lab_page.step(name)).to_contain_text("Fresh", timeout=LONG)
    expect(lab_page.step("row")).to_contain_text("FailedMemoryError")
    expect(lab_page.step("nested")).to_contain_text("FailedRecursionError")
    expect(lab_page.step("half")).to_contain_text("Never run")
    picture(lab_page, "bad-cells-after.png")
    lab_page.narrow(420)
    picture(lab_page, "bad-cells-wide.png")

"""JupyterLab in the browser, in the words of a user: open the panel, run a cell, start a job."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

PANEL = "#jupyter-mlops-panel"
LONG = 120_000
"""A job on a busy machine, in milliseconds."""


class LabPage:
    """One page. `errors` holds all that the console called an error, and all that was thrown."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self._expected: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(f"thrown: {error.stack or error}"))

    @property
    def panel(self) -> Locator:
        return self.page.locator(PANEL)

    @property
    def active_cell(self) -> Locator:
        return self.page.locator(".jp-Notebook:visible .jp-Cell.jp-mod-active")

    def expect_error(self, pattern: str) -> None:
        """A browser itself writes each refused request to the console; the test says which it provokes."""
        self._expected.append(pattern)

    def unexpected_errors(self) -> list[str]:
        return [error for error in self.errors if not any(re.search(pattern, error) for pattern in self._expected)]

    def goto(self, url: str) -> None:
        self.page.goto(url)
        expect(self.page.locator("#jp-main-dock-panel")).to_be_visible(timeout=LONG)

    def open_notebook(self, url: str) -> None:
        """Open the page with a notebook and wait for its kernel."""
        self.goto(url)
        expect(self.page.locator(".jp-Notebook:visible")).to_be_visible(timeout=LONG)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=LONG)

    def open_panel(self) -> None:
        if not self.panel.is_visible():
            self.page.locator('.jp-SideBar [data-id="jupyter-mlops-panel"]').click()
        expect(self.panel).to_be_visible()

    def step(self, name: str) -> Locator:
        """The panel's row of a step."""
        return self.panel.locator(".jp-mlops-step").filter(has=self.page.get_by_text(name, exact=True))

    def run(self, number: int) -> Locator:
        """The panel's row of a run."""
        return self.panel.locator(f'.jp-mlops-run[data-number="{number}"]')

    def badge(self, name: str) -> Locator:
        return self.page.locator(f'.jp-Notebook:visible .jp-mlops-badge[data-step="{name}"]')

    def button(self, name: str) -> Locator:
        """A button of the panel."""
        return self.panel.get_by_role("button", name=name, exact=True)

    def select_cell(self, index: int) -> None:
        """Make a cell active, in command mode."""
        self.page.locator(".jp-Notebook:visible .jp-Cell").nth(index).locator(".jp-InputPrompt").click()

    def run_cells(self, count: int) -> None:
        """Run the active cell and those that follow, `count` in all, and wait until the kernel rests."""
        for _ in range(count):
            self.page.keyboard.press("Shift+Enter")
        expect(self.page.locator(".jp-Notebook:visible .jp-InputArea-prompt").filter(has_text="[*]")).to_have_count(
            0, timeout=LONG
        )

    def narrow(self, width: int) -> None:
        """Drag the edge of the side panel until it is so wide."""
        box = self.page.locator("#jp-left-stack").bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] + 1, middle)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + width + 1, middle, steps=4)
        self.page.mouse.up()
        expect(self.panel).to_have_css("width", f"{width}px")

    def execute(self, command: str, **arguments: Any) -> None:
        """Execute a command of JupyterLab, to its end. For one that asks in a dialog take `begin`."""
        script = "([command, args]) => window.jupyterapp.commands.execute(command, args).then(() => null)"
        self.page.evaluate(script, [command, arguments])

    def begin(self, command: str) -> None:
        """Execute a command of JupyterLab without waiting for its end."""
        self.page.evaluate("command => { void window.jupyterapp.commands.execute(command); }", command)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

"""Fixtures of the browser tests. They run in a command of their own (`pytest tests/browser`): playwright's event loop
and that of pytest-jupyter cannot share a process."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from labpage import LabPage
from labserver import LabServer

TEMPLATE = "tabular-classification"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these tests out unless the command names them."""
    named = any("browser" in str(argument) for argument in config.invocation_params.args)
    return None if named else True


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One JupyterLab for all tests; each has a project of its own in it."""
    server = LabServer(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def lab_page(browser: Browser) -> Iterator[LabPage]:
    """A fresh page, at whose end nothing may have been called an error."""
    context = browser.new_context(viewport={"width": 1360, "height": 860}, device_scale_factor=2, locale="en-US")
    page = LabPage(context.new_page())
    yield page
    errors = page.unexpected_errors()
    context.close()
    assert errors == []


@pytest.fixture
def demo(lab: LabServer, request: pytest.FixtureRequest) -> Path:
    """The notebook of a new project made from the template."""
    folder: Path = lab.root / request.node.name
    made = lab.run("new", TEMPLATE, str(folder), folder=lab.root)
    assert made.returncode == 0, made.stderr
    return next(folder.glob("*.ipynb"))


@pytest.fixture
def write_notebook(lab: LabServer, request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Writes a notebook of code cells into a new project: `write_notebook("x = 1", ("%%step a", ["tag"]))`."""

    def write(*cells: str | tuple[str, Sequence[str]], name: str = "notebook.ipynb", language: str = "python") -> Path:
        folder: Path = lab.root / request.node.name
        (folder / ".git").mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(json.dumps(_notebook(cells, language)), encoding="utf-8")
        return path

    return write


@pytest.fixture
def picture() -> Callable[[LabPage, str], None]:
    """Saves a picture of the page into the folder that MLOPS_SCREENSHOTS names; without it, nothing."""

    def save(page: LabPage, name: str) -> None:
        folder = os.environ.get("MLOPS_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.page.mouse.move(700, 5)
            page.page.screenshot(path=Path(folder) / name, animations="disabled")

    return save


def _notebook(cells: Sequence[str | tuple[str, Sequence[str]]], language: str) -> dict[str, Any]:
    pairs = [(cell, ()) if isinstance(cell, str) else cell for cell in cells]
    kernel = "python3" if language == "python" else f"no-such-{language}"
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": kernel, "display_name": language, "language": language},
            "language_info": {"name": language},
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {"tags": list(tags)} if tags else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for index, (source, tags) in enumerate(pairs)
        ],
    }

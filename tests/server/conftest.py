"""A real Jupyter server with the extension, in a folder of its own, that refuses whoever is not logged in."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# The fixtures and the hook for `async def` tests are taken in here, not for the whole suite: one of them closes the
# event loop after each test.
from pytest_jupyter.jupyter_server import *  # noqa: F403

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store


@dataclass(frozen=True)
class Answer:
    status: int
    data: Any


Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_mlops": True, "jupyter_server_terminals": False},
            "allow_unauthenticated_access": False,
        }
    }


@pytest.fixture
def ask(jp_fetch: Callable[..., Any]) -> Ask:
    """`await ask("runs", path="a.ipynb")` is a GET, `await ask("runs", {...})` a POST with that body."""

    async def ask(route: str, body: Any = None, *, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        how: dict[str, Any] = {"headers": headers, "params": query}
        if body is not None:
            how |= {"method": "POST", "body": body if isinstance(body, (str, bytes)) else json.dumps(body)}
        response = await jp_fetch("jupyter-mlops", *route.split("/"), raise_error=False, **how)
        return Answer(response.code, json.loads(response.body))

    return ask


@pytest.fixture
def notebook(jp_root_dir: Path) -> Path:
    """A notebook with a parameter and a step, in a folder without a project."""
    path = Path(jp_root_dir) / "work" / "study.ipynb"
    path.parent.mkdir()
    write_notebook(path, [("rate: float = 0.5  # learning rate", ["parameters"]), ("%%step load\ndata = [rate]", [])])
    return path


def write_notebook(path: Path, cells: list[tuple[str, list[str]]]) -> None:
    path.write_text(
        json.dumps(
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "id": f"cell-{index}",
                        "execution_count": None,
                        "metadata": {"tags": tags},
                        "outputs": [],
                        "source": source,
                    }
                    for index, (source, tags) in enumerate(cells)
                ],
                "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        ),
        encoding="utf-8",
    )


@pytest.fixture
def store(notebook: Path) -> Iterator[Store]:
    """The store of the notebook's folder: as another process would have it open."""
    with open_store(notebook) as store:
        yield store


@pytest.fixture
def add_run(store: Store) -> Callable[..., Run]:
    """`add_run(status=Status.RUNNING, ...)` puts a run of the notebook into the index."""

    def add_run(**values: Any) -> Run:
        given = {"kind": "job", "notebook": "study.ipynb", "status": Status.PENDING, "created_at": store.now()} | values
        return store.runs.create(Run(id=store.new_id(), number=0, **given))

    return add_run

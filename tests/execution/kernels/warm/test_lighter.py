"""What makes a fork cheap changes nothing but where things lie."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jupyter_mlops.execution.kernels.warm.lighter import modules_side_by_side, quiet

PAGE = 4096


def pages(objects: Any) -> int:
    return len({id(item) // PAGE for item in objects})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "mlopsmany"
    folder.mkdir()
    names = [f"part{number}" for number in range(60)]
    (folder / "__init__.py").write_text("".join(f"from . import {name}\n" for name in names))
    for name in names:
        (folder / f"{name}.py").write_text("kept = ['x' * n for n in range(200)]\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "mlopsmany"
    for name in [name for name in sys.modules if name.startswith("mlopsmany")]:
        del sys.modules[name]


NAMES = """
from types import ModuleType
from jupyter_mlops.execution.kernels.warm.lighter import names_side_by_side

def pages(names):
    return len({id(name) // 4096 for name in names})

modules = {}
for number in range(1000):
    modules[f"some.module{number}" + "x" * (number % 7)] = ModuleType("m"), [bytearray(300) for _ in range(3)]
before = list(modules.items())
as_usual = pages(modules)
names_side_by_side(modules)
assert list(modules.items()) == before
assert pages(modules) < 100 < as_usual, (pages(modules), as_usual)
print("same")
"""


def test_names_are_the_same_in_the_same_order_and_few_pages() -> None:
    """In a process of its own, as they are: in one that ran many tests free places lie scattered."""
    told = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("same\n", "")


def test_modules_are_what_an_import_makes_and_stand_in_few_pages(package: str) -> None:
    def imported() -> list[ModuleType]:
        for name in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[name]
        importlib.import_module(package)
        return [module for name, module in sys.modules.items() if name.startswith(package)]

    as_usual = pages(imported())
    with modules_side_by_side():
        found = imported()
    assert len(found) == 61
    assert pages(found) * 3 < as_usual
    made = sys.modules[package]
    part = made.part7
    assert (type(part), part.__name__, part.__package__) == (ModuleType, "mlopsmany.part7", "mlopsmany")
    assert (part.__spec__.name, part.__doc__, len(part.kept)) == ("mlopsmany.part7", None, 200)
    assert importlib.reload(part) is part


def test_an_import_that_raises_leaves_imports_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlopsraises.py").write_text("raise ValueError('no')\n")
    monkeypatch.syspath_prepend(tmp_path)
    bootstrap: Any = sys.modules["_frozen_importlib"]
    before = bootstrap._new_module
    with pytest.raises(ValueError, match="no"), modules_side_by_side():
        importlib.import_module("mlopsraises")
    assert bootstrap._new_module is before
    assert "mlopsraises" not in sys.modules


def test_a_record_is_made_where_someone_is_told() -> None:
    logger = logging.getLogger("mlops-test-quiet")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    told: list[str] = []
    info = quiet(logger, logging.INFO)
    info("nobody hears %s", "this")

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(f"{record.getMessage()} {record.funcName}")

    logger.addHandler(Handler(logging.WARNING))
    info("nobody hears %s", "that")
    logger.addHandler(Handler(logging.DEBUG))
    info("heard: %s", 1)
    assert told == ["heard: 1 test_a_record_is_made_where_someone_is_told"]

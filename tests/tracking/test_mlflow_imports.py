"""Hearing of an import without touching it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.capture.key.import_notes import ImportNotes
from jupyter_mlops.tracking.imports import ImportWatch


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was heard of `watched`, a module that one can write."""
    heard: list[str] = []
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "watched.py").write_text("value = 1\n")
    watch = ImportWatch("watched", lambda: heard.append("watched"))
    watch.install()
    watch.install()
    yield heard
    watch.remove()
    watch.remove()
    assert not any(isinstance(finder, ImportWatch) for finder in sys.meta_path)
    sys.modules.pop("watched", None)


def test_an_import_is_told_once_and_leaves_no_trace(heard: list[str]) -> None:
    module = importlib.import_module("watched")
    importlib.import_module("watched")
    assert (heard, module.value) == (["watched"], 1)
    assert module.__spec__ is not None
    assert "exec_module" not in vars(module.__spec__.loader)


def test_looking_for_a_module_is_no_import(heard: list[str]) -> None:
    assert importlib.util.find_spec("watched") is not None
    assert importlib.util.find_spec("not_there_at_all") is None
    assert heard == []
    importlib.import_module("watched")
    assert heard == ["watched"]


def test_a_reload_is_told_again_and_works(heard: list[str], tmp_path: Path) -> None:
    module = importlib.import_module("watched")
    (tmp_path / "watched.py").write_text("value = 22\n")
    importlib.reload(module)
    assert (heard, module.value) == (["watched"] * 2, 22)


def test_an_import_that_fails_raises_as_ever_and_is_heard_when_it_works(heard: list[str], tmp_path: Path) -> None:
    (tmp_path / "watched.py").write_text("raise ValueError('half way')\n")
    with pytest.raises(ValueError, match="half way"):
        importlib.import_module("watched")
    assert (heard, "watched" in sys.modules) == ([], False)
    (tmp_path / "watched.py").write_text("value = 333333\n")
    importlib.invalidate_caches()
    assert importlib.import_module("watched").value == 333333
    assert heard == ["watched"]


def test_an_error_in_the_callback_does_not_reach_the_import(
    heard: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("ours")

    watch = ImportWatch("watched", broken)
    watch.install()
    try:
        assert importlib.import_module("watched").value == 1
    finally:
        watch.remove()
    assert "ours" in caplog.text


def test_two_who_wait_for_the_same_module_both_hear_of_it(heard: list[str]) -> None:
    other = ImportWatch("watched", lambda: heard.append("other"))
    other.install()
    try:
        module = importlib.import_module("watched")
    finally:
        other.remove()
    assert sorted(heard) == ["other", "watched"]
    assert module.__spec__ is not None
    assert "exec_module" not in vars(module.__spec__.loader)


def test_it_gets_on_with_the_finder_that_asks_all_others(heard: list[str]) -> None:
    notes = ImportNotes(lambda module: heard.append(f"noted {module.__name__}"))
    notes.install()
    try:
        module = importlib.import_module("watched")
    finally:
        notes.remove()
    assert (sorted(heard), module.value) == (["noted watched", "watched"], 1)

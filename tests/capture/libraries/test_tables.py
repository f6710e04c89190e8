"""Tables that a library fills once are told from its state by how its source fills them, and by what they hold."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from jupyter_mlops.capture.libraries import package_changes, package_snapshot
from jupyter_mlops.capture.libraries.snapshots import note_imported

SOURCE = """
    class Aliases:
        table = None
        chosen = None
        kept = None

        @staticmethod
        def _read():
            return {"metric": ["metrics", "metric_types"]}

        @classmethod
        def get(cls, name):
            if cls.table is None:
                cls.table = cls._read()
            return cls.table.get(name, [name])

        @classmethod
        def choose(cls, names):
            if cls.chosen is None:
                cls.chosen = {name: [name] for name in names}

        @classmethod
        def keep(cls):
            if not cls.kept:
                cls.kept = ["a"]

        @classmethod
        def add(cls, item):
            cls.kept.append(item)

    names = None
    options = None

    def known():
        global names
        if not names:
            names = sorted(["b", "a"])
        return names

    def set_options(**given):
        global options
        options = given
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "mlopstables.py").write_text(textwrap.dedent(SOURCE))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("mlopstables")
    del sys.modules["mlopstables"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("m.Aliases.get('metric')", []),
        ("m.known()", []),
        ("m.Aliases.get('metric'); m.Aliases.table['metric'] = ['other']", ["Aliases.table"]),
        ("m.Aliases.table = {'metric': ['mine']}", ["Aliases.table"]),
        ("m.names = ['mine']", ["names"]),
        ("m.Aliases.choose(['mine'])", ["Aliases.chosen"]),
        ("m.Aliases.keep()", ["Aliases.kept"]),
        ("m.set_options(a=1)", ["options"]),
    ],
)
def test_only_what_the_library_alone_decides_is_no_state(library: ModuleType, code: str, told: list[str]) -> None:
    note_imported("mlopstables")
    before = package_snapshot({"mlopstables"})
    exec(code, {"m": library})
    changes = package_changes(before, package_snapshot({"mlopstables"}))
    assert changes == [f"mlopstables.{path}" for path in told]


NOTING = """
    class Setter:
        def __init__(self, name):
            self.name = name

        def __get__(self, owner, kind):
            self.owner = owner
            if owner is None:
                return self
            self.kind = kind
            return self

        def __call__(self, value):
            setattr(self.owner, "_" + self.name, value)
            return self.owner

    class Axis:
        title = Setter("title")
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("m.Axis().title('day')", ["Axis.title.kind"]),
        ("vars(m.Axis)['title'].name = 'other'", ["Axis.title.name"]),
    ],
)
def test_what_a_descriptor_notes_each_time_it_is_asked_is_no_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: list[str]
) -> None:
    (tmp_path / "mlopsnoting.py").write_text(textwrap.dedent(NOTING))
    monkeypatch.syspath_prepend(tmp_path)
    library = importlib.import_module("mlopsnoting")
    try:
        note_imported("mlopsnoting")
        before = package_snapshot({"mlopsnoting"})
        exec(code, {"m": library})
        changes = package_changes(before, package_snapshot({"mlopsnoting"}))
        assert changes == [f"mlopsnoting.{path}" for path in told]
    finally:
        del sys.modules["mlopsnoting"]

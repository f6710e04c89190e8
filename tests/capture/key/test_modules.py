"""Project-local modules: found through their imports, known by source and by what they hold."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.capture.digest.content import Walker
from jupyter_mlops.capture.key import modules as capture_modules
from jupyter_mlops.capture.key.modules import LocalModules, module_doubts
from jupyter_mlops.domain.reason import Reason, ReasonCode

NAMES = ("mlopsa", "mlopsb", "mlopspkg")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "mlopsa.py").write_text("import mlopsb\nimport json\nK = 1\ndef f():\n    return mlopsb.x\n")
    (tmp_path / "mlopsb.py").write_text("x = [1]\n")
    package = tmp_path / "mlopspkg"
    package.mkdir()
    (package / "__init__.py").write_text("from .one import y\n")
    (package / "one.py").write_text("from . import two\nfrom .two import z as y\n")
    (package / "two.py").write_text("z = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in list(sys.modules):
        if name.partition(".")[0] in NAMES:
            del sys.modules[name]


def digests(modules: LocalModules, name: str) -> tuple[dict[str, str], list[str]]:
    return modules.ingredients(modules.closure({name}), Walker({}))


@pytest.mark.parametrize("loaded", [False, True])
def test_imports_are_followed_through_local_modules_and_no_further(project: Path, loaded: bool) -> None:
    if loaded:
        importlib.import_module("mlopsa")
        importlib.import_module("mlopspkg")
    modules = LocalModules()
    modules.look()
    assert modules.closure({"mlopsa", "numpy", "nosuch"}) == {
        "mlopsa": str(project / "mlopsa.py"),
        "mlopsb": str(project / "mlopsb.py"),
    }
    assert set(modules.closure({"mlopspkg.one"})) == {"mlopspkg", "mlopspkg.one", "mlopspkg.two"}


def test_a_change_of_source_in_any_of_them_shows(project: Path) -> None:
    before, _ = digests(LocalModules(), "mlopsa")
    (project / "mlopsb.py").write_text("x = [2]\n")
    after, _ = digests(LocalModules(), "mlopsa")
    assert before["mlopsa"] == after["mlopsa"]
    assert before["mlopsb"] != after["mlopsb"]


def test_a_value_that_a_loaded_module_holds_is_part_of_it(project: Path) -> None:
    module = importlib.import_module("mlopsb")
    modules = LocalModules()
    modules.look()
    before, _ = digests(modules, "mlopsb")
    module.x.append(2)
    after, doubts = digests(modules, "mlopsb")
    assert before != after
    assert doubts == []


def test_a_function_replaced_by_hand_shows(project: Path) -> None:
    module = importlib.import_module("mlopsa")
    modules = LocalModules()
    modules.look()
    before, _ = digests(modules, "mlopsa")
    module.f = lambda: 2
    assert digests(modules, "mlopsa")[0] != before


def test_source_edited_since_it_was_imported_is_a_doubt_until_restart(project: Path) -> None:
    importlib.import_module("mlopsb")
    modules = LocalModules()
    modules.look()
    (project / "mlopsb.py").write_text("x = [3]\n")
    _, doubts = digests(modules, "mlopsb")
    assert doubts == [Reason(ReasonCode.EDITED_MODULE, "mlopsb.py")]


def test_what_a_module_does_anywhere_is_doubted(project: Path) -> None:
    (project / "mlopsb.py").write_text("import time\ndef f():\n    return time.time()\n")
    found = module_doubts(str(project / "mlopsb.py"))
    assert found is not None
    assert "time.time" in found.chains
    (project / "mlopsb.py").write_text("x = = 1")
    assert module_doubts(str(project / "mlopsb.py")) is None
    assert module_doubts(str(project / "none.py")) is None


def test_a_module_is_noted_whatever_became_of_the_one_that_was_loaded_last(project: Path) -> None:
    modules = LocalModules()
    importlib.import_module("mlopsb")
    modules.look()
    assert modules._newest[0] == "mlopsb"
    del sys.modules["mlopsb"]
    importlib.import_module("mlopsa")  # and, by it, mlopsb anew
    last = sys.modules.pop("mlopsa")
    sys.modules["mlopsa"] = last
    importlib.import_module("mlopspkg")
    again = sys.modules.pop("mlopsb")
    sys.modules["mlopsb"] = again
    modules.look()
    assert {"mlopsa", "mlopsb", "mlopspkg", "mlopspkg.two"} <= modules._sources.keys()


def test_a_local_module_under_the_name_of_a_library_out_of_sight_is_local(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_modules, "_libraries", {})
    monkeypatch.setattr(capture_modules, "_library_names", set())
    monkeypatch.setattr(capture_modules, "_newest", ["", None])
    capture_modules.know_libraries({"mlopsb": importlib.import_module("json")})
    assert "json" in capture_modules._library_names
    modules = LocalModules()
    importlib.import_module("mlopsb")
    modules.look()
    assert "mlopsb" in modules._sources
    assert digests(modules, "mlopsb")[0]


def test_a_library_is_not_parsed_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is parsed and walked through decides what a step costs: of a large library nothing may be."""
    package = tmp_path / "mlopspkg"
    package.mkdir()
    (package / "__init__.py").write_text("from . import one\n")
    (package / "one.py").write_text("x = 1\n")
    (tmp_path / "mlopsa.py").write_text("import mlopspkg\n")
    info = tmp_path / "mlopspkg-1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("mlopspkg/__init__.py,,\nmlopspkg/one.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    parsed: list[str] = []
    read = capture_modules._text_of
    monkeypatch.setattr(capture_modules, "_text_of", lambda file: (parsed.append(file), read(file))[1])
    modules = LocalModules().install()
    try:
        importlib.import_module("mlopsa")
        modules.look()
        assert modules.closure({"mlopsa", "mlopspkg.one"}) == {"mlopsa": str(tmp_path / "mlopsa.py")}
    finally:
        sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "ImportNotes"]
        for name in ("mlopsa", "mlopspkg", "mlopspkg.one"):
            sys.modules.pop(name, None)
    assert {file for file in parsed if file.startswith(str(tmp_path))} == {str(tmp_path / "mlopsa.py")}


def test_a_module_in_an_archive_is_known_by_its_source_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packed(source: str) -> None:
        with zipfile.ZipFile(tmp_path / "deps.zip", "w") as archive:
            archive.writestr("mlopsb.py", "import mlopsa\n")
            archive.writestr("mlopsa.py", source)

    packed("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path / "deps.zip")
    before, doubts = digests(LocalModules(), "mlopsb")
    assert before.keys() == {"mlopsa", "mlopsb"}
    assert doubts == []
    found = module_doubts(str(tmp_path / "deps.zip" / "mlopsa.py"))
    assert found is not None
    packed("x = 2\n")
    after, _ = digests(LocalModules(), "mlopsb")
    assert after["mlopsa"] != before["mlopsa"]
    assert after["mlopsb"] == before["mlopsb"]

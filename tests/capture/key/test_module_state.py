"""What a loaded module holds is in the key only where it is not what the import gave."""

from __future__ import annotations

import importlib
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.capture.digest.content import Walker
from jupyter_mlops.capture.key.import_notes import ImportNotes
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.domain.reason import Reason, ReasonCode

SOURCE = """
import logging, threading
log, lock = logging.getLogger(__name__), threading.Lock()
table = {"a": 1}
_cache = {}
def f(x=[0]):
    _cache[0] = x
    return 10
class Model:
    width = 1
    def fit(self):
        return 1
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "mlopsheld.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("mlopsheld")]:
        del sys.modules[name]


@pytest.fixture
def modules() -> Iterator[LocalModules]:
    yield LocalModules().install()
    for finder in [finder for finder in sys.meta_path if isinstance(finder, ImportNotes)]:
        finder.remove()


def key(modules: LocalModules, name: str = "mlopsheld") -> dict[str, str]:
    digests, doubts = modules.ingredients(modules.closure({name}), Walker({}))
    assert doubts == []
    return digests


def test_it_does_not_matter_whether_an_unchanged_module_is_loaded(modules: LocalModules) -> None:
    before = key(modules)
    module = importlib.import_module("mlopsheld")
    module.f()
    modules.look()
    assert key(modules) == before


@pytest.mark.parametrize(
    "change",
    [
        "m.table['b'] = 2",
        "m.new = 1",
        "m.f = lambda: 11",
        "m.f.__defaults__[0].append(1)",
        "m.f.note = 1",
        "m.Model.width = 2",
        "m.Model.fit = lambda self: 2",
        "del m.table",
    ],
)
def test_a_change_in_the_very_cell_that_imports_shows(modules: LocalModules, change: str) -> None:
    before = key(modules)
    exec(f"import mlopsheld as m\n{change}")
    modules.look()
    assert key(modules) != before


def test_a_change_that_is_undone_leaves_the_key(modules: LocalModules) -> None:
    before = key(modules)
    module = importlib.import_module("mlopsheld")
    module.table["a"] = 2
    assert key(modules) != before
    module.table["a"] = 1
    assert key(modules) == before


def test_a_module_that_was_loaded_before_anyone_looked_counts_with_what_it_holds() -> None:
    importlib.import_module("mlopsheld")
    modules = LocalModules().install()
    modules.look()
    loaded = key(modules)
    del sys.modules["mlopsheld"]
    assert key(modules) != loaded


def test_a_comment_is_no_change_and_another_constant_is(modules: LocalModules, project: Path) -> None:
    before = key(modules)
    importlib.import_module("mlopsheld")
    (project / "mlopsheld.py").write_text("# a remark\n" + SOURCE)
    assert key(modules) == before
    (project / "mlopsheld.py").write_text(SOURCE.replace("10", "11"))
    _, doubts = modules.ingredients(modules.closure({"mlopsheld"}), Walker({}))
    assert doubts == [Reason(ReasonCode.EDITED_MODULE, "mlopsheld.py")]


def test_a_reload_takes_the_new_source(modules: LocalModules, project: Path) -> None:
    module = importlib.import_module("mlopsheld")
    before = key(modules)
    (project / "mlopsheld.py").write_text(SOURCE.replace("10", "1234"))
    importlib.reload(module)
    assert module.f() == 1234
    assert key(modules) != before


def test_files_that_it_names_or_reads_while_it_is_imported_count(modules: LocalModules, project: Path) -> None:
    (project / "config.json").write_text("1")
    (project / "data.txt").write_text("1")
    text = "import os\nHERE = os.path.dirname(__file__)\nA = open(os.path.join(HERE, 'config.json')).read()\n"
    (project / "mlopsheldreads.py").write_text(text + "B = open(os.path.join(HERE, 'da' + 'ta.txt')).read()\n")
    unloaded = key(modules, "mlopsheldreads")
    (project / "config.json").write_text("2")
    other = key(modules, "mlopsheldreads")
    assert other != unloaded
    importlib.import_module("mlopsheldreads")
    loaded = key(modules, "mlopsheldreads")
    (project / "data.txt").write_text("2")
    assert len({*map(str, (unloaded, other, loaded, key(modules, "mlopsheldreads")))}) == 4


def test_a_file_that_only_a_function_of_it_reads_is_no_part_of_it(modules: LocalModules, project: Path) -> None:
    (project / "p.txt").write_text("1")
    (project / "mlopsheldlater.py").write_text("def load():\n    return open('p.txt').read()\n")
    (project / "mlopsheldnow.py").write_text("def load():\n    return open('p.txt').read()\nDATA = load()\n")
    before = key(modules, "mlopsheldlater"), key(modules, "mlopsheldnow")
    (project / "p.txt").write_text("2")
    assert key(modules, "mlopsheldlater") == before[0]
    assert key(modules, "mlopsheldnow") != before[1]


def test_modules_of_a_namespace_package_are_followed(modules: LocalModules, project: Path) -> None:
    (project / "mlopsheldspace").mkdir()
    (project / "mlopsheldspace/one.py").write_text("from mlopsheldspace import two\n")
    (project / "mlopsheldspace/two.py").write_text("x = 1\n")
    expected = {"mlopsheldspace.one", "mlopsheldspace.two"}
    assert set(modules.closure({"mlopsheldspace.one"})) == expected
    importlib.import_module("mlopsheldspace.one")
    modules.look()
    assert set(modules.closure({"mlopsheldspace.one"})) == expected


def test_the_loader_and_a_traceback_are_what_they_are_without_us(modules: LocalModules, project: Path) -> None:
    module = importlib.import_module("mlopsheld")
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert "exec_module" not in vars(module.__loader__)
    (project / "mlopsheldbroken.py").write_text("1 / 0\n")
    try:
        exec("import mlopsheldbroken")
    except ZeroDivisionError as error:
        files = [Path(frame.filename).name for frame in traceback.extract_tb(error.__traceback__)]
    assert files == ["test_module_state.py", "<string>", "mlopsheldbroken.py"]


def test_a_package_that_is_imported_and_configured_in_one_cell_shows() -> None:
    code = """
from jupyter_mlops.capture.libraries import package_changes, package_snapshot
from jupyter_mlops.capture.key.modules import LocalModules
LocalModules().install()
before = package_snapshot({"scipy", "yaml"})
import yaml
assert package_changes(before, package_snapshot({"yaml"})) == []
yaml.SafeLoader.yaml_constructors["!x"] = None
changes = package_changes(before, package_snapshot({"yaml"}))
assert changes == ["yaml.loader.SafeLoader.yaml_constructors.!x"] or "yaml_constructors" in changes[0], changes
import scipy.stats
import scipy.optimize
scipy.stats.norm.fit([1, 2, 3])
assert package_changes(before, package_snapshot({"scipy"})) == [], package_changes(before, package_snapshot({"scipy"}))
scipy.optimize.mine = 1
assert package_changes(before, package_snapshot({"scipy"})) == ["scipy.optimize.mine"]
"""
    subprocess.run([sys.executable, "-c", code], check=True)

"""What is found of a step before it runs: the parts of its key, and why its result could not be reused."""

from __future__ import annotations

import datetime
import os
import os.path
import random
import threading
import time
import types
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.capture.key.effects import ANY_LIBRARY, effects_of
from jupyter_mlops.capture.key.examination import Examination, examine
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.capture.key.world import LiveWorld
from jupyter_mlops.domain.reason_text import phrases


def world_of(namespace: dict[str, Any], effect: str = "") -> LiveWorld:
    """The world of a namespace; `effect` stands for a cell that configured what may concern any library."""
    world = LiveWorld(namespace, {})
    if effect:
        world.effects[ANY_LIBRARY] = effect
    return world


def examined(code: str, effect: str = "", mode: str = "", **namespace: Any) -> Examination:
    return examine(cell_facts(code), world_of(namespace, effect), LocalModules(), display_mode=mode)


def test_a_step_without_doubts_has_no_reasons_and_its_parts_are_named() -> None:
    found = examined("y = x + 1\nz = missing", x=1)
    assert found.reasons == []
    assert set(found.inputs) == {"x"}
    assert found.ingredients["input:missing"] == "absent"
    assert {"code", "python", "packages", "display", "input:x"} <= set(found.ingredients)


def test_the_key_is_equal_for_equal_parts_and_differs_with_each() -> None:
    key = examined("y = x", x=1).key
    assert examined("y = x  # why", x=1).key == key
    others = [
        examined("y = x", x=2),
        examined("y = x", x=1.0),
        examined("y = x", x=True),
        examined("y = x"),
        examined("y = -x", x=1),
        examined("y = x", effect="effect", x=1),
        examined("y = x", mode="all", x=1),
    ]
    assert len({key, *(other.key for other in others)}) == 8


def test_names_that_are_not_read_do_not_count() -> None:
    assert examined("y = x", x=1, z=1).key == examined("y = x", x=1, z=2, w=3).key


@pytest.mark.parametrize(
    ("code", "namespace", "part"),
    [
        ("t = now()", {"now": datetime.datetime.now}, "clock"),
        ("t = clock()", {"clock": time.time}, "clock"),
        ("i = new()", {"new": uuid.uuid4}, "entropy"),
        ("i = u()", {"u": os.urandom}, "entropy"),
        ("e = exists('a')", {"exists": os.path.exists}, "looks for files"),
        ("e = there()", {"there": Path("a").exists}, "looks for files"),
        ("c = cwd()", {"cwd": os.getcwd}, "working folder"),
        ("c = cwd()", {"cwd": Path.cwd}, "working folder"),
        ("p = run(['ls'])", {"run": __import__("subprocess").run}, "process"),
        ("s = m.get('x')", {"m": types.ModuleType("requests")}, "network"),
        ("from uuid import uuid4 as u\ni = u()", {}, "entropy"),
        ("from os.path import getmtime\nt = getmtime('a')", {}, "looks for files"),
        ("import datetime as d\nt = d.date.today()", {}, "clock"),
        ("from time import *\nt = time()", {}, "imports everything"),
        ("print(_)", {"_": 1}, "history"),
        ("print(_3)", {"_3": 1}, "history"),
        ("print(Out[1])", {"Out": {}}, "history"),
        ("m = C.x", {"C": types.SimpleNamespace(x=threading.Lock())}, "content cannot be determined"),
        ("y = next(g)", {"g": (n for n in range(3))}, "content cannot be determined"),
    ],
)
def test_what_cannot_be_repeated_is_a_reason_by_whatever_name(code: str, namespace: dict[str, Any], part: str) -> None:
    assert part in phrases(examined(code, **namespace).reasons)


@pytest.mark.parametrize(
    ("code", "namespace"),
    [
        ("t = clock()", {"clock": time.perf_counter}),
        ("y = np.sqrt(x)", {"np": np, "x": np.arange(3)}),
        ("r = generator.random()", {"generator": np.random.default_rng(1)}),
        ("p = join('a', 'b')", {"join": os.path.join}),
        ("s = Path('a') / 'b'", {"Path": Path}),
        ("d = date(2020, 1, 1)", {"date": datetime.date}),
        ("r = random.random()", {"random": random}),
    ],
)
def test_what_can_be_repeated_is_not(code: str, namespace: dict[str, Any]) -> None:
    assert examined(code, **namespace).reasons == []


def test_texts_that_name_files_are_parts_of_the_key_where_native_code_may_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.parquet").write_text("one")
    (tmp_path / "b.parquet").write_text("two")
    found = examined(
        "x = read_parquet('a.parquet'); y = f(name); z = f(path)", name="b.parquet", path=Path("b.parquet")
    )
    files = {name for name in found.ingredients if name.startswith("file:")}
    assert files == {f"file:{tmp_path / 'a.parquet'}", f"file:{tmp_path / 'b.parquet'}"}
    before = examined("x = read_parquet('a.parquet')").key
    (tmp_path / "a.parquet").write_text("three")
    assert examined("x = read_parquet('a.parquet')").key != before
    assert not any(name.startswith("file:") for name in examined("x = open('a.parquet')").ingredients), "that is seen"


def test_environment_variables_read_are_parts_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os\nx = os.environ['MLOPS_TEST_KEY']"
    monkeypatch.setenv("MLOPS_TEST_KEY", "one")
    one = examined(code)
    monkeypatch.setenv("MLOPS_TEST_KEY", "two")
    two = examined(code)
    monkeypatch.delenv("MLOPS_TEST_KEY")
    none = examined(code)
    assert len({one.key, two.key, none.key}) == 3
    assert none.ingredients["environment:MLOPS_TEST_KEY"] == "absent"
    assert "one" not in str(one.ingredients), "a value may be a secret"


@pytest.mark.parametrize(
    ("code", "namespace"),
    [
        ("plt.style.use('x')", {"plt": types.ModuleType("fancyplots")}),
        ("lib.option = 1", {"lib": types.ModuleType("lib")}),
        ("lib.table['a'] = 1", {"lib": types.ModuleType("lib")}),
        ("import lib\nlib.set_theme()", {}),
        ("x = lib.set_theme()", {"lib": types.ModuleType("lib")}),
        ("%pylab inline", {}),
        ("exec('x = 1')", {}),
    ],
)
def test_a_cell_that_may_change_a_librarys_state_has_an_effect(code: str, namespace: dict[str, Any]) -> None:
    assert effects_of(cell_facts(code).doubts, world_of(namespace))


@pytest.mark.parametrize(
    ("code", "namespace"),
    [
        ("x = lib.compute()", {"lib": types.ModuleType("lib")}),
        ("df['a'] = 1\nm.fit(x)", {"df": {}, "m": object()}),
        ("np.random.seed(1)", {"np": np}),
        ("print(x)", {"x": 1}),
        ("import lib", {}),
    ],
)
def test_a_cell_that_only_computes_has_none(code: str, namespace: dict[str, Any]) -> None:
    assert effects_of(cell_facts(code).doubts, world_of(namespace)) == {}

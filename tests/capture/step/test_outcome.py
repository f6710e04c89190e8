"""What a step did to the namespace."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.capture.key.examination import examine
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.capture.key.world import LiveWorld
from jupyter_mlops.capture.step.logged import named_metrics
from jupyter_mlops.capture.step.outcome import StepOutcome, judge
from jupyter_mlops.domain.step_spec import StepSpec


def judged(code: str, **namespace: Any) -> StepOutcome:
    """Run `code` in the namespace, of which all is known, and judge what it did."""
    namespace["__name__"] = "__main__"
    world = LiveWorld(namespace, {})
    for name in world.user_names():
        world.know(name)
    found = examine(cell_facts(code), world, LocalModules(), display_mode="")
    names = {*found.inputs, *(found.facts.names.writes & namespace.keys())}
    before, known, shapes = dict(namespace), world.known_now(), world.shapes(names)
    exec(code, namespace)
    namespace.pop("__builtins__", None)
    return judge(world, found, before, known, shapes)


def test_names_bound_are_results_and_names_deleted_are_told() -> None:
    outcome = judged("y = x + 1\nz = [y]\ndel gone", x=1, gone=2)
    assert set(outcome.outputs) == {"y", "z"}
    assert outcome.bound == {"y", "z"}
    assert outcome.deleted == {"gone"}
    assert outcome.reasons == []


def test_a_name_bound_to_an_equal_value_is_bound_all_the_same() -> None:
    assert judged("x = [1]", x=[1]).bound == {"x"}


def test_a_name_bound_to_the_very_object_it_had_is_bound_too() -> None:
    assert judged("x = 1", x=1).bound == {"x"}


def test_where_it_only_may_have_been_bound_what_it_was_is_a_condition() -> None:
    outcome = judged("if y:\n    x = 1", x=1, y=True)
    assert outcome.bound == {"x"}
    assert set(outcome.shapes) == {"x"}
    assert judged("if y:\n    x = 2", x=1, y=True).shapes == {}


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("x.append(1)", list),
        ("x['a'] = 1", dict),
        ("x[0] = 5", lambda: np.zeros(3)),
        ("x['b'] = 1", lambda: pd.DataFrame({"a": [1]})),
        ("x.loc[0, 'a'] = 2", lambda: pd.DataFrame({"a": [1]})),
        ("x.attr = 1", lambda: pd.Series([1])),
        ("x += [1]", list),
        ("w = x[1:]\nw[0] = 9\ndel w", lambda: np.zeros(3)),
        ("x.random()", lambda: np.random.default_rng(1)),
    ],
)
def test_a_value_changed_in_place_is_a_result(code: str, make: Callable[[], Any]) -> None:
    outcome = judged(code, x=make())
    assert outcome.changed == {"x"}
    assert outcome.known["x"].digest


def test_what_reaches_a_changed_value_is_part_of_the_result() -> None:
    inner: list[int] = []
    outcome = judged("x.append(1)", x=inner, y={"in": inner}, z=[])
    assert outcome.changed == {"x", "y"}, "another name for the same list changed too"
    assert outcome.groups == [{"x", "y"}]
    assert set(outcome.shapes) == {"x,y"}, "and how they hung together before is a condition of the reuse"


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("y = x", list),
        ("y = [x]", dict),
        ("y = x[1:]", lambda: np.zeros(3)),
        ("y = x['a']", lambda: {"a": []}),
    ],
)
def test_a_result_that_shares_with_an_input_keeps_it_with_it(code: str, make: Callable[[], Any]) -> None:
    outcome = judged(code, x=make())
    assert outcome.groups == [{"x", "y"}]
    assert outcome.kept == {"x"}
    assert outcome.changed == set()


@pytest.mark.parametrize("code", ["y = x", "y = (x, x)", "y = x + 1"])
def test_sharing_an_immutable_value_is_none(code: str) -> None:
    outcome = judged(code, x=7)
    assert (outcome.groups, outcome.kept) == ([{"y"}], set())


def test_frames_do_not_share_where_pandas_copies_on_write() -> None:
    outcome = judged("y = x[x.a > 0]\nz = x.assign(b=1)", x=pd.DataFrame({"a": [1, 2]}))
    assert outcome.kept == set()


def test_a_result_without_content_to_tell_is_lost() -> None:
    outcome = judged("y = make()", make=threading.Lock)
    assert outcome.known["y"].lost
    assert outcome.reasons == []


def test_the_shells_own_names_are_not_the_steps() -> None:
    outcome = judged("_ = 1; __ = 2; _5 = 3; _i5 = 4; _ih = 5; Out = 6; mine = 7; _mine = 8")
    assert outcome.bound == {"mine", "_mine"}


def test_metrics_are_numbers_and_the_rest_is_told() -> None:
    namespace = {"a": 1, "b": np.float32(0.5), "c": True, "d": "x", "e": math.inf, "f": np.zeros(2), "g": "0.5"}
    metrics, problems = named_metrics(StepSpec("s", tuple("abcdefh")), namespace)
    assert metrics == {"a": 1.0, "b": 0.5, "c": 1.0}
    assert [problem.split("'")[1] for problem in problems] == ["d", "f", "h", "e"]
    assert all("'s'" in problem for problem in problems)


def test_a_text_that_looks_like_a_number_is_not_taken_for_one() -> None:
    assert named_metrics(StepSpec("s", ("g",)), {"g": "0.5"})[0] == {}

"""What a step did to the namespace."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_mlops.analysis.code import cell_facts
from jupyter_mlops.capture.key import examine
from jupyter_mlops.capture.modules import LocalModules
from jupyter_mlops.capture.outcome import Outcome, judge, named_metrics
from jupyter_mlops.domain.step import StepSpec


def judged(code: str, *, failed: bool = False, **namespace: Any) -> Outcome:
    """Run `code` in the namespace and judge what it did."""
    namespace["__name__"] = "__main__"
    found = examine(cell_facts(code), namespace, LocalModules(), path="", display_mode="")
    before = dict(namespace)
    exec(code, namespace)
    namespace.pop("__builtins__", None)
    return judge(found, before, namespace, [], failed=failed)


def test_names_bound_are_results_and_names_deleted_are_told() -> None:
    outcome = judged("y = x + 1\nz = [y]\ndel gone", x=1, gone=2)
    assert set(outcome.digests) == {"y", "z"}
    assert outcome.bound == {"y", "z"}
    assert outcome.deleted == {"gone"}
    assert outcome.reasons == []


def test_a_name_bound_to_an_equal_value_is_bound_all_the_same() -> None:
    assert judged("x = [1]", x=[1]).bound == {"x"}


def test_a_name_bound_to_the_same_object_is_not() -> None:
    assert judged("x = x", x=[1]).bound == set()


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
        ("y = x[1:]\ny[0] = 9", lambda: np.zeros(3)),
        ("x.random()", lambda: np.random.default_rng(1)),
    ],
)
def test_a_value_changed_in_place_makes_the_step_unrepeatable(code: str, make: Callable[[], Any]) -> None:
    assert "changes 'x' in place" in judged(code, x=make()).reasons


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("y = x", list),
        ("y = [x]", dict),
        ("y = x[1:]", lambda: np.zeros(3)),
        ("y = x['a']", lambda: {"a": []}),
        ("y = x.values", lambda: pd.Series([1.0, 2.0])),
    ],
)
def test_a_result_that_shares_memory_with_an_input_is_unrepeatable(code: str, make: Callable[[], Any]) -> None:
    reasons = judged(code, x=make()).reasons
    assert any("shares memory with its input 'x'" in reason for reason in reasons) or not shares_for_real(code, make)


def shares_for_real(code: str, make: Callable[[], Any]) -> bool:
    """Whether a change through the result can reach the input: not where pandas gives read-only views."""
    namespace: dict[str, Any] = {"x": make()}
    exec(code, namespace)
    result = namespace["y"]
    return not isinstance(result, np.ndarray) or bool(result.flags.writeable)


@pytest.mark.parametrize("code", ["y = x", "y = (x, x)", "y = x + 1"])
def test_sharing_an_immutable_value_is_none(code: str) -> None:
    assert judged(code, x=7).reasons == []


def test_frames_do_not_share_where_pandas_copies_on_write() -> None:
    assert judged("y = x[x.a > 0]\nz = x.assign(b=1)", x=pd.DataFrame({"a": [1, 2]})).reasons == []


def test_a_result_without_content_to_tell_is_unrepeatable() -> None:
    (reason,) = judged("y = make()", make=threading.Lock).reasons
    assert reason.startswith("makes 'y', whose content cannot be told")


def test_of_a_failed_step_only_the_bound_names_are_looked_for() -> None:
    outcome = judged("y = make()", failed=True, make=threading.Lock)
    assert (outcome.bound, outcome.digests, outcome.reasons) == ({"y"}, {}, [])


def test_the_shells_own_names_are_not_the_steps() -> None:
    outcome = judged("_ = 1; __ = 2; _5 = 3; _i5 = 4; _ih = 5; Out = 6; mine = 7; _mine = 8; __mine = 9")
    assert outcome.bound == {"mine", "_mine", "__mine"}


def test_metrics_are_numbers_and_the_rest_is_told() -> None:
    namespace = {"a": 1, "b": np.float32(0.5), "c": True, "d": "x", "e": math.inf, "f": np.zeros(2), "g": "0.5"}
    metrics, problems = named_metrics(StepSpec("s", tuple("abcdefh")), namespace)
    assert metrics == {"a": 1.0, "b": 0.5, "c": 1.0}
    assert [problem.split("'")[1] for problem in problems] == ["d", "f", "h", "e"]
    assert all("'s'" in problem for problem in problems)


def test_a_text_that_looks_like_a_number_is_not_taken_for_one() -> None:
    assert named_metrics(StepSpec("s", ("g",)), {"g": "0.5"})[0] == {}

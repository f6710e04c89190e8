"""A digest is of what an object of the notebook holds, not of what it says of itself."""

from __future__ import annotations

import collections
import copyreg
import dataclasses
import datetime
import io
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from jupyter_mlops.capture.digest.content import Undigestible, Walker
from jupyter_mlops.capture.digest.walk import HasLastWords


class Base:
    def __init__(self, shown: Any, hidden: Any) -> None:
        self.shown, self.hidden = shown, hidden


class State(Base):
    def __getstate__(self) -> dict[str, Any]:
        return {"shown": self.shown}


class Reduced(Base):
    def __reduce__(self) -> Any:
        return Reduced, (self.shown, 0)


class ReducedEx(Base):
    def __reduce_ex__(self, protocol: Any) -> Any:
        return ReducedEx, (self.shown, 0)


class Registered(Base):
    """Pickled as `copyreg` says."""


class Property(Base):
    def __init__(self, shown: Any, hidden: Any) -> None:
        object.__setattr__(self, "hidden", hidden)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return {}


class Slot:
    __slots__ = ("__dict__", "hidden")


class Beside(Slot):
    def __init__(self, shown: Any, hidden: Any) -> None:
        self.shown, self.hidden = shown, hidden

    def __getstate__(self) -> Any:
        return self.__dict__


class List(list):  # type: ignore[type-arg]
    def __init__(self, shown: Any, hidden: Any) -> None:
        super().__init__([hidden])

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Dict(dict):  # type: ignore[type-arg]
    def __init__(self, shown: Any, hidden: Any) -> None:
        super().__init__(hidden=hidden)

    def items(self) -> Any:
        return {}.items()


class Buffer(io.BytesIO):
    def __init__(self, shown: Any, hidden: Any) -> None:
        super().__init__(bytes([hidden]))

    def __reduce__(self) -> Any:
        return Buffer, (0, 0)


class Number(int):
    def __new__(cls, shown: Any, hidden: Any) -> Number:
        return int.__new__(cls, hidden)

    def __reduce__(self) -> Any:
        return Number, (0, 0)


class Pair(NamedTuple):
    one: int
    two: int


class Iterates(Pair):
    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter((0, 0))


class Array(np.ndarray):  # type: ignore[type-arg]
    def __reduce__(self) -> Any:
        return np.zeros, (1,)


class Frame(pd.DataFrame):
    """With an attribute that pandas takes for one of its own."""


def with_attribute(kind: Any, *given: Any) -> Callable[[Any, Any], Any]:
    def make(shown: Any, hidden: Any) -> Any:
        made = type(f"Of{kind.__name__}", (kind,), {"__module__": __name__})(*given)
        object.__setattr__(made, "_hidden", hidden)
        return made

    return make


def error(shown: Any, hidden: Any) -> Exception:
    try:
        raise ValueError(shown) from KeyError(hidden)
    except ValueError as found:
        return found


HIDING: dict[str, Callable[[Any, Any], Any]] = {
    **{kind.__name__: kind for kind in (State, Reduced, ReducedEx, Registered, Property, Beside, List, Dict, Buffer)},
    "a number": Number,
    "a named tuple": lambda shown, hidden: Iterates(hidden, hidden),
    "an array": lambda shown, hidden: np.array([hidden]).view(Array),
    "a frame": with_attribute(pd.DataFrame, {"a": [1]}),
    "a date": with_attribute(datetime.date, 2020, 1, 1),
    "a time": with_attribute(datetime.datetime, 2020, 1, 1),
    "a generator": with_attribute(random.Random, 1),
    "a counter": with_attribute(collections.Counter, "aab"),
    "an error": error,
}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    copyreg.pickle(Registered, lambda value: (Registered, (value.shown, 0)))  # type: ignore[arg-type, return-value]
    yield
    del copyreg.dispatch_table[Registered]


def digest(value: Any) -> str:
    return Walker({}).fingerprint("value", value).digest


@pytest.mark.parametrize("name", HIDING)
def test_what_a_pickled_form_leaves_out_counts(name: str) -> None:
    make = HIDING[name]
    assert digest(make(1, 2)) != digest(make(1, 3))
    assert digest([make(1, 2)]) != digest([make(1, 3)])


def test_what_is_left_out_is_named() -> None:
    assert Walker({}).fingerprint("value", {"a": [State(1, 2)]}).hides == ("State.hidden",)
    assert Walker({}).fingerprint("value", error(1, 2)).hides == ("ValueError.__cause__", "ValueError.__traceback__")


def test_a_hidden_value_that_happens_to_equal_one_that_is_shown_counts() -> None:
    assert digest(State(1, 1)) != digest(State(1, 2))


def test_what_is_hidden_and_cannot_be_told_is_named() -> None:
    with pytest.raises(Undigestible, match=r"value\[0\].hidden: cannot pickle '_thread.lock' object"):
        digest([State(1, threading.Lock())])


def test_a_value_that_does_something_when_it_goes_cannot_be_told() -> None:
    class Last:
        def __del__(self) -> None:
            """Nothing."""

    with pytest.raises(HasLastWords, match="its class Last runs code when it is deleted"):
        digest([Last()])


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int


class Whole(Base):
    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)


class Estimator(BaseEstimator):  # type: ignore[misc]
    def __init__(self, depth: int = 1) -> None:
        self.depth = depth


class Failure(Exception):
    """Of the notebook."""


@pytest.mark.parametrize("value", [Frozen(1), Whole(1, [2]), Estimator(2), Failure("a"), Base(1, 2)])
def test_a_pickled_form_that_is_whole_loses_nothing(value: Any) -> None:
    import pickle

    assert digest(pickle.loads(pickle.dumps(value, 5))) == digest(value)

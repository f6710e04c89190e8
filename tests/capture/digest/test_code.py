"""Digests of functions and classes of the notebook: what they are made of, and the names they look up when called."""

from __future__ import annotations

import functools
import pickle
import sys
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_mlops.capture.digest.content import Fingerprint, Undigestible, Walker


def in_the_notebook(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__", "partial": functools.partial}
    exec(code, namespace)
    return namespace


def print_of(code: str, name: str = "f") -> Fingerprint:
    namespace = in_the_notebook(code)
    return Walker(namespace).fingerprint(name, namespace[name])


FUNCTIONS = [
    ("def f(): return 1", "def f(): return 2"),
    ("def f(): return 1", "def f(): return 1.0"),
    ("def f(): return 1", "def f(): return True"),
    ("def f(): return 0.0", "def f(): return -0.0"),
    ("def f(): return 'a'", "def f(): return b'a'"),
    ("def f(): return a.b", "def f(): return a.c"),
    ("def f(a=1): return a", "def f(a=2): return a"),
    ("def f(*, a=1): return a", "def f(*, a=2): return a"),
    ("def f(a, b): return a", "def f(b, a): return b"),
    ("def f(a: int): return a", "def f(a: str): return a"),
    ("def f(a, /): return a", "def f(a): return a"),
    ("def f(): return k", "def f(): return l"),
    ("def f():\n    def g(): return 1\n    return g", "def f():\n    def g(): return 2\n    return g"),
    ("def h(n):\n    return lambda: n\nf = h(1)", "def h(n):\n    return lambda: n\nf = h(2)"),
    ("def f(): pass\nf.x = 1", "def f(): pass\nf.x = 2"),
    ("def f():\n    try: a()\n    except E: b()", "def f():\n    a()\n    try: b()\n    except E: pass"),
    ("class f:\n    x = 1", "class f:\n    x = 2"),
    ("class f:\n    x = 1\n    y = 1", "class f:\n    y = 1\n    x = 1"),
    ("class f:\n    def m(self): return 1", "class f:\n    def m(self): return 2"),
    ("class f:\n    @property\n    def m(self): return 1", "class f:\n    @property\n    def m(self): return 2"),
    ("class f:\n    @staticmethod\n    def m(): return 1", "class f:\n    @classmethod\n    def m(): return 1"),
    ("class f:\n    __slots__ = ('a',)", "class f:\n    __slots__ = ('b',)"),
    ("class B: pass\nclass f(B): pass", "class B:\n    x = 1\nclass f(B): pass"),
    ("class M(type): pass\nclass f(metaclass=M): pass", "class M(type):\n    x = 1\nclass f(metaclass=M): pass"),
    ("class C:\n    x = 1\nf = C()", "class C:\n    x = 2\nf = C()"),
    ("class C:\n    def m(self): return 1\nf = C().m", "class C:\n    def m(self): return 2\nf = C().m"),
    ("def g(): return 1\nf = partial(g)", "def g(): return 2\nf = partial(g)"),
    ("f = [lambda: 1]", "f = [lambda: 2]"),
    (
        "import dataclasses\n@dataclasses.dataclass\nclass f:\n    a: int = 1",
        "import dataclasses\n@dataclasses.dataclass\nclass f:\n    a: int = 2",
    ),
    ("import enum\nclass f(enum.Enum):\n    A = 1", "import enum\nclass f(enum.Enum):\n    A = 2"),
    ("import typing\nf = typing.TypeVar('T')", "import typing\nf = typing.TypeVar('T', bound=int)"),
    (
        "import functools\n@functools.lru_cache\ndef f(x): return 1",
        "import functools\n@functools.lru_cache\ndef f(x): return 2",
    ),
    (
        "from collections import namedtuple\nP = namedtuple('P', 'a b')\nf = P(1, 2)",
        "from collections import namedtuple\nP = namedtuple('P', 'b a')\nf = P(1, 2)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), FUNCTIONS)
def test_functions_and_classes_of_the_notebook_are_followed_into_what_they_are_made_of(one: str, other: str) -> None:
    assert print_of(one).digest == print_of(one).digest, "made anew by the same code it is the same"
    assert print_of(one).digest != print_of(other).digest


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def f(): return k + len(a.b)", {"k", "len", "a"}),
        ("def f(k): return k", set()),
        ("def f():\n    import numpy\n    return numpy.k", set()),
        ("def f():\n    global k\n    k = 1", {"k"}),
        ("def f():\n    global k\n    del k", {"k"}),
        ("def f():\n    def g(): return inner\n    return g", {"inner"}),
        ("def f(): return [x for x in rows if x in keep]", {"rows", "keep"}),
        ("def f():\n    class C:\n        a = k\n    return C", {"k", "__name__"}),
        ("class f:\n    def m(self): return k\n    n = staticmethod(lambda: l)", {"k", "l"}),
        ("class C:\n    def m(self): return k\nf = [C()]", {"k"}),
        ("class C:\n    def m(self): return k\nf = C().m", {"k"}),
        ("def g(x): return k\nf = partial(g, 1)", {"k"}),
        ("def g(): return k\ndef f(): return g()", {"g"}),
        ("f = 1", set()),
        ("f = partial", set()),
    ],
)
def test_the_names_a_value_may_look_up_when_called_are_told(code: str, names: set[str]) -> None:
    assert print_of(code).globals == names


def test_names_past_the_256th_are_found() -> None:
    many = ", ".join(f"name{number}" for number in range(700))
    assert print_of(f"def f(): return [{many}]").globals == {f"name{number}" for number in range(700)}


def test_the_values_of_global_names_are_no_part_of_the_digest() -> None:
    code = "def g(): return k\ndef f(): return g()\n"
    assert print_of(code + "k = 1").digest == print_of(code + "k = 2").digest == print_of(code).digest


def test_functions_of_another_namespace_are_followed_to_what_they_look_up() -> None:
    def of(code: str) -> Fingerprint:
        return Walker({}).fingerprint("f", in_the_notebook(code)["f"])

    code = "def g(): return k.unused\ndef f(): return g()\n"
    assert of(code + "k = 1").digest != of(code + "k = 2").digest != of(code).digest
    assert of(code + "k = 1\nunused = 1").digest == of(code + "k = 1").digest, "an attribute is no global"
    assert of(code).globals == set()


def test_where_code_stands_in_its_cell_does_not_count() -> None:
    moved = "\n\n# moved\ndef f():\n\n    return 1  # one"
    assert print_of("def f():\n    return 1").digest == print_of(moved).digest


def test_functions_that_share_a_variable_share_state() -> None:
    made = in_the_notebook(
        "def make():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n    def get(): return n\n"
        "    return up, get\n"
        "up, get = make()\nother_up, other_get = make()"
    )
    walker = Walker(made)
    prints = {name: walker.fingerprint(name, made[name]) for name in ("up", "get", "other_get")}
    assert prints["up"].shares_with(prints["get"])
    assert not prints["up"].shares_with(prints["other_get"])


@pytest.mark.parametrize(
    "code",
    [
        "held = []\ndef f(x=held): pass",
        "held = []\ndef f(*, x=held): pass",
        "held = []\ndef f(): pass\nf.x = held",
        "held = []\nclass f:\n    x = held",
        "class held: pass\nf = held()",
        "def g(): pass\ng.count = 0\nf = [g]\nheld = g",
    ],
)
def test_what_a_function_or_class_holds_is_shared_with_the_names_that_hold_it_too(code: str) -> None:
    made = in_the_notebook(code)
    walker = Walker(made)
    assert walker.fingerprint("f", made["f"]).shares_with(walker.fingerprint("held", made["held"]))


def test_a_plain_function_shares_nothing() -> None:
    made = in_the_notebook("def f(x=1): return x\ng = [f]")
    walker = Walker(made)
    assert not walker.fingerprint("f", made["f"]).shares_with(walker.fingerprint("g", made["g"]))


def test_copying_an_instance_does_not_change_its_class() -> None:
    made = in_the_notebook("class C:\n    __slots__ = ('x',)\nc = C()")
    before = Walker(made).fingerprint("C", made["C"]).digest
    made["c"].__reduce_ex__(4)
    assert Walker(made).fingerprint("C", made["C"]).digest == before


def test_abstract_classes_have_content_and_those_registered_count() -> None:
    made = in_the_notebook("import abc\nclass C(abc.ABC):\n    @abc.abstractmethod\n    def m(self): ...")
    before = Walker(made).fingerprint("C", made["C"]).digest
    isinstance(1, made["C"])
    assert Walker(made).fingerprint("C", made["C"]).digest == before
    made["C"].register(int)
    assert Walker(made).fingerprint("C", made["C"]).digest != before


def test_a_cache_that_holds_results_cannot_be_told() -> None:
    made = in_the_notebook("import functools\n@functools.lru_cache\ndef f(x): return x")
    Walker(made).fingerprint("f", made["f"])
    made["f"](1)
    with pytest.raises(Undigestible, match="cache of 'f' holds results"):
        Walker(made).fingerprint("f", made["f"])


def test_a_function_that_holds_a_lock_says_where() -> None:
    made = in_the_notebook("def make(lock):\n    def f(): return lock\n    return f")
    with pytest.raises(Undigestible) as caught:
        Walker(made).fingerprint("f", made["make"](threading.Lock()))
    assert caught.value.path == "f.<lock>"


def test_the_functions_and_modules_met_are_told() -> None:
    made = in_the_notebook("import json\ndef g(): return json.dumps(1)\ndef f(g=g): return g()")
    found = Walker(made).fingerprint("value", [made["f"], made["json"], pd.DataFrame(), np.sqrt])
    assert {function.__name__ for function in found.functions} == {"f", "g"}
    assert {"json", "pandas", "numpy"} <= {module.partition(".")[0] for module in found.modules}


def test_a_round_trip_of_an_undigestible_error_keeps_what_it_says() -> None:
    error = pickle.loads(pickle.dumps(Undigestible("a", "b")))
    assert (error.path, error.what, str(error)) == ("a", "b", "a: b")


def test_recursive_functions_and_classes_end() -> None:
    assert print_of("def f(n): return f(n - 1)").globals == {"f"}
    assert print_of("class f: pass\nf.me = f").digest
    assert print_of("class f:\n    def m(self): return super().m()").digest
    assert print_of("def h():\n    def g(): return g\n    return g\nf = h()").digest
    assert sys.getrefcount(print_of) > 0


@pytest.mark.parametrize(
    "code",
    [
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int = 1\n@dataclass\nclass g:\n    y: int = 1",
        "from typing import Optional\ndef f(x: Optional[int]): pass\ndef g(x: Optional[int]): pass",
        "from typing import List\nclass f:\n    x: List[int]\nclass g:\n    y: List[int]",
        "import enum\nclass f(enum.Enum):\n    A = 1\nclass g(enum.Enum):\n    B = 1",
        "import abc\nclass f(abc.ABC): pass\nclass g(abc.ABC): pass",
        "from typing import NamedTuple\nclass f(NamedTuple):\n    x: int\nclass g(NamedTuple):\n    x: int",
        "from typing import Protocol\nclass f(Protocol):\n    x: int\nclass g(Protocol):\n    x: int",
        "import logging\nf = [logging.getLogger('a')]\ng = [logging.getLogger('a')]",
        "import numpy as np\nf = partial(np.sqrt)\ng = partial(np.sqrt)",
        "from zoneinfo import ZoneInfo\nf = [ZoneInfo('Asia/Tokyo')]\ng = [ZoneInfo('Asia/Tokyo')]",
        "from dateutil import tz\nf = [tz.gettz('Asia/Tokyo')]\ng = [tz.gettz('Asia/Tokyo')]",
        "from sklearn.linear_model import Ridge\nf = Ridge()\ng = Ridge()",
        "from sklearn.preprocessing import FunctionTransformer as F\nimport numpy as np\nf = F(np.log1p)\ng = F(np.log1p)",
        "import contextlib\n@contextlib.contextmanager\ndef f(): yield\n@contextlib.contextmanager\ndef g(): yield",
        "import functools\n@functools.lru_cache\ndef f(): pass\n@functools.lru_cache\ndef g(): pass",
        "import functools\n@functools.total_ordering\nclass f:\n    def __lt__(self, o): return 1\ng = functools.wraps(len)",
    ],
)
def test_what_is_made_with_the_same_library_shares_nothing(code: str) -> None:
    made = in_the_notebook(code)
    walker = Walker(made)
    assert not walker.fingerprint("f", made["f"]).shares_with(walker.fingerprint("g", made["g"]))

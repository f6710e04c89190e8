"""Functions and classes of the notebook: stored by value, restored with the live namespace as their globals."""

from __future__ import annotations

import inspect
import linecache
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.capture.values import Values, pack, write
from jupyter_mlops.store.objects.local import Objects

from .values_store import digest, failure, notebook, trip


def restored(code: str, **live: Any) -> dict[str, Any]:
    """The names that a cell binds, stored and restored into the namespace `live`."""
    namespace = notebook(code)
    names = {name: value for name, value in namespace.items() if not name.startswith("__")}
    live.update(trip(names, namespace, live))
    return live


def test_a_function_looks_up_its_globals_in_the_live_namespace() -> None:
    namespace = notebook("rate = 2\ndef f(x, *, y=[1]): return x * rate + len(y)\nf.note = 'n'")
    live = {"rate": 10}
    f = trip({"f": namespace["f"]}, namespace, live)["f"]
    assert f(1) == 11
    live["rate"] = 100
    assert f(1) == 101
    assert f.__globals__ is live
    assert live == {"rate": 100}
    assert (f.note, f.__module__, f.__qualname__, f.__kwdefaults__) == ("n", "__main__", "f", {"y": [1]})
    assert digest(f, live) == digest(namespace["f"], namespace)


def test_the_source_of_a_function_is_known_again(tmp_path: Path) -> None:
    source = "def f(x):\n    return x + 1  # as typed\n"
    name = "/nowhere/ipykernel_2/123.py"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), namespace)
    objects = Objects(tmp_path / "objects")
    stored = write(objects, pack([{"f": namespace["f"]}], namespace))
    del linecache.cache[name]
    again = Values.open(objects, stored, {}).load(["f"])["f"]
    assert inspect.getsource(again) == source
    linecache.checkcache()
    assert inspect.getsource(again) == source


def test_closures_share_their_cells() -> None:
    live = restored(
        """
def counter():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    def get():
        return n
    return up, get
up, get = counter()
up()
"""
    )
    assert live["up"]() == 2
    assert live["get"]() == 2


def test_a_cell_itself_is_a_value() -> None:
    live = restored("def outer():\n    x = [1]\n    return lambda: x\nf = outer()\ncell = f.__closure__[0]")
    assert live["cell"] is live["f"].__closure__[0]
    assert live["cell"].cell_contents is live["f"]()
    only = notebook("def outer():\n    x = [1]\n    return lambda: x\ncell = outer().__closure__[0]")
    assert trip({"cell": only["cell"]}, only)["cell"].cell_contents == [1]


def test_functions_may_hold_themselves() -> None:
    live = restored(
        """
def make():
    def fact(n):
        return 1 if n < 2 else n * fact(n - 1)
    fact.me = fact
    return fact
fact = make()
"""
    )
    assert live["fact"](5) == 120
    assert live["fact"].me is live["fact"]


CLASSES = """
import abc, dataclasses, enum, functools, typing
from collections import namedtuple

K = 3

class Base:
    shared = []
    def __init__(self, n=1):
        self.n = n
    def get(self):
        return self.n
    class Inner:
        pass

class Child(Base):
    def get(self):
        return super().get() + K
    def own(self):
        return __class__
    @property
    def twice(self):
        return self.n * 2
    @twice.setter
    def twice(self, value):
        self.n = value // 2
    @classmethod
    def name(cls):
        return cls.__name__
    @staticmethod
    def k():
        return K
    @functools.cached_property
    def slow(self):
        return self.n + 100

class Slots:
    __slots__ = ("p", "__q")
    def __init__(self):
        self.p, self.__q = 1, 2
    def q(self):
        return self.__q

@dataclasses.dataclass(order=True)
class Data:
    a: int = 1
    b: list = dataclasses.field(default_factory=list)

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    a: int

class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    def hi(self):
        return self.name.lower()

class Planet(enum.Enum):
    EARTH = (5.9, 6.3)
    TERRA = EARTH
    MARS = (0.6, 3.3)
    def __init__(self, mass, radius):
        self.mass, self.radius = mass, radius

class Word(str, enum.Enum):
    def __new__(cls, text, size):
        made = str.__new__(cls, text)
        made._value_, made.size = text, size
        return made
    ONE = "one", 3

class Flags(enum.IntFlag):
    A = 1
    B = 2

class Pair(typing.NamedTuple):
    u: int
    v: str = "k"
    def both(self):
        return self.u, self.v

Old = namedtuple("Old", "x y")

class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

class Square(Shape):
    def area(self):
        return 4

Shape.register(int)

T = typing.TypeVar("T")
class Box(typing.Generic[T]):
    def __init__(self, item: T):
        self.item = item

class Movie(typing.TypedDict):
    title: str

class Size(typing.Protocol):
    def size(self) -> int: ...

class Plugins:
    known = []
    def __init_subclass__(cls, tag, **kwargs):
        super().__init_subclass__(**kwargs)
        Plugins.known.append((tag, cls))

class First(Plugins, tag="first"):
    pass

class Meta(type):
    made = []
    def __new__(metaclass, name, bases, content):
        assert content["required"]
        metaclass.made.append(name)
        return super().__new__(metaclass, name, bases, content)
    def __len__(cls):
        return 7

class WithMeta(metaclass=Meta):
    required = True

class Wrong(ValueError):
    def __init__(self, code):
        super().__init__("wrong", code)
        self.code = code
    def __reduce__(self):
        return Wrong, (self.code,)

class Field:
    def __set_name__(self, owner, name):
        self.called = name
    def __get__(self, instance, owner):
        return self if instance is None else self.called

class Model:
    first = Field()

@functools.lru_cache(maxsize=7)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

@functools.singledispatch
def kind(x):
    return "other"
@kind.register
def _(x: int):
    return "int"

def local():
    class Local(Base):
        def get(self):
            return super().get() * 10
    return Local
Local = local()

child, slots, data, pair, old, box, wrong = Child(2), Slots(), Data(5), Pair(1), Old(1, 2), Box(3), Wrong(4)
bound, frozen, movie, local_one, red = child.get, Frozen(1), Movie(title="t"), Local(2), Color.RED
table = {Color.RED: 1, frozen: 2, pair: 3}
"""


def test_classes_of_every_kind_work_again() -> None:
    live = restored(CLASSES)
    child = live["child"]
    assert (child.get(), child.own(), child.twice, child.name(), child.k()) == (5, live["Child"], 4, "Child", 3)
    child.twice = 8
    assert (live["bound"](), live["bound"].__self__ is child, child.slow) == (7, True, 104)
    assert live["Base"].Inner.__qualname__ == "Base.Inner"
    assert (live["slots"].p, live["slots"].q()) == (1, 2)
    with pytest.raises(AttributeError):
        live["slots"].other = 1
    assert live["data"] == live["Data"](5)
    assert live["data"] < live["Data"](6)
    assert live["Data"]().b == []
    with pytest.raises(AttributeError):
        live["frozen"].a = 2
    assert live["red"] is live["Color"].RED is live["Color"](1)
    assert (live["red"].hi(), [*live["Color"]][1].value) == ("red", "g")
    assert (live["Planet"].MARS.mass, live["Planet"].TERRA is live["Planet"].EARTH) == (0.6, True)
    assert list(live["Planet"].__members__) == ["EARTH", "TERRA", "MARS"]
    assert (live["Word"].ONE, live["Word"]("one").size) == ("one", 3)
    assert repr(live["Flags"].A | live["Flags"].B) == repr(notebook(CLASSES)["Flags"](3))
    assert (live["pair"].both(), live["Pair"](2)._asdict()) == ((1, "k"), {"u": 2, "v": "k"})
    assert live["old"]._replace(x=5) == (5, 2)
    assert isinstance(5, live["Shape"])
    assert live["Square"]().area() == 4
    with pytest.raises(TypeError, match="abstract"):
        live["Shape"]()
    assert live["box"].item == 3
    assert live["Box"][int].__origin__ is live["Box"]
    assert live["Movie"](title="x") == {"title": "x"}
    assert live["Plugins"].known == [("first", live["First"])]
    assert live["Meta"].made == ["WithMeta"]
    assert len(live["WithMeta"]) == 7
    assert (live["wrong"].args, live["wrong"].code) == (("wrong", 4), 4)
    assert live["Model"]().first == "first"
    assert (live["fib"](20), live["fib"].cache_parameters()["maxsize"]) == (6765, 7)
    assert (live["kind"](1), live["kind"]("")) == ("int", "other")
    assert live["local_one"].get() == 20
    assert live["table"] == {live["red"]: 1, live["frozen"]: 2, live["pair"]: 3}
    for name in ("Child", "Slots", "Data", "Color", "Pair", "Shape", "Movie", "WithMeta"):
        assert live[name].__module__ == "__main__"
        assert (live[name].__name__, live[name].__qualname__) == (name, name)


def test_hooks_of_subclasses_are_there_again_after_loading() -> None:
    live = restored(CLASSES)
    exec("class Second(Plugins, tag='second'): pass", live)
    assert live["Plugins"].known[1] == ("second", live["Second"])


@pytest.mark.parametrize(
    "name", ["Child", "Slots", "Data", "Color", "Planet", "Word", "Pair", "Shape", "WithMeta", "child", "data", "bound"]
)
def test_what_a_notebook_defines_keeps_its_digest(name: str) -> None:
    namespace = notebook(CLASSES)
    live = dict(namespace)
    live.update(trip({name: namespace[name]}, namespace, live))
    assert digest(live[name], live) == digest(namespace[name], namespace)


def test_classes_are_made_anew_by_each_load() -> None:
    code = "class A:\n    seen = []\na = A()"
    first, second = restored(code), restored(code)
    assert first["A"] is type(first["a"])
    assert first["A"] is not second["A"]
    namespace = notebook(code)
    again = trip({"A": namespace["A"]}, namespace)["A"]
    again.seen.append(1)
    assert namespace["A"].seen == []
    assert again is not namespace["A"]


def test_what_a_library_wraps_keeps_the_globals_of_the_library() -> None:
    live = restored("import contextlib\n@contextlib.contextmanager\ndef opened():\n    yield 5\n")
    with live["opened"]() as five:
        assert five == 5
    import contextlib

    assert live["opened"].__globals__ is vars(contextlib)
    assert live["opened"].__wrapped__.__globals__ is live


def test_the_namespace_itself_is_the_live_one() -> None:
    live = restored("import builtins\nrate = 2\nscope = globals()\ndef f(): return scope['rate']", rate=5)
    assert live["scope"] is live
    live["rate"] = 9
    assert live["f"]() == 9
    assert live["builtins"] is sys.modules["builtins"]


def test_the_namespace_is_known_by_the_module_builtins_too() -> None:
    namespace = notebook("scope = globals()")
    namespace["__builtins__"] = sys.modules["builtins"]
    live: dict[str, Any] = {}
    assert trip({"scope": namespace["scope"]}, namespace, live)["scope"] is live


def test_what_is_only_known_by_its_name_in_the_notebook_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = notebook(
        "class Single:\n    def __reduce__(self): return 'single'\nsingle = Single()\nSingle.__module__ = '__main__'"
    )
    main = types.ModuleType("__main__")
    main.__dict__.update(namespace)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert "stored only by its name" in failure(namespace["single"], namespace)
    assert trip({"text": ["__main__", "single"]}, namespace)["text"] == ["__main__", "single"]

"""Whatever random programs and notebooks really read and bind was foreseen by the analysis."""

from __future__ import annotations

import ast
import builtins
import contextlib
import types
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.code.names import Names, find_names
from jupyter_mlops.analysis.pipeline.cells import all_steps_of
from jupyter_mlops.analysis.pipeline.links import later_reads
from jupyter_mlops.domain.cell import Cell

pytestmark = pytest.mark.slow

NAMES = ["a", "b", "c", "d", "f", "g"]
HELPERS = {"call", "tick", "Quiet", "Loud"}


class Enough(BaseException):
    """Ends a program that runs too long."""


class Number(int):
    """A number that is itself and no other."""


class Quiet:
    """A context manager that swallows what is raised in it."""

    def __enter__(self) -> int:
        return 1

    def __exit__(self, *_: object) -> bool:
        return True


class Loud(Quiet):
    """One that does not."""

    def __exit__(self, *_: object) -> bool:
        return False


class Space(dict[str, Any]):
    """A namespace that notes which names are read while they still hold what they held at the last `mark`."""

    def __init__(self) -> None:
        super().__init__({name: Number(place) for place, name in enumerate(NAMES[:3])})
        self.fuel = 300
        self.stored: set[str] = set()
        self.update(call=self.call, tick=self.tick, Quiet=Quiet, Loud=Loud, __builtins__=builtins, __name__="program")
        self.mark()

    def mark(self) -> None:
        """From here on count reads anew."""
        for name, value in list(self.items()):
            if isinstance(value, int):
                dict.__setitem__(self, name, Number(value))
        self.before = dict(self)
        self.read: set[str] = set()
        self.stored = set()

    def call(self, value: Any) -> Any:
        """Call what can be called."""
        self.tick()
        return value() if isinstance(value, (types.FunctionType, type)) else value

    def tick(self) -> bool:
        """True, as long as there is fuel."""
        self.fuel -= 1
        if self.fuel < 0:
            raise Enough
        return True

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if name not in self.stored and value is self.before.get(name, self):
            self.read.add(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        self.tick()
        self.stored.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        self.stored.add(name)
        super().__delitem__(name)

    def run(self, code: types.CodeType) -> bool:
        """Run a program; whether it came to its end."""
        with contextlib.suppress(Exception, Enough):
            exec(code, self)
            return True
        return False


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


VARIABLES = st.sampled_from(NAMES)
NUMBERS = st.integers(0, 2).map(str)
VALUES: st.SearchStrategy[str] = st.deferred(lambda: st.one_of(VARIABLES, VARIABLES, NUMBERS, compound(VALUES)))


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("({0[0]} + {0[1]})".format),
        st.tuples(inner, inner).map("({0[0]} and {0[1]})".format),
        st.tuples(inner, inner, inner).map("({0[0]} < {0[1]} < {0[2]})".format),
        st.tuples(inner, inner, inner).map("({0[0]} if {0[1]} else {0[2]})".format),
        st.tuples(VARIABLES, inner).map("({0[0]} := {0[1]})".format),
        st.tuples(inner, VARIABLES, inner).map("sum([{0[0]} for {0[1]} in range({0[2]})])".format),
        st.tuples(inner, VARIABLES, inner, inner).map("sum({0[0]} for {0[1]} in [{0[2]}] if {0[3]})".format),
        st.tuples(VARIABLES, inner).map("(lambda {0[0]}=1: {0[1]})".format),
        inner.map("call({})".format),
        inner.map("call(lambda: {})".format),
        inner.map("f'{{{}}}'".format),
        st.tuples(inner, inner).map("{{{0[0]}: {0[1]}}}".format),
    )


SIMPLE = st.one_of(
    st.tuples(VARIABLES, VALUES).map("{0[0]} = {0[1]}".format),
    st.tuples(VARIABLES, VALUES).map("{0[0]} += {0[1]}".format),
    st.tuples(VARIABLES, VARIABLES, VALUES).map("{0[0]}, *{0[1]} = [{0[2]}]".format),
    st.tuples(VARIABLES, VALUES).map("{0[0]}: {0[1]} = 1".format),
    VARIABLES.map("del {}".format),
    VARIABLES.map("call({})".format),
    VARIABLES.map("import math as {}".format),
    VALUES,
    st.sampled_from(["break", "continue", "raise KeyError", "pass"]),
)
BLOCKS: list[tuple[str, int]] = [
    ("{0}\n{1}", 2),
    ("if {v}:\n{0}\nelse:\n{1}", 2),
    ("for {n} in range({v}):\n{0}\nelse:\n{1}", 2),
    ("for {n} in (1, 2):\n{0}", 1),
    ("while tick() and {v}:\n{0}\nelse:\n{1}", 2),
    ("while True:\n    tick()\n{0}\n    break", 1),
    ("try:\n{0}\nexcept NameError as {n}:\n{1}\nelse:\n{2}\nfinally:\n{3}", 4),
    ("try:\n{0}\nexcept Exception:\n{1}", 2),
    ("try:\n{0}\nfinally:\n{1}", 2),
    ("with Quiet() as {n}:\n{0}", 1),
    ("with Loud(), Quiet() as {n}:\n{0}", 1),
    (
        "match {v}:\n    case 0 as {n}:\n        pass\n    case [{m}, *_] | {{'x': {m}}}:\n        pass\n"
        "    case {n} if {n}:\n        {m}\n    case _:\n        {n}",
        0,
    ),
    ("def {n}():\n{0}\n    return {v}", 1),
    ("def {n}({m}=1):\n{0}", 1),
    ("def {n}():\n    global {m}\n{0}", 1),
    ("def {n}():\n    def {m}():\n        return {v}\n{0}\n    return {m}", 1),
    ("def {n}():\n    return [{v} for {m} in range(2)]", 0),
    ("class {n}:\n{0}\n    def m(self):\n        return {v}", 1),
    ("class {n}:\n    def __init__(self):\n        self.x = {v}\n{0}", 1),
    ("class {n}:\n    def m():\n        return {v}\n    x = call(m)", 0),
    ("{n} = lambda: {v}", 0),
    ("{n} = ({v} for {m} in range(2))\nsum({n})", 0),
]


@st.composite
def blocks(draw: st.DrawFn) -> str:
    template, count = draw(st.sampled_from(BLOCKS))
    lines = template
    for name, values in (("v", VALUES), ("n", VARIABLES), ("m", VARIABLES)):
        lines = lines.replace(f"{{{name}}}", draw(values).replace("{", "{{").replace("}", "}}"))
    parts = [draw(PROGRAMS) for _ in range(count)]
    return lines.format(*(part if template.startswith("{0}") else indented(part) for part in parts))


PROGRAMS: st.SearchStrategy[str] = st.deferred(lambda: st.one_of(SIMPLE, SIMPLE, blocks()))
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def compiled(program: str) -> types.CodeType:
    try:
        return compile(program, "<program>", "exec")
    except SyntaxError:  # such as := inside a comprehension's range, or break outside a loop
        reject()


def foreseen(found: frozenset[str]) -> set[str]:
    return {*found, *HELPERS, *vars(builtins), "__name__", "__annotations__"}


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(st.lists(PROGRAMS, min_size=1, max_size=4).map("\n".join))
def test_whatever_a_program_really_reads_and_binds_was_foreseen(program: str) -> None:
    code = compiled(program)
    names: Names = find_names(ast.parse(program))
    space = Space()
    before = dict(space)
    ended = space.run(code)
    assert space.read <= foreseen(names.reads)
    touched = {name for name in {*space, *before} if before.get(name) is not space.get(name)}
    assert touched - {"__annotations__"} <= names.writes
    if ended:
        past = {
            name for name in NAMES if f"global {name}" in program or f"({name} :=" in program
        }  # stored past the dict
        seen = names.settles - past
        assert seen <= space.stored


@settings(max_examples=80, deadline=None, suppress_health_check=SLOW)
@given(st.lists(PROGRAMS, min_size=2, max_size=5), st.data())
def test_whatever_later_cells_really_read_was_foreseen(programs: list[str], data: st.DataObject) -> None:
    codes = [compiled(program) for program in programs]
    steps, _ = all_steps_of([Cell(place, f"id{place}", "code", text) for place, text in enumerate(programs)])
    place = data.draw(st.integers(0, len(programs) - 2))
    space = Space()
    for code in codes[: place + 1]:
        space.run(code)
    space.mark()
    space.fuel = 300
    found = later_reads(steps, place)
    for code in codes[place + 1 :]:
        if not space.run(code):
            return
        assert EVERYTHING in found or space.read <= foreseen(found)

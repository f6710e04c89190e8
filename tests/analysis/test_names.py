"""May-read-before-write as a table, and against what Python itself does."""

from __future__ import annotations

import ast
import builtins
import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from jupyter_mlops.analysis.names import find_names, function_reads


@dataclass
class Case:
    code: str
    reads: str = ""
    writes: str = ""
    imports: set[str] = field(default_factory=set)


CASES = [
    Case("x = y", "y", "x"),
    Case("x = x + 1", "x", "x"),
    Case("x += y", "x y", "x"),
    Case("x = 1\nz = x", "", "x z"),
    Case("x[0] = y", "x y"),
    Case("x.a = y", "x y"),
    Case("x.a += 1", "x"),
    Case("a, (b, *c) = d", "d", "a b c"),
    Case("x: int = y", "int y", "x"),
    Case("x: int", "int"),
    Case("del x", "x", "x"),
    Case("x = 1\ndel x\ny = x", "x", "x y"),
    Case("if c:\n    x = 1\nprint(x)", "c x print", "x"),
    Case("if c:\n    x = 1\n    y = x", "c", "x y"),
    Case("if c:\n    x = 1\nelse:\n    x = 2\nx", "c x", "x"),
    Case("for i in rows:\n    pass\ni", "rows i", "i"),
    Case("for i in rows:\n    t = i", "rows", "i t"),
    Case("while (n := f()):\n    n", "f n", "n"),
    Case("with open(p) as h:\n    h.read()", "open p", "h"),
    Case("try:\n    x = a\nexcept E as e:\n    e\nfinally:\n    x", "a E x", "x e"),
    Case("match p:\n    case {'k': v, **rest}:\n        v, rest", "p", "v rest"),
    Case("match p:\n    case K(a=1):\n        pass", "p K"),
    Case("match p:\n    case [q, *r] if q > s:\n        pass", "p s", "q r"),
    Case("def f(x):\n    return x + k", "k", "f"),
    Case("k = 1\ndef f():\n    return k", "", "k f"),
    Case("def f():\n    return k\nk = 1", "k", "f k"),
    Case("def f(a=d):\n    global g\n    g = a", "d g", "f g"),
    Case("def f():\n    def h():\n        return deep\n    return h", "deep", "f"),
    Case("def f():\n    x = 1\n    return lambda: x + out", "out", "f"),
    Case("@deco\ndef f(a: Ann) -> Ret:\n    pass", "deco Ann Ret", "f"),
    Case("def f(n):\n    return f(n - 1)", "f", "f"),
    Case("g = lambda a, b=c: a + d", "c d", "g"),
    Case("class C(B, metaclass=M):\n    x = k\n    def m(self):\n        return z", "B M k z", "C"),
    Case("[r for r in rows if r > lim]", "rows lim"),
    Case("[r for r in rows]\nr", "rows r"),
    Case("{k: v for k, v in items}", "items"),
    Case("[(y := r) for r in rows]", "rows", "y"),
    Case("sum(a for b in c for a in b)", "sum c"),
    Case("f'{x} {y:{w}}'", "x y w"),
    Case("import a.b", "", "a", {"a.b"}),
    Case("import a.b as c", "", "c", {"a.b"}),
    Case("from a import b as c", "", "c", {"a", "a.b"}),
    Case("from . import b", "", "b", {".", ".b"}),
    Case("from .a import b", "", "b", {".a", ".a.b"}),
    Case("def f():\n    import json\n    return json", "", "f", {"json"}),
    Case("df.query('a > @lim')", "df lim"),
    Case("df.query('a > @ lim and b < @other')", "df lim other"),
    Case("async def f():\n    async for x in y:\n        await z", "y z", "f"),
    Case("assert a, b", "a b"),
    Case("raise E from c", "E c"),
    Case("try:\n    import fast\nexcept ImportError:\n    fast = None\nfast", "ImportError fast", "fast", {"fast"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_names_are_found(case: Case) -> None:
    names = find_names(ast.parse(case.code))
    assert names.reads == set(case.reads.split())
    assert names.writes == set(case.writes.split())
    assert names.imports == case.imports


def test_a_function_reads_what_it_takes_from_around_it() -> None:
    tree = ast.parse("def f(a):\n    b = a + c\n    return b").body[0]
    assert function_reads(tree) == {"c"}


def test_texts_are_noted_since_they_may_name_files() -> None:
    assert find_names(ast.parse("p = 'data.csv'\nf('x', 1)")).strings == {"data.csv", "x"}


class Recording(dict[str, Any]):
    """A namespace that notes which names from outside are read in it."""

    def __init__(self) -> None:
        super().__init__(a=1, b=2, c=3)
        self.outside = {"a", "b", "c"}
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        if name in self.outside:
            self.read.add(name)
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.outside.discard(name)
        super().__setitem__(name, value)


VARIABLES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.recursive(
    VARIABLES | st.integers(0, 3).map(str),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: f"({t[0]} + {t[1]})"),
        st.tuples(VARIABLES, inner).map(lambda t: f"sum([{t[0]} for {t[0]} in range({t[1]})])"),
        st.tuples(VARIABLES, inner).map(lambda t: f"({t[0]} := {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
    ),
    max_leaves=4,
)


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


PROGRAMS = st.recursive(
    st.one_of(
        st.tuples(VARIABLES, VALUES).map(lambda t: f"{t[0]} = {t[1]}"),
        st.tuples(VARIABLES, VALUES).map(lambda t: f"{t[0]} += {t[1]}"),
        VARIABLES.map(lambda name: f"del {name}"),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: f"{t[0]}\n{t[1]}"),
        st.tuples(VALUES, inner, inner).map(lambda t: f"if {t[0]}:\n{indented(t[1])}\nelse:\n{indented(t[2])}"),
        st.tuples(VARIABLES, VALUES, inner).map(lambda t: f"for {t[0]} in range({t[1]}):\n{indented(t[2])}"),
        st.tuples(inner, inner).map(lambda t: f"try:\n{indented(t[0])}\nexcept NameError:\n{indented(t[1])}"),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(PROGRAMS)
def test_whatever_a_program_really_reads_and_writes_was_foreseen(program: str) -> None:
    try:
        code = compile(program, "<program>", "exec")
    except SyntaxError:  # such as := inside a comprehension's range
        reject()
    names = find_names(ast.parse(program))
    space = Recording()
    before = dict(space)
    with contextlib.suppress(NameError, TypeError):
        exec(code, {"__builtins__": builtins}, space)
    assert space.read <= names.reads
    touched = {name for name in {*space, *before} if before.get(name) is not space.get(name)}
    assert touched <= names.writes

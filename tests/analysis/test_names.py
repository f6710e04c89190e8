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
    Case("x = 1\ndel x\ny = x", "", "x y"),
    Case("if c:\n    x = 1\nprint(x)", "c x print", "x"),
    Case("if c:\n    x = 1\n    y = x", "c", "x y"),
    Case("if c:\n    x = 1\nelse:\n    x = 2\nx", "c", "x"),
    Case("for i in rows:\n    pass\ni", "rows i", "i"),
    Case("for i in rows:\n    t = i", "rows", "i t"),
    Case("while (n := f()):\n    n", "f", "n"),
    Case("with open(p) as h:\n    h.read()", "open p", "h"),
    Case("try:\n    x = a\nexcept E as e:\n    e\nfinally:\n    x", "a E x", "x e"),
    Case("match p:\n    case {'k': v, **rest}:\n        v, rest", "p", "v rest"),
    Case("match p:\n    case K(a=1):\n        pass", "p K"),
    Case("match p:\n    case [q, *r] if q > s:\n        pass", "p s", "q r"),
    Case("def f(x):\n    return x + k", "", "f"),
    Case("k = 1\ndef f():\n    return k", "", "k f"),
    Case("def f():\n    return k\nk = 1", "", "f k"),
    Case("def f(a=d):\n    global g\n    g = a", "d", "f"),
    Case("def f():\n    def h():\n        return deep\n    return h", "", "f"),
    Case("def f():\n    x = 1\n    return lambda: x + out", "", "f"),
    Case("@deco\ndef f(a: Ann) -> Ret:\n    pass", "deco Ann Ret", "f"),
    Case("def f(n):\n    return f(n - 1)", "", "f"),
    Case("g = lambda a, b=c: a + d", "c", "g"),
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
    Case("async def f():\n    async for x in y:\n        await z", "", "f"),
    Case("assert a, b", "a b"),
    Case("raise E from c", "E c"),
    # Conditions
    Case("if flag:\n    x = 1\nprint(x)", "flag x print", "x"),
    Case("print(x) if flag else y", "print x flag y"),
    Case("(a := f()) and a.b or a", "f", "a"),
    Case("c and (a := 1)\na", "c a", "a"),
    Case("(a := 1) if c else (a := 2)\na", "c", "a"),
    Case("0 < (a := 1) < 2 < (b := 3)\na, b", "b", "a b"),
    Case("if a:\n    raise E\nelse:\n    x = 1\nx", "a E", "x"),
    Case("if a:\n    x = 1\nelif b:\n    x = 2\nelse:\n    x = 3\nx", "a b", "x"),
    # Loops
    Case("for i in rows:\n    x = i\nelse:\n    y = 1\ni, x, y", "rows i x", "i x y"),
    Case("for i in range(3):\n    x = i\ni, x", "range", "i x"),
    Case("for i in range(n):\n    x = i\nx", "range n x", "i x"),
    Case("for i in (1, 2):\n    if i:\n        break\n    x = 1\nx", "x", "i x"),
    Case("for i in (1, 2):\n    if i:\n        continue\n    x = 1\nx", "x", "i x"),
    Case("while True:\n    x = f()\n    if x:\n        break\nx", "f", "x"),
    Case("while c:\n    x = 1\nelse:\n    y = 2\nx, y", "c x", "x y"),
    Case("for i in rows:\n    total += i", "rows total", "i total"),
    Case("for i in a:\n    for j in b:\n        break\n    k = j", "a b j", "i j k"),
    # Exceptions
    Case("try:\n    df\nexcept NameError:\n    df = load()", "df NameError load", "df"),
    Case("try:\n    x = f()\nexcept E:\n    pass\nx", "f E x", "x"),
    Case("try:\n    x = f()\nexcept E:\n    raise\nx", "f E", "x"),
    Case("try:\n    x = f()\nexcept E:\n    x = None\nelse:\n    y = x\nx, y", "f E y", "x y"),
    Case("try:\n    x = f()\nfinally:\n    y = x\nx, y", "f x", "x y"),
    # Blocks
    Case("with open(p) as h:\n    x = h\nx, h", "open p", "x h"),
    Case("with suppress(E):\n    x = f()\nx", "suppress E f x", "x"),
    Case("with a as b, c as b.d:\n    pass", "a c", "b"),
    Case("match p:\n    case 1:\n        x = 1\n    case _:\n        x = 2\nx", "p", "x"),
    Case("match p:\n    case 1:\n        x = 1\n    case 2:\n        x = 2\nx", "p x", "x"),
    Case("match p:\n    case K.A | K.B as q:\n        q", "p K", "q"),
    # Functions and classes: read where they may be called
    Case("def f():\n    return k\nf()", "k", "f"),
    Case("def f():\n    return k\nk = 1\nf()", "", "f k"),
    Case("def f():\n    return k\nf()\nk = 1", "k", "f k"),
    Case("def f():\n    return g()\ndef g():\n    return k\nf()", "k", "f g"),
    Case("def f():\n    return g()\nh = f\ndef g():\n    return k\nh()", "g k", "f g h"),
    Case("def f():\n    return k\nrows.map(f)", "rows k", "f"),
    Case("def f():\n    global g\n    g = g + 1\nf()", "g", "f g"),
    Case("def f():\n    return [k for k in r if k in s]\n[f() for k in r]", "r s", "f"),
    Case("def f():\n    return k\n[f() for k in r]", "k r", "f"),
    Case("def f():\n    def g():\n        nonlocal x\n        x = y\n    x = 1\nf()", "y", "f"),
    Case("def f():\n    x: Ann = 1\n    return x\nf()", "", "f"),
    Case("f = lambda: k\nf()", "k", "f"),
    Case("rows.apply(lambda r: r + k)", "rows k"),
    Case("fs = [lambda: i + k for i in r]", "k r", "fs"),
    Case("class C:\n    def m(self):\n        return k", "", "C"),
    Case("class C:\n    def m(self):\n        return k\nC()", "k", "C"),
    Case("class C:\n    a = 1\n    b = a\n    c = [a for _ in b]", "a", "C"),
    Case("class C:\n    a = 1\n    def m(self):\n        return a\nC().m()", "a", "C"),
    Case("class C:\n    def m():\n        return k\n    x = m()", "k", "C"),
    Case(
        "class C:\n    @property\n    def x(self):\n        return k\n    @x.setter\n    def x(self, v): pass",
        "property k",
        "C",
    ),
    Case("class C:\n    x = __y\n    def m(self):\n        return __z\nC", "_C__y _C__z", "C"),
    Case("class C:\n    if a:\n        x = 1\n    y = x", "a x", "C"),
    Case("@dataclass\nclass P:\n    x: int\n    y: Other = 0", "dataclass int Other", "P"),
    Case("def f(a=k, *, b: T = 2) -> R: pass", "k T R", "f"),
    # Texts that name variables
    Case("pd.eval('x + y')", "pd x y"),
    Case("df.query('a > ' '@lim')", "df lim"),
    Case("df.query('a > ' + '@lim')", "df lim"),
    Case("def f(df, lim):\n    return df.query('a > @lim + @k')\nf", "k", "f"),
    Case("smf.ols('y ~ scale(x)', data=d)", "smf d y scale x"),
    Case("duckdb.sql(\"select a from frame where b = 'c'\")", "duckdb select a frame where b"),
    Case("model.eval()", "model"),
    Case("model.evaluate(x, y)", "model x y"),
    # Order of evaluation
    Case("{x: (x := 1)}", "x", "x"),
    Case("{(x := 1): x}", "", "x"),
    Case("f(x := 1, x)", "f", "x"),
    Case("x = (y := 1) + y", "", "x y"),
    Case("async with a as b:\n    async for c in d:\n        await c", "a d", "b c"),
    Case("[await x async for x in y]", "y"),
    Case("import a.b\na.c", "", "a", {"a.b"}),
    Case("from a import *\nx", "x", "", {"a"}),
    Case("try:\n    import fast\nexcept ImportError:\n    fast = None\nfast", "ImportError", "fast", {"fast"}),
]


def parsed(code: str) -> ast.Module:
    tree = compile(code, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    return tree


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_names_are_found(case: Case) -> None:
    names = find_names(parsed(case.code))
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

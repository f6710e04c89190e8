"""May-read-before-write as a table, and against what Python itself does."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field

import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.code.names import find_names


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
    Case("x: int = y", "int y __annotations__", "x __annotations__"),
    Case("x: int", "int __annotations__", "__annotations__"),
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


def test_texts_are_noted_since_they_may_name_files() -> None:
    assert find_names(ast.parse("p = 'data.csv'\nf('x', 1)")).strings == {"data.csv", "x"}


@pytest.mark.parametrize(
    ("code", "reads", "writes"),
    [
        ("%time y = x", "x", "y"),
        ("%%time\ny = x\ny", "x", "y"),
        ("%%capture out --no-stderr\ny = x", "x", "y out"),
        ("%%capture\ny = x", "x", "y"),
        ("%timeit -n 10 -r 3 f(x)", "f x", ""),
        ("%%timeit y = x\ny + z", "x z", ""),
        ("%prun -s cumulative f(x)", "f x", ""),
        ("t = %timeit -o f(x)", "f x", "t"),
        ("if a:\n    %time y = x\ny", "a x y", "y"),
        ("!ls {folder}/{name + '.csv'} $path ${other}", "folder name path other", ""),
        ("files = !ls {folder}", "folder", "files"),
        ("!awk '{print $1}' a", "", ""),
        ("%cd {folder}", "folder", ""),
        ("%cd $folder", "folder", ""),
        ("%%bash -s {x} --out o --err e\nls $y", "x", "o e"),
        ("%%html\n<b>{x}</b>", "", ""),
        ("%%writefile {name}.py\nx = y", "name", ""),
        ("df.head?", "df", ""),
        ("?df", "df", ""),
        ("%matplotlib inline", "", ""),
        ("/f x", "f x", ""),
        (">>> y = x\n>>> y", "x", "y"),
        ("def f():\n    return k\n%time f()", "k", "f"),
    ],
)
def test_names_in_magics_and_shell_lines_are_found(code: str, reads: str, writes: str) -> None:
    names = cell_facts(code).names
    assert (names.reads, names.writes) == (set(reads.split()), set(writes.split()))
    assert (names.everything, names.anything) == (False, False)


@pytest.mark.parametrize(
    "code",
    [
        *("eval(t)", "exec(t)", "globals()", "locals()", "vars()", "dir()", "f = eval", "get_ipython().user_ns['x']"),
        *("ip = get_ipython()", "df.query(t)", "df.query(f'a > {t}')", "pd.eval(t)", "smf.ols(f, d)", "duckdb.sql(q)"),
        *(
            "%run a.py",
            "%unheard x",
            "%%unheard\nx",
            "%who",
            "%time y = f(",
            "import __main__",
            "sys.modules['__main__']",
        ),
        *("sys._getframe().f_globals", "f.__globals__", "def f():\n    return eval(t)\nf()", "[eval(t) for t in r]"),
        *("class C:\n    x = eval(t)", "rows.map(lambda t: eval(t))", "timeit.timeit('f()', 'from __main__ import f')"),
    ],
)
def test_what_cannot_be_known_widens_to_everything(code: str) -> None:
    assert cell_facts(code).names.everything


@pytest.mark.parametrize(
    "code",
    [
        *("model.eval()", "vars(o)", "dir(o)", "def f():\n    return eval(t)", "def f():\n    return locals()\nf()"),
        *("df.query('a > @x')", "model.evaluate(x, y)", "re.compile(t)", "if __name__ == '__main__':\n    x = 1"),
    ],
)
def test_what_is_known_does_not(code: str) -> None:
    assert not cell_facts(code).names.everything


def test_a_star_import_may_bind_anything_but_reads_nothing() -> None:
    names = cell_facts("from m import *").names
    assert (names.anything, names.everything) == (True, False)


def test_functions_are_given_with_what_calling_them_takes() -> None:
    code = "def f():\n    global n\n    n = g() + k\ndef g():\n    c.append(z)\n    return eval('1')\nh = lambda: y\nx = h()"
    names = cell_facts(code).names
    assert names.functions["f"].reads >= {"g", "k", "c", "z", EVERYTHING}
    assert names.functions["f"].writes >= {"n", EVERYTHING}
    assert names.functions["f"].changes >= {"c"}
    assert names.functions["h"].reads == {"y"}
    assert names.idle == {"f", "g"}
    assert names.reads == {"y"}


def test_what_every_path_binds_is_settled() -> None:
    code = "a = 1\nif c:\n    b = d = 1\nelse:\n    b = 2\ndel e\nfor i in r:\n    j = i\nimport m"
    assert cell_facts(code).names.settles == {"a", "b", "e", "m"}


# Where the peers fail (issue 3): each of these must be seen


@pytest.mark.parametrize(
    ("code", "reads"),
    [
        ("if flag:\n    x = f()\nprint(x)", "x"),
        ("try:\n    df\nexcept NameError:\n    df = load()", "df"),
        ("print(i)", "i"),
        ("df.query('v > @lim')", "lim"),
        ("d.x", "d"),
        ("m2.append(1)", "m2"),
        ("n = n + 1", "n"),
        ("(a + b).c", "a b"),
    ],
)
def test_reads_that_others_miss_are_found(code: str, reads: str) -> None:
    assert cell_facts(code).names.reads >= set(reads.split())


def test_comprehension_variables_are_not_bound() -> None:
    assert cell_facts("x = [row for row in rows]").names.writes == {"x"}


def test_python_that_only_newer_versions_know() -> None:
    if sys.version_info < (3, 12):
        return
    names = cell_facts(
        "type X[T] = list[T] | K\ndef f[T: B](x: T) -> T:\n    return k\nclass C[T](P[T]):\n    y: T"
    ).names
    assert names.reads == {"P"}
    assert names.functions["X"].reads == {"list", "K"}
    assert cell_facts("def f[T: B](x: T) -> T:\n    return k\nf(1)").names.reads == {"k", "B"}

"""The digest of code: equal for equal meaning, different for different code."""

from __future__ import annotations

import ast
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.analysis.code.facts import cell_facts, source_facts
from jupyter_mlops.domain.reason_text import phrases

NAMES = st.sampled_from(["a", "b", "df", "total"])
VALUES = st.one_of(
    st.integers(-9, 9).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(max_size=4).map(repr),
)
EXPRESSIONS = st.recursive(
    NAMES | VALUES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "*", "and", "<", "@"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(NAMES, inner).map(lambda t: f"{t[0]}({t[1]}, key={t[1]})"),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(inner, NAMES).map(lambda t: f"{{x: {t[0]} for x in {t[1]} if x}}"),
        inner.map(lambda text: f"(lambda y: {text})"),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.tuples(NAMES, EXPRESSIONS).map(lambda t: f"{t[0]} = {t[1]}"),
    EXPRESSIONS,
    st.tuples(EXPRESSIONS, NAMES, EXPRESSIONS).map(lambda t: f"if {t[0]}:\n    {t[1]} = {t[2]}"),
    st.tuples(NAMES, EXPRESSIONS).map(lambda t: f"def {t[0]}(x, *, y=1):\n    '''doc'''\n    return {t[1]}"),
)
SOURCES = st.lists(STATEMENTS, min_size=1, max_size=4).map("\n".join)


def digest(code: str) -> str:
    return cell_facts(code).digest


@settings(deadline=None)
@given(SOURCES, st.data())
def test_comments_and_empty_lines_do_not_count(source: str, data: st.DataObject) -> None:
    lines = []
    for line in source.splitlines():
        lines += [""] * data.draw(st.integers(0, 2))
        if "'''" not in line:
            line += data.draw(st.sampled_from(["", "  # why", "   "]))
        lines.append(line)
    assert digest("\n".join([*lines, "", "# the end"])) == digest(source)


@settings(deadline=None)
@given(SOURCES)
def test_reformatting_does_not_count(source: str) -> None:
    assert digest(ast.unparse(ast.parse(source))) == digest(source)


@settings(deadline=None)
@given(SOURCES, SOURCES)
def test_two_codes_of_one_digest_are_the_same_tree(one: str, other: str) -> None:
    same = ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    assert (digest(one) == digest(other)) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = 0.0", "x = -0.0"),
        ("x = 1", "y = 1"),
        ("f(a, b)", "f(b, a)"),
        ("x = (1)", "x = (1,)"),
        ("x = None", "x = ..."),
        ("f'{x}'", "f'{x!r}'"),
        ("f'{x:.2f}'", "f'{x:.3f}'"),
        ("for x in y:\n    pass\nz", "for x in y:\n    pass\n    z"),
        ("x: int = 1", "x: float = 1"),
        ("import a", "import a as b"),
        ("from . import a", "from .. import a"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("def f():\n    return 1", "async def f():\n    return 1"),
        ("%time x = 1", "%time x = 2"),
        ("%%time\nx = 1", "%%time\nx = 2"),
        ("!ls", "!ls -l"),
        ("x = 1", "%time x = 1"),
    ],
)
def test_what_means_something_else_has_another_digest(one: str, other: str) -> None:
    assert digest(one) != digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 'a'", 'x = "a"'),
        ("x = 1_000", "x = 1000"),
        ("x = u'a'", "x = 'a'"),
        ("f(a,\n  b)", "f(a, b)"),
        ("if x: y", "if x:\n        y"),
        ("x = (1 + 2)", "x = 1 + 2"),
        ("x = 1;", "x = 1\n"),
        ("!ls", "!ls\n"),
    ],
)
def test_what_means_the_same_has_the_same_digest(one: str, other: str) -> None:
    assert digest(one) == digest(other)


def test_a_digest_is_the_same_in_every_version_of_python_and_of_ours() -> None:
    """A change here makes every stored result stale: it must be meant."""
    expected = "aa78c7d9d7f72ac116c7356b9e02e8386583779d28ecb2f9e33980e7c74f573b"
    assert digest("x = [1, 'a']\nprint(x)") == expected


def test_code_that_is_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        cell_facts("x = = 1")
    with pytest.raises(SyntaxError):
        source_facts("%time x")


def test_top_level_await_is_code() -> None:
    assert cell_facts("y = await f()").names.reads == {"f"}


@pytest.mark.parametrize(
    "code",
    ["%time y = x + 1", "%%time\ny = x + 1", "%%capture out\ny = x + 1", "%%time\n%time y = x + 1"],
)
def test_the_code_inside_a_code_magic_is_seen(code: str) -> None:
    facts = cell_facts(code)
    assert facts.names.reads == {"x"}
    assert "y" in facts.names.writes
    assert facts.doubts.magics == frozenset()
    assert facts.doubts.certain == ()


def test_other_magics_are_doubts() -> None:
    assert cell_facts("%run other.py").doubts.magics == {"run"}
    assert phrases(cell_facts("!make").doubts.certain) == "starts a process (!)"
    assert phrases(cell_facts("files = !ls").doubts.certain) == "starts a process (!)"


def test_a_line_that_is_a_magic_without_its_sign_is_seen() -> None:
    assert cell_facts("run other.py").doubts.magics == {"run"}
    assert cell_facts("cd data/{folder}").names.reads == {"folder"}
    assert cell_facts("time y = x").names.writes == {"y"}
    assert phrases(cell_facts("ls -l a.csv").doubts.certain) == "runs the magic %ls"
    with pytest.raises(SyntaxError):
        cell_facts("ran other.py")
    with pytest.raises(SyntaxError):
        cell_facts("cd data\nx = 1")


def test_one_word_may_be_a_variable_or_a_magic() -> None:
    assert cell_facts("pwd").names.reads == {"pwd"}
    assert cell_facts("pwd").doubts.automagic == "pwd"
    assert cell_facts("ls -l").doubts.automagic == "ls"
    assert cell_facts("df").doubts.automagic == ""
    assert cell_facts("history.tail()").doubts.automagic == ""


def test_looking_at_code_warns_of_nothing_and_shows_no_warning_again() -> None:
    """`catch_warnings` would: it makes all modules forget what they showed once."""
    shown: dict[Any, Any] = {}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        filters = list(warnings.filters)
        for _ in range(2):
            warnings.warn_explicit("once", UserWarning, "library.py", 1, registry=shown)
            cell_facts("pattern = '\\d' # looked at for the first time in this process")
        assert warnings.filters == filters
    assert [str(item.message) for item in told] == ["once"]

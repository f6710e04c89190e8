"""Reasons: codes that decide, in JSON and back; and no one decides by their words."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jupyter_mlops
from jupyter_mlops.domain import reason_text
from jupyter_mlops.domain.reason import AUTHORS_WORD, OF_THE_WORLD, Reason, ReasonCode, Reasons
from jupyter_mlops.domain.reason_text import phrase, phrases, sentence

PACKAGE = Path(jupyter_mlops.__file__).parent
DECIDING = ("analysis", "capture", "operations", "store", "jobs", "execution")
"""Layers that decide what runs; `store.db.former_reasons` reads what earlier builds wrote."""
WORDS = [*reason_text._PHRASES.values(), *reason_text._SENTENCES.values()]
BEGINNINGS = {words.partition("{")[0].strip() for words in WORDS} - {"", "it", "the file", "the module", "uses"}
TEXTS = {"phrase", "phrases", "sentence"}
REASONS = st.builds(Reason, st.sampled_from(ReasonCode), st.text(), st.text(), st.text())


@given(st.lists(REASONS))
def test_reasons_come_back_from_json_as_they_were(found: list[Reason]) -> None:
    reasons = Reasons.of(found)
    assert Reasons.from_json(json.loads(json.dumps(reasons.to_json()))) == reasons
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("data", ["reads the clock", {"code": "of a later version", "detail": "x"}, {}, None, 3])
def test_what_no_code_fits_is_a_reason_on_which_no_reuse_relies(data: object) -> None:
    (found,) = Reasons.from_json(data)
    assert found.code is ReasonCode.OTHER
    assert not found.is_of_the_world


@pytest.mark.parametrize("code", ReasonCode)
def test_each_code_has_words(code: ReasonCode) -> None:
    made = Reason(code, "X", "Y", "Z")
    assert sentence(made)
    assert "{" not in phrase(made)
    assert (code in reason_text._PHRASES) is not (code in reason_text._SENTENCES)


def test_an_author_answers_only_for_what_is_of_the_world() -> None:
    assert AUTHORS_WORD < OF_THE_WORLD
    assert set(reason_text._PHRASES) > OF_THE_WORLD


def test_words_name_what_a_reason_is_about_and_where_it_was_found() -> None:
    clock = Reason(ReasonCode.CLOCK, "time.time")
    assert phrase(clock) == "reads the clock (time.time)"
    assert sentence(clock.within("load")) == "it reads the clock (time.time) in load"
    assert sentence(Reason(ReasonCode.INPUT_CHANGED, "df", "clean")) == "its input 'df' changed (from step 'clean')"
    assert phrases([clock, Reason(ReasonCode.MAGIC, "%cd")]) == "reads the clock (time.time); runs the magic %cd"
    assert (sentence(None), phrases([])) == ("", "")
    assert phrase(Reason(ReasonCode.COMPUTED_READ, "{x}")) == "reads a file whose name is computed ({x})"


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for layer in DECIDING:
        for path in sorted((PACKAGE / layer).rglob("*.py")):
            if path.name != "former_reasons.py":
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_no_sentence_of_a_reason_stands_where_it_could_be_compared_with() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.value!r}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and any(node.value.startswith(words) for words in BEGINNINGS)
    ]
    assert found == []


def is_text_of_a_reason(node: ast.AST) -> bool:
    called = isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in TEXTS
    return called or (isinstance(node, ast.Attribute) and node.attr in ("sentence", "unrepeatable", "why", "reasons"))


def test_no_one_looks_into_the_words_of_a_reason_to_decide() -> None:
    found = []
    for path, tree in modules():
        for node in ast.walk(tree):
            looked: list[ast.AST] = []
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
                looked = node.comparators if isinstance(node.left, (ast.Constant, ast.JoinedStr)) else []
            elif isinstance(node, ast.Compare):
                looked = [node.left, *node.comparators]
                looked = [each for each in looked if isinstance(each, ast.Call)]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                looked = [node.func.value] if hasattr(str, node.func.attr) and node.func.attr != "index" else []
            found += [f"{path.relative_to(PACKAGE)}:{node.lineno}" for each in looked if is_text_of_a_reason(each)]
    assert found == []

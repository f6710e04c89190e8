"""Why a step runs, in words: the most telling difference first."""

from __future__ import annotations

import pytest

from jupyter_mlops.analysis.pipeline.reasons import differences, reason
from jupyter_mlops.domain.reason_text import sentence


def test_nothing_differs_between_equals() -> None:
    assert differences({"code": "a", "input:x": "b"}, {"input:x": "b", "code": "a"}) == []


def test_the_most_telling_difference_stands_first() -> None:
    before = {"display": "1", "packages": "1", "input:b": "1", "input:a": "1", "code": "1", "file:f": "1", "new": "1"}
    now = dict.fromkeys(before, "2")
    assert differences(before, now) == ["code", "input:a", "input:b", "file:f", "packages", "display", "new"]


def test_what_came_or_went_differs() -> None:
    assert differences({"input:a": "1"}, {"input:b": "1"}) == ["input:a", "input:b"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("code", "its code changed"),
        ("input:df", "its input 'df' changed (from step 'load')"),
        ("input:k", "its input 'k' changed"),
        ("input:free", "its input 'free' changed"),
        ("file:/data/a:b.csv", "the file /data/a:b.csv changed"),
        ("exists:/data/figures", "/data/figures was created, removed or replaced"),
        ("module:helpers", "the module helpers changed"),
        ("environment:HOME", "the variable HOME changed"),
        ("library:pandas", "the options of pandas changed"),
        ("effects:*", "a cell before it that configures libraries changed"),
        ("effects:pandas", "a cell before it that configures libraries changed (pandas)"),
        ("quiet", "its last line now shows its value, or no longer does"),
        ("packages", "installed packages changed"),
        ("python", "the Python version changed"),
        ("display", "the shell's display settings changed"),
        ("unheard of", "unheard of changed"),
    ],
)
def test_each_difference_has_its_words(name: str, words: str) -> None:
    assert sentence(reason(name, {"df": "load", "k": "cell:abc"})) == words

"""The options of a step: the magic line, the tags, the metadata, and what is wrong with them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jupyter_mlops.analysis.pipeline.step_options import (
    LONGEST_VALUE,
    check_step_name,
    parse_step_line,
    spec_from_tags,
    tags_of,
)
from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.errors import InputError


@pytest.mark.parametrize(
    ("line", "spec"),
    [
        (" train", StepSpec("train")),
        (" train --no-cache", StepSpec("train", no_cache=True)),
        (" --no-cache train", StepSpec("train", no_cache=True)),
        (" evaluate --metrics auc,accuracy", StepSpec("evaluate", ("auc", "accuracy"))),
        (" evaluate --metrics=auc", StepSpec("evaluate", ("auc",))),
        (" train --model model", StepSpec("train", model="model")),
        (" train --model=m --metrics a", StepSpec("train", ("a",), "m")),
        (" größe", StepSpec("größe")),
        (" a --ttl 1d", StepSpec("a", ttl=86400)),
        (" a --ttl 1.5h", StepSpec("a", ttl=5400)),
        (" a --ttl=2w --timeout 30s", StepSpec("a", ttl=1209600, timeout=30)),
        (" a --reads 'my data.csv' --reads b.txt", StepSpec("a", reads=("my data.csv", "b.txt"))),
        (" a --writes out.csv", StepSpec("a", writes=("out.csv",))),
        (" a --inputs x,y --outputs z", StepSpec("a", inputs=("x", "y"), outputs=("z",))),
        (" a --inputs '' --outputs=", StepSpec("a", inputs=(), outputs=())),
        (" a --params lr,depth", StepSpec("a", params=("lr", "depth"))),
        (" a --repeatable --kind train --retries 2", StepSpec("a", repeatable=True, kind="train", retries=2)),
        (" clean_data-2", StepSpec("clean_data-2")),
    ],
)
def test_a_step_line_says_what_the_step_asks_for(line: str, spec: StepSpec) -> None:
    assert parse_step_line(line) == spec


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "needs exactly one name"),
        (" a --ttl soon", "'soon' of '--ttl' is not a duration"),
        (" a --ttl 5", "not a duration"),
        (" a --ttl 0s", "not a positive duration"),
        (" a --timeout=1y", "not a duration"),
        (" a --retries two", "not a number"),
        (" a --retries -1", "not a number"),
        (" a --kind 'two words'", "not one word"),
        (" a --no-cache --ttl 1d", "at once"),
        (" a --repeatable --no-cache", "at once"),
        (" a --no-cache=yes", "takes no value"),
        (" a --ttl 1d --ttl 2d", "given twice"),
        (" a --model=", "needs a value"),
        (" a --reads", "needs a value"),
        (" a --inputs", "needs a value"),
        (" a --outputs x.y", "not a variable name"),
        (" a b", "needs exactly one name"),
        (" 2nd", "not a valid step name"),
        (" a.b", "not a valid step name"),
        (" a/b", "not a valid step name"),
        (" -x a", "no option '-x'"),
        (" a --metric auc", "no option '--metric'"),
        (" a --metrics", "needs a value"),
        (" a --metrics --model m", "needs a value"),
        (" a --model 2x", "not a variable name"),
        (" a --metrics a.b", "not a variable name"),
        (' a "', "cannot be read"),
    ],
)
def test_a_bad_step_line_is_told_with_the_mend(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_step_line(line)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a", "train", "clean_data", "v2-final", "étape"])
def test_a_word_can_name_a_step(name: str) -> None:
    assert check_step_name(name) == name


@pytest.mark.parametrize("name", ["", "2", "-a", "a b", "a\n", "a.b", "a:b", "../x", "_" * 0 + "$"])
def test_anything_else_cannot(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_step_name(name)
    assert "one word" in caught.value.hint


def test_a_name_of_a_thousand_characters_is_refused_in_few_words() -> None:
    assert check_step_name("a" * 200)
    with pytest.raises(InputError, match=r"begins with 'a+' has 1,000,000 characters") as caught:
        check_step_name("a" * 1_000_000)
    assert len(caught.value.message) < 200
    with pytest.raises(InputError, match="not one word"):
        parse_step_line(f"train --kind {'k' * 201}")


def test_tags_ask_for_the_same_as_the_magic() -> None:
    tags = ["step:evaluate", "metrics:auc,accuracy", "metrics:f1", "model:m", "no-cache", "other"]
    assert spec_from_tags(tags) == StepSpec("evaluate", ("auc", "accuracy", "f1"), "m", True)
    assert spec_from_tags(["parameters", "metrics:a"]) is None


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["step:a", "step:b"], "two step tags"),
        (["step:"], "not a valid step name"),
        (["step:a b"], "not a valid step name"),
        (["step:a", "metrics:1x"], "not a variable"),
    ],
)
def test_bad_tags_are_told(tags: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spec_from_tags(tags)


def test_every_option_has_a_tag() -> None:
    tags = [
        "step:a",
        "ttl:1d",
        "reads:x, y.csv",
        "reads:z",
        "writes:o",
        "inputs:a,b",
        "outputs:",
        "params:p",
        "repeatable",
    ]
    tags += ["kind:train", "timeout:30s", "retries:2"]
    assert spec_from_tags(tags) == StepSpec(
        "a",
        ttl=86400,
        reads=("x, y.csv", "z"),
        writes=("o",),
        inputs=("a", "b"),
        outputs=(),
        params=("p",),
        repeatable=True,
        kind="train",
        timeout=30,
        retries=2,
    )


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (" a --metric auc", "Did you mean '--metrics'?"),
        (" a --nocache", "Did you mean '--no-cache'?"),
        (" a -ttl 1d", "Did you mean '--ttl'?"),
        (" a --zzzz", "Known: --"),
        (" a --reads", "Write --reads PATH"),
        (" a --inputs", "--inputs '' declares none"),
        (" a --ttl 5", "1.5h"),
    ],
)
def test_the_hint_says_what_to_write(line: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_step_line(line)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("asked", "tags"),
    [
        ({"step": "a", "ttl": "1d"}, ["step:a", "ttl:1d"]),
        ({"step": "a", "no-cache": True, "repeatable": False}, ["step:a", "no-cache"]),
        ({"no_cache": True}, ["no-cache"]),
        ({"metrics": ["a", "b"], "inputs": [], "model": None}, ["metrics:a,b", "inputs:"]),
        ({"reads": ["a,b.csv", "c"], "writes": "d"}, ["reads:a,b.csv", "reads:c", "writes:d"]),
        ({"ttl": 60, "timeout": 1.5, "retries": 2}, ["ttl:60s", "timeout:1.5s", "retries:2"]),
        (None, []),
        ("text", []),
    ],
)
def test_metadata_stands_for_tags(asked: Any, tags: list[str]) -> None:
    assert list(tags_of({"tags": ["other", *tags[:1]], "mlops": asked})) == ["other", *tags]


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ({"step": "a", "tll": "1d"}, "no option 'tll'", "Did you mean 'ttl'?"),
        ({"step": "a", "no-cache": "yes"}, "no option 'no-cache=yes'", "Did you mean 'no-cache'?"),
        ({"step": "a", "retries": "x"}, "not a number", "whole number"),
    ],
)
def test_bad_metadata_is_told(asked: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        spec_from_tags(tags_of({"mlops": asked}))
    assert hint in caught.value.hint


def test_a_name_that_is_given_twice_alike_is_one() -> None:
    assert spec_from_tags(tags_of({"tags": ["step:a"], "mlops": {"step": "a"}})) == StepSpec("a")


@pytest.mark.parametrize("size", [LONGEST_VALUE + 1, 5_000_000])
def test_an_option_of_any_length_is_answered_at_once_and_shortly(size: int) -> None:
    long = "x" * size
    began = time.monotonic()
    for tags in [("step:a", f"kind:{long}"), ("step:a", f"metrics:{long}"), ("step:a", f"reads:{long}")]:
        with pytest.raises(InputError, match=f"of step 'a' has {size:,} characters; the limit is 10,000"):
            spec_from_tags(tags)
    for read in (lambda: parse_step_line(f" a --{long}"), lambda: spec_from_tags(("step:a", f"mlops-unknown:{long}"))):
        with pytest.raises(InputError, match=r"no option|line of %%step has 5,[0-9,]+ characters") as caught:
            read()
        assert len(caught.value.message) <= 11_000
    assert spec_from_tags(("step:a", long)) == StepSpec("a")
    assert time.monotonic() - began < 5

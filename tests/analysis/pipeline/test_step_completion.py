"""What may stand at the end of a `%%step` line."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from jupyter_mlops.analysis.pipeline.step_completion import complete_step
from jupyter_mlops.analysis.pipeline.step_options import OPTIONS


class Around:
    """A kernel with a few names."""

    def steps(self) -> Iterable[str]:
        return ["load", "train", "cell@3f2a91c4"]

    def kinds(self) -> Iterable[str]:
        return ["fit"]

    def numbers(self) -> Iterable[str]:
        return ["auc", "n"]

    def plain(self) -> Iterable[str]:
        return ["auc", "flag", "n"]

    def models(self) -> Iterable[str]:
        return ["model"]

    def names(self) -> Iterable[str]:
        return ["auc", "flag", "frame", "model", "n"]


def told(line: str, code: str = "score = frame.a.sum()\nfitted = 1") -> tuple[str, list[str]]:
    *words, begun = line.split(" ")
    return complete_step(words, begun, f"%%step {line}\n{code}", Around())


@pytest.mark.parametrize(
    ("line", "replaced", "expected"),
    [
        ("", "", ["load", "train"]),
        ("t", "t", ["train"]),
        ("train --met", "--met", ["--metrics"]),
        ("--met", "--met", ["--metrics"]),
        ("train --metrics ", "", ["fitted", "score", "auc", "n"]),
        ("train --metrics a", "a", ["auc"]),
        ("train --metrics auc,", "", ["fitted", "score", "n"]),
        ("train --metrics=auc,s", "s", ["score"]),
        ("train --params ", "", ["auc", "flag", "n", "fitted", "score"]),
        ("train --model ", "", ["model", "fitted", "score"]),
        ("train --inputs ", "", ["frame", "auc", "flag", "model", "n"]),
        ("train --outputs s", "s", ["score"]),
        ("train --kind f", "f", ["fit", "features"]),
        ("train --ttl 1", "1", ["1h", "1d", "1w"]),
        ("train --retries ", "", ["1", "2", "3"]),
        ("train --skip-if f", "f", ["flag", "frame"]),
        ("train --reads ", "", []),
        ("train --kind fit --k", "--k", []),
        ("train --reads a.csv --r", "--r", ["--reads", "--retries", "--repeatable"]),
        ("train --sk", "--sk", ["--skip-if", "--skip"]),
    ],
)
def test_steps_options_and_names_are_offered(line: str, replaced: str, expected: list[str]) -> None:
    assert told(line) == (replaced, expected)


def test_after_the_name_all_options_are_offered() -> None:
    assert sorted(told("train ")[1]) == sorted(f"--{name}" for name in OPTIONS)


def test_names_of_a_cell_that_is_being_written_are_found_too() -> None:
    assert told("train --metrics s", "score = (\nsize: int = 3\nif s == 1")[1] == ["score", "size"]

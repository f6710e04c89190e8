"""Every error says what was wrong and what to do next, and survives the way to another process."""

from __future__ import annotations

import inspect
import pickle

import pytest

from jupyter_mlops import errors
from jupyter_mlops.errors import InputError, MLOpsError, UnknownNameError

ALL = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, MLOpsError)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_is_pickled_with_message_hint_and_details(kind: type[MLOpsError]) -> None:
    error = kind("It broke.", "Mend it.", cell_index=3, output="out.ipynb")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.hint, again.details) == ("It broke.", "Mend it.", error.details)
    assert str(again) == "It broke."
    assert (again.exit_code, again.http_status, again.code) == (kind.exit_code, kind.http_status, kind.code)


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        words = line.replace("│", " ").replace("├──", " ").replace("└──", " ").split()
        if words and words[0].endswith("Error"):
            drawn[words[0]] = (int(words[1]), int(words[2]))
    assert drawn == {kind.__name__: (kind.exit_code, kind.http_status) for kind in ALL}


def test_codes_are_each_ones_own() -> None:
    assert len({kind.code for kind in ALL}) == len(ALL)


def test_the_tree_is_two_deep() -> None:
    assert max(len(kind.__mro__) - MLOpsError.__mro__.__len__() for kind in ALL) == 2


def test_usage_errors_end_with_2_and_others_with_1() -> None:
    assert {kind.exit_code for kind in ALL if issubclass(kind, InputError)} == {2}
    assert {kind.exit_code for kind in ALL if not issubclass(kind, InputError)} == {1}


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("trian", ["train", "load"], "Did you mean 'train'?"),
        ("xyz", ["train", "load"], "Known: load, train."),
        ("xyz", [], "There is no step yet."),
        ("xyz", [f"s{n:02}" for n in range(20)], f"Known: {', '.join(f's{n:02}' for n in range(12))}, ...."),
    ],
)
def test_an_unknown_name_is_told_with_the_one_that_is_meant_or_those_there_are(
    name: str, known: list[str], hint: str
) -> None:
    error = UnknownNameError.among("step", name, known)
    assert error.message == f"There is no step named '{name}'."
    assert error.hint == hint


def test_a_message_that_quotes_megabytes_says_how_long_they_are() -> None:
    error = UnknownNameError.among("run", "x" * 4_000_000, ["1", "2"])
    assert len(error.message) == 10_000
    assert error.message.endswith("… (4,000,025 characters)")
    assert pickle.loads(pickle.dumps(error)).message == error.message == str(error)
    assert error.hint == "Known: 1, 2."

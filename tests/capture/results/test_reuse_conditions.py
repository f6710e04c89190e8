"""Where a result is not reused though its step is as it was, the condition that does not hold is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.capture.forecast import RecordedWorld
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.results.reuse import unmet
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepRun
from jupyter_mlops.store.files.digests import file_digest

RUN = StepRun("s", "r", "n", "train", 1, "digest", 1, Status.COMPLETED, key="k")


class Untold(RecordedWorld):
    def untold(self) -> list[str]:
        return ["lock"]


def world(folder: Path) -> RecordedWorld:
    made = RecordedWorld(where=str(folder))
    for name in ("a", "b"):
        made.bind("load", name, ValueFacts("1"))
    return made


@pytest.mark.parametrize(
    ("conditions", "code", "told"),
    [
        (Conditions({}, "/elsewhere"), ReasonCode.FOLDER_CHANGED, "it ran in another folder (/elsewhere)"),
        (Conditions({"a.csv": "0"}), ReasonCode.FILE_CHANGED, "the file a.csv changed"),
        (
            Conditions(random_before={"numpy": "0"}),
            ReasonCode.RANDOM_CHANGED,
            "the state of the random generator of numpy was different",
        ),
        (
            Conditions(shapes={"a": "2"}),
            ReasonCode.SHARED_CHANGED,
            "what 'a' holds, or shares with other values, was different",
        ),
        (
            Conditions(shapes={"a,b": "2"}),
            ReasonCode.SHARED_CHANGED,
            "what 'a, b' holds, or shares with other values, was different",
        ),
        (Conditions(shapes={"c": "2"}), ReasonCode.INPUT_GONE, "its input 'c' is gone"),
    ],
)
def test_the_condition_that_does_not_hold_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conditions: Conditions, code: ReasonCode, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = unmet(replace(RUN, conditions=conditions), world(tmp_path))
    assert found is not None
    assert (found.code, sentence(found)) == (code, told)


def test_a_value_of_which_nothing_can_be_told_is_named(tmp_path: Path) -> None:
    found = unmet(replace(RUN, conditions=Conditions(shapes={"a": "1"})), Untold(where=str(tmp_path)))
    assert found == Reason(ReasonCode.BESIDE_UNTOLD, "lock")


def test_nothing_is_named_where_all_is_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x")
    conditions = Conditions({str(file): file_digest(str(file))}, str(tmp_path), {}, {"a": "1"})
    assert unmet(replace(RUN, conditions=conditions), world(tmp_path)) is None

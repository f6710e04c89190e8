"""`%mlops capture on | off | status`."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.verbs.framework.verb import MAGIC
from verbs.live import FakeKernel
from verbs.projects import data_of, text_of


def test_it_is_put_on_and_off(tmp_path: Path) -> None:
    kernel = FakeKernel()
    assert "Every cell is a step" in text_of(tmp_path, "capture on", surface=MAGIC, live=kernel)
    assert kernel.capture_all
    assert "Only cells with a %%step line or a step tag are steps" in text_of(
        tmp_path, "capture off", surface=MAGIC, live=kernel
    )
    assert not kernel.capture_all


def test_status_shows_what_is_captured_and_changes_nothing(tmp_path: Path) -> None:
    kernel = FakeKernel(numbers=[1])
    kernel.capture_all = True
    for line in ("capture", "capture status"):
        text = text_of(tmp_path, line, surface=MAGIC, live=kernel)
        assert "numbers  load" in text
    assert kernel.capture_all
    assert data_of(tmp_path, "capture", surface=MAGIC, live=kernel) == {"all": True, "names": {"numbers": "load"}}


def test_a_word_it_does_not_know_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        text_of(tmp_path, "capture always", surface=MAGIC, live=FakeKernel())
    assert "usage: " in caught.value.hint


def test_it_is_no_verb_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        text_of(tmp_path, "capture on")

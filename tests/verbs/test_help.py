"""`help`: every verb is listed where it is offered, and can be explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.framework.verb import CLI, MAGIC

from .projects import data_of, text_of

OFFERED = [(entry.name, surface) for surface in (CLI, MAGIC) for entry in table.entries(surface)]


@pytest.mark.parametrize("surface", [CLI, MAGIC])
def test_all_verbs_of_the_surface_are_listed_with_a_line_each(tmp_path: Path, surface: str) -> None:
    text = text_of(tmp_path, "help", surface=surface)
    for entry in table.entries(surface):
        assert entry.name in text
        assert entry.help in text
    assert [item["name"] for item in data_of(tmp_path, "help", surface=surface)] == [
        entry.name for entry in table.entries(surface)
    ]
    assert ("%%step NAME [--metrics A,B]" in text) is (surface == MAGIC)


@pytest.mark.parametrize(("name", "surface"), OFFERED)
def test_each_verb_is_found_explained_and_takes_json(tmp_path: Path, name: str, surface: str) -> None:
    verb = table.find(name, surface)
    assert verb.name == name
    assert surface in verb.surfaces
    text = text_of(tmp_path, f"help {name}", surface=surface)
    assert f"mlops {name}" in text
    assert "--json" in text
    assert data_of(tmp_path, f"help {name}", surface=surface)["name"] == name


@pytest.mark.parametrize(("name", "surface"), OFFERED)
def test_every_argument_of_a_verb_has_a_line_of_help(name: str, surface: str) -> None:
    parser = table.parser_of(table.find(name, surface), "x")
    bare = [action.dest for action in parser._actions if not action.help and not action.choices]
    assert bare == []


def test_no_words_ask_for_help(tmp_path: Path) -> None:
    assert text_of(tmp_path, "") == text_of(tmp_path, "help")


def test_an_unknown_verb_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    for line in ("stauts", "help stauts"):
        with pytest.raises(UnknownNameError, match="no verb named 'stauts'") as caught:
            text_of(tmp_path, line)
        assert caught.value.hint == "Did you mean 'status'?"


def test_a_verb_of_the_other_surface_is_not_offered(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        text_of(tmp_path, "form")
    with pytest.raises(UnknownNameError):
        text_of(tmp_path, "demo", surface=MAGIC)

"""`new`, `templates` and `demo` on the command line: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.cli.main import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_new_makes_a_project_and_says_how_to_go_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "tabular-classification", "my masses"]) == 0
    assert (here / "my masses" / "breast_cancer.ipynb").is_file()
    told = capsys.readouterr().out
    assert "cd 'my masses' && jupyter lab breast_cancer.ipynb" in told
    assert "jupyter mlops run 'my masses/breast_cancer.ipynb'" in told


def test_new_tells_other_programs_where_the_project_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "tabular-classification", "masses", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["notebook"] == (here / "masses" / "breast_cancer.ipynb").as_posix()


def test_an_unknown_template_is_a_usage_error_with_a_did_you_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "tabular-clasification", "masses"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Error: There is no template named 'tabular-clasification'.",
        "Hint: Did you mean 'tabular-classification'?",
    ]


@pytest.mark.parametrize("words", [["new", "tabular-classification", "full"], ["demo", "full"]])
def test_a_folder_that_holds_something_is_a_usage_error(
    here: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "full").mkdir()
    (here / "full" / "thesis.tex").write_text("")
    assert main(words) == 2
    assert "is not empty (it holds 'thesis.tex')" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_a_failure(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert main(["new", "tabular-classification", "file/masses"]) == 1
    told = capsys.readouterr().err
    assert "cannot be made" in told
    assert "Hint:" in told


def test_templates_are_listed_with_their_descriptions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["templates"]) == 0
    told = capsys.readouterr().out
    assert "tabular-classification" in told
    assert "breast-cancer data" in told
    assert main(["templates", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [template["notebook"] for template in listed if template["name"] == "tabular-classification"] == [
        "breast_cancer.ipynb"
    ]

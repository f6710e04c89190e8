"""The documentation says what the code says: verbs, options, versions, links."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from jupyter_mlops import __version__
from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.framework.verb import CLI, MAGIC

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("templates/*/*.md")])


def section(page: str, heading: str) -> str:
    """The text under a heading of the second level; empty where there is none."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """Every option and sub-verb of a parser, those of its sub-verbs included; `--help` and `--json` belong to all."""
    names: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                names += [name, *options_of(child)]
        elif action.help is not argparse.SUPPRESS:
            names += [option for option in action.option_strings if option.startswith("--")]
    return [name for name in names if name not in ("--help", "--json")]


@pytest.mark.parametrize("name", [entry.name for entry in table.entries(CLI)])
def test_every_verb_of_the_command_line_is_documented_with_its_options(name: str) -> None:
    verb = table.find(name, CLI)
    text = section((ROOT / "docs" / "cli.md").read_text(), f"`jupyter mlops {name}`")
    assert text, f"docs/cli.md has no section on {name}"
    assert verb.help
    missing = [option for option in options_of(table.parser_of(verb, "jupyter mlops")) if option not in text]
    assert missing == []


@pytest.mark.parametrize("name", [entry.name for entry in table.entries(CLI)])
def test_every_argument_of_a_verb_has_help(name: str) -> None:
    parser = table.parser_of(table.find(name, CLI), "jupyter mlops")
    for action in parser._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), action.dest


@pytest.mark.parametrize("name", [entry.name for entry in table.entries(MAGIC)])
def test_every_verb_of_the_magic_is_documented(name: str) -> None:
    assert re.search(rf"`%mlops {name}\b", (ROOT / "docs" / "magics.md").read_text())


def test_a_verb_says_of_itself_what_the_table_says() -> None:
    for entry in table.ENTRIES:
        if CLI in entry.surfaces:
            assert table.find(entry.name, CLI).name == entry.name


def test_the_changelog_opens_with_this_version() -> None:
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == __version__
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
    assert f'"version": "{__version__}"' in (ROOT / "labextension" / "package.json").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    broken = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert broken == []


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").glob("**/*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        assert name == "index" or f"\n{name}\n" in index


def test_every_target_of_the_makefile_is_in_contributing() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert [target for target in ("demo", "lab", "test", "lint", "bench", "docs") if target not in targets] == []
    assert [target for target in targets if f"`make {target}`" not in text] == []

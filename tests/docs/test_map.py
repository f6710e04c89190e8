"""The map in CONTRIBUTING.md names what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("<!-- end of map -->")[0]
PACKAGE = ROOT / "jupyter_mlops"


def test_every_path_of_the_map_is_in_the_tree() -> None:
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.(?:py|md))?|labextension/src/\w+/)`", MAP))
    assert len(named) > 15
    missing = [path for path in named if not ((PACKAGE / path).exists() or (ROOT / path).exists())]
    nested = [path for path in missing if not any(PACKAGE.glob(f"*/{path}"))]
    assert nested == []


GUIDES = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## How to add a verb")[2]


def test_every_file_that_a_guide_names_is_in_the_tree() -> None:
    named = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", GUIDES))
    assert len(named) > 40
    missing = [path for path in named if not ((PACKAGE / path).exists() or (ROOT / path).exists())]
    nested = [path for path in missing if not any((ROOT / "labextension" / "src").glob(f"**/{path}"))]
    assert [path for path in nested if not path.startswith("mlops/")] == [], "users make `mlops/templates/`"


def test_every_folder_of_a_layer_that_the_map_tells_of_is_on_it() -> None:
    for layer in ("capture", "execution", "jobs", "store", "analysis"):
        folders = {path.name for path in (PACKAGE / layer).iterdir() if (path / "__init__.py").exists()}
        untold = {name for name in folders if f"`{name}/`" not in MAP and f"`{layer}/{name}/`" not in MAP}
        assert untold == set(), layer

"""How `make docs` builds the site."""

import re
from pathlib import Path

_pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")

project = "jupyter-mlops"
author = "jupyter-mlops contributors"
release = re.search(r'^version = "(.+)"', _pyproject, re.MULTILINE)[1]  # type: ignore[index]
extensions = ["myst_parser"]
html_theme = "furo"
html_title = f"jupyter-mlops {release}"
myst_heading_anchors = 3
exclude_patterns = ["_build"]

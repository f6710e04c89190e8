"""The environment of their own that the libraries live in, made when it is first needed: `tests/popular/.env`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).with_name(".env")
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("lightgbm", "xgboost-cpu", "catboost", "statsmodels", "polars", "duckdb", "plotly", "altair", "seaborn"),
    *("imbalanced-learn", "optuna", "networkx", "joblib"),
)
_WITH = ("scikit-learn", "pandas", "pyarrow", "matplotlib", "ipywidgets")


def python() -> Path:
    """The Python that has the libraries, once they are `installed`."""
    return FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed() -> None:
    """Make the environment where it is not there. Raises `CalledProcessError` where pip cannot."""
    done = FOLDER / ".done"
    wanted = "\n".join((platform.python_version(), *PACKAGES, *_WITH))
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
    (FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
    install = [str(python()), "-m", "pip", "install", "-q"]
    subprocess.run([*install, *PACKAGES, *_WITH, "-e", str(ROOT)], check=True)
    done.write_text(wanted, encoding="utf-8")


def versions(interpreter: Path) -> dict[str, str]:
    """Package → version there."""
    code = "import json; from importlib.metadata import version; print(json.dumps({n: version(n) for n in %r}))"
    told = subprocess.run(
        [str(interpreter), "-c", code % (PACKAGES,)], check=True, capture_output=True, text=True, cwd=ROOT
    )
    found: dict[str, str] = json.loads(told.stdout)
    return found

"""What is told to MLflow holds no secret: shown in a process of its own, for the guard changes the one it is in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_what_is_told_to_mlflow_holds_the_name_in_the_place_of_the_secret(tmp_path: Path) -> None:
    inside = Path(__file__).with_name("mlflow_inside.py")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={tmp_path / 'inside'}",
            str(inside),
        ],
        env={name: text for name, text in os.environ.items() if not name.startswith("MLFLOW_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout

"""What is shipped: the wheel, built from a clean copy of the sources, in a clean environment without Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class CleanEnvironment:
    """A virtual environment with the wheel in it, and with nothing else on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "env" / "bin"
        self.work = folder / "work"
        self.work.mkdir()
        subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)

    def __call__(self, *words: str, ok: bool = True) -> str:
        """The output of a command run in the environment, away from the sources and the user's own settings."""
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PYTHON", "JUPYTER", "VIRTUAL"))
            },
            "PATH": str(self.bin),
            "HOME": str(self.work),
        }
        command = [str(self.bin / words[0]), *words[1:]]
        done = subprocess.run(command, cwd=self.work, env=environment, capture_output=True, text=True, timeout=300)
        assert not ok or done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git knows or would take in: no build of before is in the way."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "source" / name)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", folder / "dist", folder / "source"], check=True
    )
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="session")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    environment = CleanEnvironment(tmp_path_factory.mktemp("clean"))
    subprocess.run(
        [environment.bin / "python", "-m", "pip", "install", "-qq", wheel],
        check=True,
        env={**os.environ, "PATH": str(environment.bin)},
    )
    assert shutil.which("node", path=str(environment.bin)) is None
    return environment


def test_the_wheel_holds_package_panel_settings_and_templates_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = f"{wheel.name.rsplit('-', 3)[0]}.data/data"
    assert f"{data}/share/jupyter/labextensions/jupyter-mlops/package.json" in names
    assert f"{data}/share/jupyter/labextensions/jupyter-mlops/install.json" in names
    assert f"{data}/etc/jupyter/jupyter_server_config.d/jupyter_mlops.json" in names
    assert f"{data}/share/jupyter/mlops/templates/tabular-classification/breast_cancer.ipynb" in names
    assert f"{data}/share/jupyter/mlops/templates/tabular-classification/template.json" in names
    assert len([name for name in names if name.endswith("static/style.js")]) == 1
    assert len([name for name in names if name.endswith("breast_cancer.ipynb")]) == 1
    assert not [name for name in names if "node_modules" in name or name.startswith(("tests/", "labextension/"))]


def test_the_extension_loads_and_a_step_is_recorded(clean: CleanEnvironment) -> None:
    code = "from IPython.core.interactiveshell import InteractiveShell as S; s = S.instance()\n"
    code += "s.run_line_magic('load_ext', 'jupyter_mlops')\n"
    code += "print(s.run_cell('%%step one\\nx = 2').success, s.user_ns['x'])\n"
    code += "s.run_line_magic('mlops', 'log one --json')"
    assert clean("python", "-c", code).startswith("True 2\n")
    assert json.loads(clean("jupyter", "mlops", "log", "one", "--json"))


def test_the_server_extension_is_enabled(clean: CleanEnvironment) -> None:
    lines = clean("jupyter", "server", "extension", "list").splitlines()
    assert any("jupyter_mlops" in line and "enabled" in line for line in lines)
    assert any("jupyter_mlops" in line and "OK" in line for line in lines)


def test_the_panel_is_installed(clean: CleanEnvironment) -> None:
    (line,) = (line for line in clean("jupyter", "labextension", "list").splitlines() if "jupyter-mlops v" in line)
    assert "enabled" in line
    assert "OK" in line


def test_a_notebook_of_the_template_runs_as_a_job(clean: CleanEnvironment) -> None:
    templates = json.loads(clean("jupyter", "mlops", "templates", "--json"))
    assert "tabular-classification" in {template["name"] for template in templates}
    clean("jupyter", "mlops", "new", "tabular-classification", "project")
    clean("jupyter", "mlops", "run", "project/breast_cancer.ipynb", "-p", "n_estimators", "20")
    (executed,) = (clean.work / "project" / "runs").glob("*.ipynb")
    errors = [
        output
        for cell in json.loads(executed.read_text())["cells"]
        for output in cell.get("outputs", ())
        if output["output_type"] == "error"
    ]
    assert errors == []

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupyter_mlops
from jupyter_mlops.server.app import MLOpsApp
from server.conftest import Ask

HEAVY = ("mlflow", "papermill", "pandas", "sklearn", "sqlalchemy", "alembic", "matplotlib", "ipywidgets", "psutil")


def test_the_server_starts_with_nothing_heavy() -> None:
    code = f"""
import sys
import jupyter_server.serverapp
before = set(sys.modules)
import jupyter_mlops
[point] = jupyter_mlops._jupyter_server_extension_points()
print([name for name in {HEAVY!r} if name in set(sys.modules) - before])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_jupyter_finds_both_halves() -> None:
    assert jupyter_mlops._jupyter_server_extension_points() == [{"module": "jupyter_mlops", "app": MLOpsApp}]
    assert jupyter_mlops._jupyter_labextension_paths() == [{"src": "labextension", "dest": "jupyter-mlops"}]
    labextension = Path(__file__).parents[3] / "labextension"
    enabled = json.loads((labextension / "jupyter-config" / "jupyter_mlops.json").read_text(encoding="utf-8"))
    assert enabled == {"ServerApp": {"jpserver_extensions": {MLOpsApp.name: True}}}


async def test_the_extension_is_loaded_and_answers_below_the_base_url(ask: Ask, jp_serverapp: Any) -> None:
    assert jp_serverapp.extension_manager.extensions["jupyter_mlops"].enabled
    assert (await ask("runs")).data == {"runs": [], "project": None, "older": False}


async def test_a_server_whose_contents_are_no_files_says_so(ask: Ask, jp_serverapp: Any) -> None:
    class InMemory:
        root_dir = "/"

    jp_serverapp.web_app.settings["jupyter_mlops"].projects._contents_manager = InMemory()
    answer = await ask("runs", path="a.ipynb")
    assert answer.status == 400
    assert "InMemory" in answer.data["message"]
    assert answer.data["hint"]

"""A real JupyterLab for the browser tests: its own folders, its own port, ended by its own pid."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TOKEN = "browser-tests"
_UP_WITHIN = 60.0
_DOWN_WITHIN = 30.0


class LabServer:
    """`jupyter lab` serving `root`. Everything it keeps lies in `home`; the user's settings are neither read nor written."""

    def __init__(self, home: Path, *, has_server_part: bool = True) -> None:
        self.root = home / "root"
        self.root.mkdir(parents=True)
        self._log_path = home / "jupyter.log"
        self._port = _free_port()
        self._environment = _environment(home)
        if not has_server_part:
            _disable_server_part(home)
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *_options(self._port, self.root)],
                env=self._environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def url(self, path: str = "") -> str:
        """Address of the application, with the notebook `path` open where one is given, in an empty workspace."""
        tree = f"/tree/{path}" if path else ""
        return f"http://127.0.0.1:{self._port}/lab{tree}?token={TOKEN}&reset"

    def run(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """`jupyter mlops ARGUMENTS` in `folder`, in the environment of the server."""
        command = [str(Path(sys.executable).with_name("jupyter-mlops")), *arguments]
        return subprocess.run(command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False)

    def log(self) -> str:
        """What the server wrote so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End the server, and with it its kernels."""
        self._process.terminate()
        try:
            self._process.wait(_DOWN_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + _UP_WITHIN
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api?token={TOKEN}", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log()[-4000:]}")


def _options(port: int, root: Path) -> list[str]:
    return [
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={root}",
        "--expose-app-in-browser",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def _environment(home: Path) -> dict[str, str]:
    config = home / "config"
    (config / "labconfig").mkdir(parents=True)
    # Else a question about news covers a corner of the page.
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(disabled), encoding="utf-8")
    own = {
        "HOME": home,
        "JUPYTER_CONFIG_DIR": config,
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
        "MPLCONFIGDIR": home / "matplotlib",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "MLFLOW"))}
    # In a virtual environment Jupyter else lets the environment's settings win over these.
    return kept | {name: str(path) for name, path in own.items()} | {"JUPYTER_PREFER_ENV_PATH": "0"}


def _disable_server_part(home: Path) -> None:
    folder = home / "config" / "jupyter_server_config.d"
    folder.mkdir()
    settings = {"ServerApp": {"jpserver_extensions": {"jupyter_mlops": False}}}
    (folder / "jupyter_mlops.json").write_text(json.dumps(settings), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

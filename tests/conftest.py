"""Fixtures for all tests: a key of their own, no tracking server, kernels that are ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = str(Path(__file__).parent)
# Last, so that no folder here, such as `secrets`, is taken for a module of Python's own by the processes we start.
sys.path[:] = [*(path for path in sys.path if path != TESTS), TESTS]
pytest_plugins = ["spread"]


@pytest.fixture(scope="session", autouse=True)
def own_jupyter_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor write the user's Jupyter folders, and no MLflow server of the user's is told anything."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
        patch.setenv("JUPYTER_CONFIG_DIR", str(home / "config"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        for variable in ("MLFLOW_TRACKING_URI", "MLOPS_STORE", "MLOPS_OBJECTS"):
            patch.delenv(variable, raising=False)
        # Only the tests of tracking need its writer: elsewhere each project would start one, which imports MLflow.
        patch.setenv("MLOPS_TRACKING", "later")
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[object]:
    """A server of PostgreSQL, started when the first test asks for it."""
    from postgresql import Cluster

    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A server that speaks S3, on loopback; its address and keys are in the environment, as users have them."""
    from s3server import S3Server

    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server
    server.stop()


@pytest.fixture(scope="module")
def start_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., object]]:
    """Starts kernels with the extension loaded; those left at the end of the module are killed."""
    from kernels import LiveKernel

    kernels: list[LiveKernel] = []

    def start(folder: Path | None = None, **options: Any) -> LiveKernel:
        kernels.append(LiveKernel(folder or tmp_path_factory.mktemp("project"), **options))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close(now=True)

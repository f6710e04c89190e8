"""The project's own MLflow database: made whole or not at all, upgraded with a copy, never taken from a newer MLflow."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from jupyter_mlops import tracking
from jupyter_mlops.errors import StoreError
from jupyter_mlops.tracking.database import ensure_database
from jupyter_mlops.tracking.uri import own_database, own_uri


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("databäse %41 project")
    (folder / ".mlops").mkdir()
    ensure_database(folder, own_uri(folder))
    return folder


@contextlib.contextmanager
def database(root: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(own_database(root))) as connection, connection:
        yield connection


def test_it_is_made_whole_private_and_with_write_ahead_log(root: Path) -> None:
    names = sorted(path.name for path in (root / ".mlops").glob("*mlflow*"))
    assert names == ["mlflow.db"]
    assert stat.S_IMODE(own_database(root).stat().st_mode) == 0o600
    with database(root) as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    assert [found.name for found in MlflowClient(own_uri(root)).search_experiments()] == ["Default"]


def test_making_it_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".mlops").mkdir()
    code = (
        "import sys; from pathlib import Path; from jupyter_mlops.tracking.database import *; root = Path(sys.argv[1]);"
        "ensure_database(root, sqlite_uri(own_database(root)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(tracking.__file__).parents[2]), "PYTHONWARNINGS": "ignore"},
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_one_of_a_newer_mlflow_is_refused(root: Path) -> None:
    with database(root) as connection:
        (before,) = connection.execute("select version_num from alembic_version").fetchone()
        connection.execute("update alembic_version set version_num = 'from-the-future'")
    try:
        with pytest.raises(StoreError, match="newer MLflow") as caught:
            ensure_database(root, own_uri(root))
        assert "pip install -U mlflow" in caught.value.hint
    finally:
        with database(root) as connection:
            connection.execute("update alembic_version set version_num = ?", [before])
    ensure_database(root, own_uri(root))


def test_one_of_an_older_mlflow_is_upgraded_and_a_copy_stays(root: Path) -> None:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    script = ScriptDirectory.from_config(_get_alembic_config(db_url=""))
    head = script.get_current_head()
    # The head's own step is undone by hand where Alembic can; else the revision alone is set back.
    from alembic import command
    from sqlalchemy import create_engine

    config = _get_alembic_config(db_url=own_uri(root))
    engine = create_engine(own_uri(root))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.downgrade(config, "-1")
        except NotImplementedError:
            pytest.fail("this MLflow cannot be set back")
    engine.dispose()
    with database(root) as connection_:
        (older,) = connection_.execute("select version_num from alembic_version").fetchone()
    assert older != head
    ensure_database(root, own_uri(root))
    with database(root) as connection_:
        assert connection_.execute("select version_num from alembic_version").fetchone() == (head,)
    assert (root / ".mlops" / f"mlflow-{older}.db").is_file()


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    """Killed while MLflow migrates; the next one makes the store."""
    (tmp_path / ".mlops").mkdir()
    code = (
        "import os, sys; from pathlib import Path; from jupyter_mlops.tracking import database, uri;"
        "database._write_ahead = lambda path: os.kill(os.getpid(), 9); root = Path(sys.argv[1]);"
        "database.ensure_database(root, uri.own_uri(root))"
    )
    environment = {"PYTHONPATH": str(Path(tracking.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, check=False
    )
    assert done.returncode == -9
    assert [path.suffix for path in (tmp_path / ".mlops").glob("*mlflow*")] == [".new"]
    ensure_database(tmp_path, own_uri(tmp_path))
    assert [path.name for path in (tmp_path / ".mlops").glob("*mlflow*")] == ["mlflow.db"]


def test_several_processes_at_once_make_one_store_that_all_can_use(tmp_path: Path) -> None:
    """Two projects share a store that the user chose, while the user's own program uses it first, too."""
    address = f"sqlite:///{tmp_path}/shared.db"
    ours = (
        "import sys; from pathlib import Path; from jupyter_mlops.tracking.database import ensure_database;"
        "root = Path(sys.argv[1]); (root / '.mlops').mkdir(parents=True, exist_ok=True); ensure_database(root, sys.argv[2]);"
        "from mlflow import MlflowClient; print(len(MlflowClient(sys.argv[2]).search_experiments()))"
    )
    environment = {"PYTHONPATH": str(Path(tracking.__file__).parents[2])}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ours, str(tmp_path / name), address],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "a", "b")
    ]
    for process in processes:
        out, error = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "1\n"), error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "shared.db"]

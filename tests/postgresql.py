"""A PostgreSQL cluster for the tests: its own, in a temporary folder, on a socket that only this machine reaches.

The server refuses to run as root: then it is run as another user.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

GUARDED = "guarded"
"""A user of the server who needs a password; all others need none."""
PASSWORD = "pa/ss w@rd"
_SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 60
max_wal_size = 256MB
"""
_ACCESS = f"""
local all {GUARDED} scram-sha-256
local all all trust
"""


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs. Debian keeps the server's out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    known = str(found[-1]) if found else shutil.which(name)
    assert known, "PostgreSQL is missing: .ci/need postgresql"
    return known


class Cluster:
    """A server with one database, `mlops`. Each project of a test is a schema of its own in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mlops-pg-", dir="/tmp"))
        self._user = _other_user() if os.geteuid() == 0 else None
        self._numbers = itertools.count(1)
        self._emptied: str | None = None
        if self._user is not None:
            os.chown(self.folder, *self._user)
        data = self.folder / "data"
        self._call(
            "initdb", "-D", str(data), "-U", "mlops", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"
        )
        with open(data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(_SETTINGS.format(folder=self.folder))
        (data / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        self.start()
        self._call("createdb", "-h", str(self.folder), "-U", "mlops", "mlops")
        self.sql(f"create role {GUARDED} login password '{PASSWORD}'; grant create on database mlops to {GUARDED}")

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        log = str(self.folder / "log")
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-s", "start")

    def stop(self, how: str = "fast") -> None:
        """Stop the server: `fast` ends sessions in order, `immediate` is as a crash."""
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "-s", "stop")

    def remove(self) -> None:
        """Stop the server and delete all of it."""
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def url(self, project: str | None = None, *, user: str = "mlops") -> str:
        """The URL of an index in this server; of a new project where none is named."""
        name = project or f"test{os.getpid()}n{next(self._numbers)}t{time.monotonic_ns()}"
        return f"postgresql+psycopg://{user}@/mlops?host={self.folder}&project={name}"

    def emptied(self) -> str:
        """The URL of a project without a row: always the same one, since making tables takes long."""
        if self._emptied is None:
            self._emptied = self.url()
        else:
            with psycopg.connect(host=str(self.folder), user="mlops", dbname="mlops") as connection:
                schema = self._emptied.rpartition("=")[2]
                found = connection.execute(
                    "select tablename from pg_tables where schemaname = %s", (schema,)
                ).fetchall()
                tables = [f"{schema}.{name}" for (name,) in found if name not in ("alembic_version", "mlops_store")]
                if tables:
                    connection.execute(f"truncate {', '.join(tables)} restart identity")
        return self._emptied

    def sql(self, statement: str) -> str:
        """What the server answers to a statement, as plain text."""
        words = ("-h", str(self.folder), "-U", "mlops", "-d", "mlops", "-Atc", statement)
        return self._call("psql", *words).strip()

    def _call(self, name: str, *words: str) -> str:
        as_user = {} if self._user is None else {"user": self._user[0], "group": self._user[1], "extra_groups": []}
        done = subprocess.run(
            [program(name), *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if name == "psql" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if name != "pg_ctl" else subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=60,
            **as_user,  # type: ignore[call-overload]
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
        return done.stdout or ""


def _other_user() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise AssertionError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' here")

"""What only an index in PostgreSQL has to stand: a server that goes away, several projects in it, several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from postgresql import GUARDED, PASSWORD, Cluster
from workers import until

from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import IndexVersionError, NotWritableError, StoreError
from jupyter_mlops.store import open_store
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.db.index import IndexLostError
from jupyter_mlops.store.db.schema import runs
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store, open_index
from store.conftest import LATER_REVISION, NOON, release

pytestmark = pytest.mark.slow

only_here = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
AddRun = Callable[..., Run]


@pytest.fixture
def own(postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a project that no other test has, and which the environment names."""
    url = postgresql.url()
    monkeypatch.setenv("MLOPS_STORE", url)
    return url


def schema_of(url: str) -> str:
    return url.rpartition("=")[2]


def test_projects_in_one_database_know_nothing_of_each_other(
    postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_STORE", postgresql.url("-").removesuffix("&project=-"))
    for name in ("One project!", "two"):
        (tmp_path / name).mkdir()
        with open_store(tmp_path / name) as store:
            created = store.runs.create(Run(store.new_id(), 0, "job", f"{name}.ipynb", Status.PENDING, created_at=NOON))
            assert created.number == 1
    with open_store(tmp_path / "two") as store:
        assert [run.notebook for run in store.runs.list()] == ["two.ipynb"]
    names = postgresql.sql("select nspname from pg_namespace where nspname in ('one_project', 'two') order by 1")
    assert names.split() == ["one_project", "two"], "each has a schema named as its folder"


def test_what_json_and_text_of_postgresql_refuse_is_kept(store: Store, add_run: AddRun) -> None:
    run = add_run(parameters={"text": "a\0b", "half": "\ud800"}, metrics={"loss": float("inf")})
    found = store.runs.get(run.id)
    assert (found.parameters, found.metrics) == ({"text": "a\0b", "half": "\ud800"}, {"loss": float("inf")})
    store.outbox.post(run.id, "run", {}, now=NOON)
    store.outbox.failed(store.outbox.take()[-1].id, "NUL \0 in a text")
    assert store.outbox.take()[-1].attempts == 1


@only_here
def test_the_server_may_be_started_anew_between_two_calls(store: Store, add_run: AddRun, postgresql: Cluster) -> None:
    add_run()
    for how in ("fast", "immediate"):
        before = store.index.change_token()
        postgresql.stop(how)
        assert store.index.change_token().startswith("error"), "asking for changes never waits"
        postgresql.start()
        assert add_run().number == len(store.runs.list())
        assert store.index.change_token() != before


@only_here
def test_who_asks_while_the_server_is_gone_waits_for_it(store: Store, add_run: AddRun, postgresql: Cluster) -> None:
    postgresql.stop("immediate")
    starting = threading.Timer(0.5, postgresql.start)
    starting.start()
    assert add_run().number == 1
    starting.join()


@only_here
@pytest.mark.parametrize("moment", ["within", "commit", "committed"])
def test_a_call_that_the_server_left_in_the_middle_is_carried_out_once(
    store: Store, add_run: AddRun, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add_run()
    real, left = sa.Connection.commit, ["once"]

    def cut(connection: sa.Connection) -> None:
        """The server ends this session before it does anything else."""
        pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        with store.index.engine.connect() as other:
            other.exec_driver_sql(f"select pg_terminate_backend({pid}, 5000)")

    def commit(connection: sa.Connection) -> None:
        if left and connection.in_transaction():
            left.clear()
            if moment == "committed":  # the answer is lost, not the commit
                connection.exec_driver_sql("commit")
            cut(connection)
        real(connection)

    def note(connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if left and statement.startswith("UPDATE runs"):
            left.clear()
            cut(connection)

    if moment == "within":
        sa.event.listen(store.index.engine, "before_cursor_execute", note)
    else:
        monkeypatch.setattr(sa.Connection, "commit", commit)
    store.runs.add_metrics(run.id, {"auc": 0.5}, now=NOON)
    assert left == []
    assert store.runs.get(run.id).metrics == {"auc": 0.5}
    assert [message.kind for message in store.outbox.take()] == ["run", "run"], "told once of each change"


@only_here
def test_a_transaction_of_ones_own_that_was_cut_says_that_nothing_was_kept(
    store: Store, add_run: AddRun, postgresql: Cluster
) -> None:
    run = add_run()
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(IndexLostError, match="went away"))
        connection = stack.enter_context(store.index.write())
        connection.execute(runs.update().values(kind="other"))
        postgresql.stop("immediate")
        postgresql.start()
        connection.execute(runs.update().values(kind="another"))
    assert store.runs.get(run.id).kind == "job"


def work(root: str, barrier: Barrier, done: str) -> None:
    """A worker process: claims runs until there are none, and records a step of each."""
    barrier.wait(60)
    with open_store(root) as store, open(done, "w", encoding="utf-8") as told:
        pid, started = processes.this_process()
        worker = Worker(store.new_id(), processes.this_host(), pid, started, 1, store.now(), store.now())
        store.queue.enter(worker)
        while (run := store.queue.claim(worker, now=store.now())) is not None:
            store.steps.version("nb.ipynb", "step", f"digest {run.number}", "code", now=store.now())
            store.runs.add_metrics(run.id, {"seen": 1.0}, now=store.now())
            store.runs.finish(run.id, Status.COMPLETED, now=store.now())
            told.write(f"{run.number}\n")


def test_workers_in_several_processes_take_each_run_once(own: str, tmp_path: Path, postgresql: Cluster) -> None:
    count = 40
    with open_store(tmp_path) as store:
        for _ in range(count):
            store.runs.create(Run(store.new_id(), 0, "job", "nb.ipynb", Status.PENDING, created_at=NOON))
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(3)
        told = [tmp_path / f"done{number}" for number in range(3)]
        working = [context.Process(target=work, args=(str(tmp_path), barrier, str(path))) for path in told]
        for process in working:
            process.start()
        until(lambda: all(path.exists() for path in told))
        postgresql.stop("immediate")  # as a crash of the server while they work
        postgresql.start()
        for process in working:
            process.join(120)
        assert [process.exitcode for process in working] == [0, 0, 0]
        numbers = sorted(int(line) for path in told for line in path.read_text().split())
        assert numbers == list(range(1, count + 1))
        assert {run.status for run in store.runs.list()} == {Status.COMPLETED}
        versions = store.steps.versions("step")
        assert [version.number for version in versions] == list(range(1, count + 1))


def test_a_forked_process_leaves_its_parents_connections_alone(own: str, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        child = os.fork()
        if child == 0:
            try:
                store.runs.create(Run(store.new_id(), 0, "job", "child.ipynb", Status.PENDING, created_at=NOON))
                os._exit(0)
            finally:
                os._exit(1)
        for _ in range(20):
            store.runs.create(Run(store.new_id(), 0, "job", "parent.ipynb", Status.PENDING, created_at=NOON))
        assert os.waitpid(child, 0)[1] == 0
        assert len(store.runs.list()) == 21


def test_an_index_of_an_earlier_version_is_upgraded_in_one_piece(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: Path
) -> None:
    (tmp_path / "project").mkdir()
    with open_store(tmp_path / "project") as store:
        store.runs.create(Run(store.new_id(), 0, "job", "nb.ipynb", Status.PENDING, created_at=NOON))
    release(monkeypatch, later)
    later.write_text(LATER_REVISION + '    op.execute("select 1 / 0")\n')
    with pytest.raises(sa.exc.DataError):
        open_store(tmp_path / "project")
    later.write_text(LATER_REVISION)
    with open_store(tmp_path / "project") as store, store.index.read() as connection:
        assert connection.exec_driver_sql("select number, color from runs").all() == [(1, "blue")]


CONTROL = [
    "kernel_name",
    "tracked_at",
    "asked_as",
    "host",
    "stop",
    "changed_sources",
    "in_shared_process",
    "kernel_gone",
]


OF_SCHEDULES = (
    "every start_at end_at jitter missed horizon overlap retries retry_delay templates options notebook_object kernel_name "
    "paused_at decided_until next_fire_at due_at trigger trouble"
)


def as_before_schedules(postgresql: Cluster, there: str) -> None:
    """Tables as they were before revision 0009."""
    columns = {"schedules": OF_SCHEDULES.split(), "fires": ["cause", "cause_key", "attempt"], "runs": ["cause"]}
    for table, names in columns.items():
        postgresql.sql(f"alter table {there}.{table} " + ", ".join(f"drop column {name}" for name in names))
    for what in ("index {}.ix_fires_status", "index {}.ix_runs_schedule", "table {}.leases", "table {}.sightings"):
        postgresql.sql(f"drop {what.format(there)}")


def as_before_history(postgresql: Cluster, there: str) -> None:
    """Indexes and columns as they were before revision 0006."""
    as_before_schedules(postgresql, there)
    postgresql.sql(f"alter table {there}.runs " + ", ".join(f"drop column {name}" for name in CONTROL))
    newer = {
        "runs": ["notebook", "kind", "output", "resumes"],
        "step_runs": ["run", "step", "completed", "version", "reusable"],
    }
    newer |= {"step_versions": ["digest", "step"], "notices": ["due"]}
    for table, names in newer.items():
        postgresql.sql(";".join(f"drop index {there}.ix_{table}_{name}" for name in names))
    postgresql.sql(f"create index ix_runs_notebook on {there}.runs (notebook)")
    older = {"run_id": "run_id", "key": "key", "step": "notebook, step"}
    older |= {"newest": "notebook, step, version_digest, status"}
    for name, of in older.items():
        postgresql.sql(f"create index ix_step_runs_{name} on {there}.step_runs ({of})")


def test_an_index_of_the_revision_before_is_upgraded_as_the_schema_says(
    own: str, tmp_path: Path, postgresql: Cluster
) -> None:
    open_store(tmp_path).close()
    there = schema_of(own)
    columns = (
        f"select table_name, column_name, data_type from information_schema.columns where table_schema = '{there}'"
    )
    indexes = f"select indexdef from pg_indexes where schemaname = '{there}' order by indexname"
    made, indexed = sorted(postgresql.sql(columns).split()), postgresql.sql(indexes)
    postgresql.sql(
        f"alter table {there}.schedules drop column notify; update {there}.alembic_version set version_num = '0003'"
    )
    as_before_history(postgresql, there)
    with open_store(tmp_path) as store:
        assert store.schedules.list() == []
    assert sorted(postgresql.sql(columns).split()) == made
    assert postgresql.sql(indexes) == indexed


def test_reasons_in_sentences_become_codes_there_too(own: str, tmp_path: Path, postgresql: Cluster) -> None:
    with open_store(tmp_path) as store:
        store.runs.create(Run("r", 0, "job", "nb.ipynb", Status.COMPLETED, created_at=NOON))
        store.steps.start_run(
            StepRun("s", "r", "nb.ipynb", "load", 1, "d", 1, Status.COMPLETED, key="k", result="r", started_at=NOON)
        )
        assert [run.id for run in store.steps.candidates("k")] == ["s"]
    there = schema_of(own)
    postgresql.sql(
        f"update {there}.step_runs set unrepeatable = 'reads the clock (now)', why = 'its code changed';"
        f" update {there}.alembic_version set version_num = '0004'"
    )
    as_before_history(postgresql, there)
    with open_store(tmp_path) as store:
        assert store.steps.candidates("k") == []
        found = store.steps.run("s")
    assert (found.unrepeatable, found.why) == ((Reason(ReasonCode.CLOCK, "now"),), Reason(ReasonCode.CODE_CHANGED))


def test_reasons_may_be_longer_than_what_an_index_holds(own: str, tmp_path: Path) -> None:
    # Of changing digits, since PostgreSQL measures what it compressed.
    long = Reasons.of(Reason(ReasonCode.CHANGED_READ, f"/data/{sha256(bytes([n])).hexdigest()}") for n in range(200))
    with open_store(tmp_path) as store:
        store.runs.create(Run("r", 0, "job", "nb.ipynb", Status.COMPLETED, created_at=NOON))
        given = StepRun("s", "r", "nb.ipynb", "load", 1, "d", 1, Status.COMPLETED, key="k", result="r", started_at=NOON)
        store.steps.start_run(given.but(unrepeatable=long))
        assert store.steps.run("s").unrepeatable == long
        assert store.steps.candidates("k") == []


def test_an_index_of_a_newer_version_and_a_schema_of_someone_else_are_left_alone(
    own: str, tmp_path: Path, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(tmp_path).close()
    postgresql.sql(f"update {schema_of(own)}.alembic_version set version_num = '9999'")
    with pytest.raises(IndexVersionError, match="9999"):
        open_store(tmp_path)
    (tmp_path / "other").mkdir()
    postgresql.sql("create schema pets; create table pets.cats (name text)")
    monkeypatch.setenv("MLOPS_STORE", postgresql.url("pets"))
    with pytest.raises(StoreError, match="not an index of jupyter-mlops") as caught:
        Store((tmp_path / "other"), open_place(postgresql.url("pets")))
    assert "?project=" in caught.value.hint


def open_place(url: str) -> object:
    from jupyter_mlops.store.project.location import make_place

    return make_place(Path("/x"), url, None)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (lambda url: url.replace("mlops-pg-", "none-"), "cannot be reached", "Is the server running"),
        (lambda url: url.replace("@/mlops", "@/other"), 'database "other" does not exist', "createdb other"),
        (lambda url: url.replace("mlops@", f"{GUARDED}:wr0ng@"), "password authentication failed", ".pgpass"),
        (lambda url: url.replace("mlops@", f"{GUARDED}@"), "no password", "PGPASSWORD"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_with_the_mend_and_no_password(
    own: str, tmp_path: Path, change: Callable[[str], str], message: str, hint: str
) -> None:
    began = time.monotonic()
    with pytest.raises(StoreError, match=message) as caught:
        Store(tmp_path, open_place(change(own)))
    assert hint in caught.value.hint
    assert "wr0ng" not in caught.value.message + caught.value.hint
    assert time.monotonic() - began < 10, "a first connection is not waited for"


def test_a_user_who_may_make_no_schema_is_told_so(own: str, tmp_path: Path, postgresql: Cluster) -> None:
    postgresql.sql("create role reader login")
    with pytest.raises(NotWritableError, match="permission denied") as caught:
        Store(tmp_path, open_place(own.replace("mlops@", "reader@")))
    assert "grant create" in caught.value.hint


def test_without_the_driver_the_extra_is_named(own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match="driver") as caught:
        open_store(tmp_path)
    assert "jupyter-mlops[postgresql]" in caught.value.hint


def test_a_password_from_the_environment_is_used_and_kept_nowhere(
    postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = PASSWORD.replace("/", "%2F").replace("@", "%40").replace(" ", "%20")
    monkeypatch.setenv("MLOPS_STORE", postgresql.url(user=f"{GUARDED}:{quoted}"))
    for _ in range(2):
        with open_store(tmp_path) as store:
            assert store.runs.list() == []
            assert PASSWORD not in store.index.place
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or (PASSWORD.encode() not in path.read_bytes() and b"pa%2F" not in path.read_bytes())
    monkeypatch.delenv("MLOPS_STORE")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    open_store(tmp_path).close()


def test_nothing_of_it_is_imported_where_the_store_is_embedded(tmp_path: Path) -> None:
    code = (
        "import sys; from jupyter_mlops.store import open_store; open_store(sys.argv[1]).close();"
        "assert not {'psycopg', 'fsspec', 'sqlalchemy.dialects.postgresql'} & set(sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)


@only_here
def test_a_lock_is_held_by_one_process_at_a_time(store: Store) -> None:
    order: list[str] = []
    other = open_index(store.place, store.folder)

    def later() -> None:
        with other.lock("gc"):
            order.append("second")

    with store.index.lock("gc"):
        waiting = threading.Thread(target=later)
        waiting.start()
        time.sleep(0.3)
        order.append("first")
    waiting.join(10)
    other.close()
    assert order == ["first", "second"]


def test_the_tables_are_those_of_the_schema(own: str, tmp_path: Path, postgresql: Cluster) -> None:
    open_store(tmp_path).close()
    found = postgresql.sql(f"select tablename from pg_tables where schemaname = '{schema_of(own)}'").split()
    assert set(found) == {*schema.metadata.tables, "alembic_version", "mlops_store"}
    with psycopg.connect(host=str(postgresql.folder), user="mlops", dbname="mlops") as connection:
        kinds = connection.execute(
            "select distinct data_type from information_schema.columns where table_schema = %s", (schema_of(own),)
        ).fetchall()
    assert {kind for (kind,) in kinds} <= {"integer", "bigint", "text", "character varying", "double precision"}

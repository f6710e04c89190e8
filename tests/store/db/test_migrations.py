"""The revisions make what `schema` says, and an older index is brought up to date without losing a row."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.reason_text import phrases, sentence
from jupyter_mlops.domain.run import Run, RunKind, RunOptions, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store import open_store
from jupyter_mlops.store.db import index, schema
from store.conftest import LATER, NOON, release


def definitions(path: Path) -> dict[str, str]:
    """Table and index definitions by name, without differences of layout."""
    connection = sqlite3.connect(path)
    rows = connection.execute("select name, sql from sqlite_master where sql is not null").fetchall()
    connection.close()
    return {name: " ".join(sql.split()).lower() for name, sql in rows if name != "alembic_version"}


def config_of(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return config


def upgrade(path: Path, revision: str) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    config = config_of(index.MIGRATIONS)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_the_revisions_make_exactly_the_tables_of_the_schema(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    open_store(tmp_path / "made").close()
    upgrade(tmp_path / "upgraded.db", "head")
    assert definitions(tmp_path / "upgraded.db") == definitions(tmp_path / "made" / ".mlops" / "index.db")


def test_the_newest_revision_is_the_head_that_a_new_index_is_marked_with() -> None:
    assert ScriptDirectory.from_config(config_of(index.MIGRATIONS)).get_heads() == [schema.HEAD]


def test_the_revisions_lie_in_the_package() -> None:
    """So that they are in the wheel."""
    assert index.MIGRATIONS.parent == Path(schema.__file__).parent
    assert {path.name for path in index.MIGRATIONS.rglob("*.py")} >= {"env.py", "0001_first.py"}


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005", "0006", "0007"])
def test_an_index_of_an_earlier_revision_keeps_its_rows_and_knows_nothing_more_of_them(
    tmp_path: Path, revision: str
) -> None:
    (tmp_path / ".mlops").mkdir()
    path = tmp_path / ".mlops" / "index.db"
    upgrade(path, revision)
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        time = NOON.isoformat(timespec="microseconds")
        texts = {"id": "r", "kind": "job", "notebook": "nb.ipynb", "status": "completed", "created_at": time}
        insert(old, "runs", {**texts, "number": 1, "parameters": "{}", "metrics": "{}", "tags": "{}", "progress": "{}"})
        for number in (1, 2):
            given = {"run_id": "r", "notebook": "nb.ipynb", "step": "load", "version": 1, "version_digest": "d"}
            given |= {"id": f"s{number}", "position": number, "status": "completed", "key": "k", "result": "object"}
            given |= dict.fromkeys(("inputs", "outputs", "ingredients", "conditions", "metrics", "extra"), "{}")
            insert(old, "step_runs", given | {"unrepeatable": "", "error": "", "why": "", "started_at": time})
    with open_store(tmp_path) as store:
        run = store.runs.get("r")
        assert (run.number, run.options, run.priority, run.worker_id) == (1, RunOptions(), 0, None)
        found = store.steps.candidates("k")
        assert [each.id for each in found] == ["s2", "s1"], "the newest by row where times tie"
        assert [(each.known, each.effects, each.files) for each in found] == [({}, {}, {})] * 2
        store.steps.update_run("s1", known={"df": {"digest": "x"}}, effects={"pandas": 1}, files={"/a": "b"})
        changed = store.steps.run("s1")
        assert (changed.known, changed.effects, changed.files) == ({"df": {"digest": "x"}}, {"pandas": 1}, {"/a": "b"})


SAID = {
    "clock": (
        "reads the clock (now); draws fresh entropy (default_rng without a seed) in noise",
        "it reads the clock (now)",
    ),
    "thread": ("leaves a thread (poller)", "its input 'df' changed (from step load)"),
    "older": ("does what this version has no word for; reads the clock (now)", "something new"),
    "good": ("", "its code changed"),
}
"""Step → the sentences that its row had before revision 0005: why its result is not reused, and why it ran."""


def test_reasons_of_an_index_with_sentences_decide_what_the_sentences_decided(tmp_path: Path) -> None:
    (tmp_path / ".mlops").mkdir()
    path = tmp_path / ".mlops" / "index.db"
    upgrade(path, "0004")
    time = NOON.isoformat(timespec="microseconds")
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        run = {"id": "r", "kind": "job", "notebook": "nb.ipynb", "status": "failed", "created_at": time, "number": 1}
        insert(old, "runs", run | dict.fromkeys(("parameters", "metrics", "tags", "progress"), "{}"))
        for step, (unrepeatable, why) in SAID.items():
            given = {"id": step, "run_id": "r", "notebook": "nb.ipynb", "step": step, "version": 1, "position": 1}
            given |= {"version_digest": "d", "status": "completed", "key": step, "result": "object", "error": ""}
            given |= dict.fromkeys(("inputs", "outputs", "ingredients", "conditions", "metrics", "extra"), "{}")
            insert(old, "step_runs", given | {"unrepeatable": unrepeatable, "why": why, "started_at": time})
    with open_store(tmp_path) as store:
        offered = {step: [run.id for run in store.steps.candidates(step)] for step in SAID}
        assert offered == {"clock": [], "thread": [], "older": [], "good": ["good"]}
        found = {step: store.steps.run(step) for step in SAID}
        noise = Reason(ReasonCode.ENTROPY_NO_SEED, "default_rng", where="noise")
        assert found["clock"].unrepeatable == (Reason(ReasonCode.CLOCK, "now"), noise)
        assert [code.code for code in found["older"].unrepeatable] == [ReasonCode.OTHER, ReasonCode.CLOCK]
        taken = [step for step, run in found.items() if all(reason.is_of_the_world for reason in run.unrepeatable)]
        assert taken == ["clock", "good"], "what a resumed run may go on with"
        assert {step: (phrases(run.unrepeatable), sentence(run.why)) for step, run in found.items()} == {
            **SAID,
            "thread": ("leaves a thread running (poller)", "its input 'df' changed (from step 'load')"),
        }


def test_what_decided_among_the_tags_of_an_earlier_index_has_columns(tmp_path: Path) -> None:
    (tmp_path / ".mlops").mkdir()
    path = tmp_path / ".mlops" / "index.db"
    upgrade(path, "0004")
    tags = {
        "kernel": "python3",
        "stop": "as asked",
        "shared_process": "true",
        "git.commit": "abc",
        "asked_as": "nightly",
    }
    tags |= {"source_changed": "a.py, b.py", "mlops.experiment": "ours", "kernel_kind": "warm"}
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        run = {"kind": "schedule", "notebook": "nb.ipynb", "status": "running", "parameters": "{}", "metrics": "{}"}
        run |= {"created_at": NOON.isoformat(timespec="microseconds"), "progress": "{}", "worker_id": "w", "pid": 1}
        insert(old, "runs", run | {"id": "r", "number": 1, "tags": json.dumps(tags)})
        insert(old, "runs", run | {"id": "plain", "number": 2, "tags": "{}"})
    with open_store(tmp_path) as store:
        assert store.queue.held("w") == {"r": "as asked", "plain": ""}
        run_now, plain = store.runs.get("r"), store.runs.get("plain")
    assert run_now.tags == {"git.commit": "abc", "kernel_kind": "warm"}
    assert (run_now.kernel_name, run_now.asked_as, run_now.in_shared_process) == ("python3", "nightly", True)
    assert (run_now.changed_sources, run_now.tracked_at) == (("a.py", "b.py"), TrackedAt(experiment="ours"))
    assert run_now.kind is RunKind.SCHEDULE
    assert (plain.stop, plain.host, plain.changed_sources, plain.kernel_gone) == ("", None, (), False)


def insert(connection: sqlite3.Connection, table: str, values: dict[str, object]) -> None:
    marks = ", ".join("?" * len(values))
    connection.execute(f"insert into {table} ({', '.join(values)}) values ({marks})", list(values.values()))


def project_with_a_run(root: Path) -> None:
    root.mkdir()
    with open_store(root) as store:
        store.runs.create(Run(store.new_id(), 0, "job", "nb.ipynb", Status.PENDING, created_at=NOON))


def columns(root: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(root / ".mlops" / "index.db")
    try:
        return connection.execute("select number, color from runs").fetchall()
    finally:
        connection.close()


def test_an_older_index_is_upgraded_on_opening_and_keeps_its_rows(
    tmp_path: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_with_a_run(tmp_path / "project")
    release(monkeypatch, later)
    with open_store(tmp_path / "project") as store:
        assert [run.number for run in store.runs.list()] == [1]
        with store.index.read() as connection:
            assert connection.exec_driver_sql("select version_num from alembic_version").scalars().all() == [LATER]
    assert columns(tmp_path / "project") == [(1, "blue")]


def test_an_upgrade_that_fails_leaves_the_index_as_it_was(
    tmp_path: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_with_a_run(tmp_path / "project")
    before = definitions(tmp_path / "project" / ".mlops" / "index.db")
    good = later.read_text()
    later.write_text(good + '    op.execute("insert into no_such_table values (1)")\n')
    release(monkeypatch, later)
    with pytest.raises(StoreError, match=r"index\.db"):
        open_store(tmp_path / "project")
    assert definitions(tmp_path / "project" / ".mlops" / "index.db") == before
    later.write_text(good)
    open_store(tmp_path / "project").close()
    assert columns(tmp_path / "project") == [(1, "blue")]

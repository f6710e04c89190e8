"""The tables of the first release.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.String(32)
"""Times are ISO 8601 text in UTC (`store.db.schema.UtcDateTime`)."""


def upgrade() -> None:
    _steps_and_runs()
    _schedules()
    _tracking()


def _steps_and_runs() -> None:
    op.create_table(
        "step_versions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("notebook", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("notebook", "step", "digest", name="uq_step_versions_digest"),
        sa.UniqueConstraint("notebook", "step", "number", name="uq_step_versions_number"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False, unique=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("notebook", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("notebook_object", sa.String()),
        sa.Column("environment", sa.String()),
        sa.Column("output_path", sa.String()),
        sa.Column("error", sa.JSON()),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("schedule_id", sa.String()),
        sa.Column("mlflow_run_id", sa.String()),
        sa.Column("pid", sa.Integer()),
        sa.Column("pid_started", sa.Float()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
    )
    op.create_index("ix_runs_notebook", "runs", ["notebook"])
    op.create_index("ix_runs_status", "runs", ["status"])
    op.create_table(
        "step_runs",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("notebook", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("version_digest", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("ingredients", sa.JSON(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("unrepeatable", sa.String(), nullable=False),
        sa.Column("result", sa.String()),
        sa.Column("display", sa.String()),
        sa.Column("reused_from", sa.String()),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("duration", sa.Float()),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("cell_id", sa.String()),
        sa.Column("pid", sa.Integer()),
        sa.Column("pid_started", sa.Float()),
        sa.Column("extra", sa.JSON(), nullable=False),
    )
    op.create_index("ix_step_runs_key", "step_runs", ["key"])
    op.create_index("ix_step_runs_run_id", "step_runs", ["run_id"])
    op.create_index("ix_step_runs_step", "step_runs", ["notebook", "step", "started_at"])


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), nullable=False, unique=True),
        sa.Column("notebook", sa.String(), nullable=False),
        sa.Column("cron", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME),
    )
    op.create_table(
        "fires",
        sa.Column("schedule_id", sa.String(), sa.ForeignKey("schedules.id"), primary_key=True),
        sa.Column("fire_at", TIME, primary_key=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("run_id", sa.String()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "heartbeats",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("pid_started", sa.Float(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("beat_at", TIME, nullable=False),
    )


def _tracking() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_run_id", "outbox", ["run_id"])
    op.create_table(
        "tracked",
        sa.Column("entity_id", sa.String(), primary_key=True),
        sa.Column("tracking_uri", sa.String(), primary_key=True),
        sa.Column("mlflow_run_id", sa.String(), nullable=False),
    )

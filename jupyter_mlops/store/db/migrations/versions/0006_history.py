"""Indexes by which the newest runs and step runs are found, however many there are.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.db.schema import NEWEST_FIRST, with_rowid

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_runs_notebook", "runs")
    op.create_index("ix_runs_notebook", "runs", ["notebook", "number"])
    op.create_index("ix_runs_resumes", "runs", ["resumes"])
    op.create_index("ix_notices_due", "notices", ["status", "next_at"])
    op.create_index("ix_step_versions_digest", "step_versions", ["digest"])
    op.create_index("ix_step_versions_step", "step_versions", ["step", "notebook", "number"])
    for name in ("run_id", "key", "step", "newest"):
        op.drop_index(f"ix_step_runs_{name}", "step_runs")
    op.create_index("ix_step_runs_run", "step_runs", ["run_id", "status"])
    if op.get_bind().dialect.name == "postgresql":
        for statement in with_rowid():
            op.execute(statement)
        return
    for name, (columns, where) in NEWEST_FIRST.items():
        op.create_index(name, "step_runs", columns, sqlite_where=None if where is None else sa.text(where))

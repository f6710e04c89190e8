"""What is known of a step's outputs, its effects and its files; the newest step runs by an index, in order of their rows.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("known", "effects", "files"):
        op.add_column("step_runs", sa.Column(name, sa.JSON()))
    op.drop_index("ix_step_runs_step")
    op.create_index("ix_step_runs_step", "step_runs", ["notebook", "step"])
    op.create_index("ix_step_runs_newest", "step_runs", ["notebook", "step", "version_digest", "status"])

"""Indexes by which the last session of a notebook, and the run that wrote a copy of it, are found at once.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_runs_kind", "runs", ["notebook", "kind", "number"])
    op.create_index("ix_runs_output", "runs", ["output_path", "number"])

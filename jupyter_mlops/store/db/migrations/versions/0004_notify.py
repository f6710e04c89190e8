"""Whom a schedule tells of its runs.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.db.schema import JSON

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("notify", JSON, nullable=False, server_default="[]"))

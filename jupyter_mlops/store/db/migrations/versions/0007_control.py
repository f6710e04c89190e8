"""Columns for what decides about a run and lay among its tags.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.db.former_tags import former_tags
from jupyter_mlops.store.db.schema import JSON, SPARE_JSON, Flag

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
_AT_ONCE = 1000


def upgrade() -> None:
    columns = [
        sa.Column("kernel_name", sa.String()),
        sa.Column("tracked_at", SPARE_JSON),
        sa.Column("asked_as", sa.String()),
        sa.Column("host", sa.String()),
        sa.Column("stop", sa.String(), nullable=False, server_default=""),
        sa.Column("changed_sources", SPARE_JSON),
        sa.Column("in_shared_process", Flag(), nullable=False, server_default="0"),
        sa.Column("kernel_gone", Flag(), nullable=False, server_default="0"),
    ]
    for column in columns:
        op.add_column("runs", column)
    told = [sa.column(column.name, column.type) for column in columns]
    table = sa.table("runs", sa.column("id"), sa.column("tags", JSON), *told)
    new = {name: sa.bindparam(f"new_{name}") for name in ("tags", *(column.name for column in columns))}
    change = table.update().where(table.c.id == sa.bindparam("of_id")).values(new)
    connection = op.get_bind()
    changes = []
    for row in connection.execute(sa.select(table.c.id, table.c.tags)):
        left, values = former_tags(row.tags)
        if len(left) < len(row.tags):
            changes.append({"of_id": row.id, "new_tags": left, **{f"new_{name}": it for name, it in values.items()}})
    for start in range(0, len(changes), _AT_ONCE):
        connection.execute(change, changes[start : start + _AT_ONCE])

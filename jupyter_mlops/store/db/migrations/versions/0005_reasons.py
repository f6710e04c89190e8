"""Reasons as codes with details, where they were sentences.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

from jupyter_mlops.store.db.former_reasons import former_reasons, former_why
from jupyter_mlops.store.db.portable import to_json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
_AT_ONCE = 1000


def upgrade() -> None:
    table = sa.table("step_runs", sa.column("id"), sa.column("unrepeatable"), sa.column("why"))
    change = table.update().where(table.c.id == sa.bindparam("of_id"))
    change = change.values(unrepeatable=sa.bindparam("codes"), why=sa.bindparam("code"))
    said = (table.c.unrepeatable != "") | (table.c.why != "")
    connection = op.get_bind()
    known: dict[tuple[str, str], dict[str, str]] = {}
    changes = []
    for row in connection.execute(sa.select(table).where(said)):
        which = row.unrepeatable, row.why
        if which not in known:
            reasons, why = former_reasons(row.unrepeatable), former_why(row.why)
            codes = to_json(reasons.to_json()) if reasons else ""
            known[which] = {"codes": codes, "code": to_json(why.to_json()) if why else ""}
        changes.append({"of_id": row.id, **known[which]})
    for start in range(0, len(changes), _AT_ONCE):
        connection.execute(change, changes[start : start + _AT_ONCE])

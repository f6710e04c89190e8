"""Alembic's entry: runs the revisions on the connection that `store.db.index` hands over.

PostgreSQL has known the tables from 0003 on: a later revision uses `schema.JSON` for columns of JSON, and gives a new table
without a number of its own the column `rowid` there.
"""

from __future__ import annotations

from alembic import context

from jupyter_mlops.store.db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

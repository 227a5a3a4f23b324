"""Alembic's entry: runs pending revisions on the connection that data/database hands over, in one transaction."""

from alembic import context

from magpie.data.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

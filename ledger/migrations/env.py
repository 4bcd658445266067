"""How Alembic runs our migrations: on the connection, and in the transaction, that `ledger.schema` gives it."""

from alembic import context

from ledger.models import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

"""Alembic's entry point. `isocenter.database.migration` hands over an open connection."""

from alembic import context

from isocenter.security.audit.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
context.run_migrations()

"""Alembic's entry: `recsys-pg migrate` hands over its connection, the alembic command opens its own."""

from alembic import context
from sqlalchemy import Connection

from recsys_pg.config import Settings
from recsys_pg.db import create_engine
from recsys_pg.models import Base
from recsys_pg.schema import SCHEMAS, STATE_SCHEMA, hold_migration_lock, prepare_database


def include_name(name: str | None, type_: str, _parents: object) -> bool:
    """Compare recsys_pg's own schemas only, whatever else lives in the database."""
    return name in SCHEMAS if type_ == "schema" else True


def run(connection: Connection) -> None:
    """Run the migrations in the transaction that the connection is in."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        include_name=include_name,
        version_table_schema=STATE_SCHEMA,
        transaction_per_migration=False,
        # the comments are the migrations' own; the models have docstrings
        autogenerate_plugins=["alembic.autogenerate.*", "~alembic.autogenerate.comments"],
    )
    context.run_migrations()


if context.is_offline_mode():
    raise SystemExit(
        "Offline mode (--sql) is not supported: the migrations look up where pgvector is installed."
    )

given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = create_engine(Settings().required_database_url())
    with engine.begin() as own:
        hold_migration_lock(own)
        prepare_database(own)
        run(own)
    engine.dispose()

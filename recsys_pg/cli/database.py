"""Which database a command works on: the one that is named, else the embedded PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from recsys_pg.cli.invocation import invocation
from recsys_pg.cli.progress import waiting

if TYPE_CHECKING:
    import sqlalchemy as sa


@contextmanager
def named_database(context: typer.Context, *, create: bool = False) -> Iterator[str]:
    """The URL of the database: of --database-url, of RECSYS_PG_DATABASE_URL, or of the embedded PostgreSQL.

    An embedded server that runs is left running; one that had to be started stops when this process ends,
    unless another has begun to use it. With ``create`` its data directory may be new.

    Raises:
        MissingDependencyError: no URL is set and the extra ``embedded`` is not installed.
        DatabaseUnavailableError: no URL is set and the embedded server does not start or has no data yet.
    """
    from recsys_pg.config import Settings

    settings = Settings()
    url = invocation(context).database_url or settings.database_url
    if url:
        yield url
        return
    from recsys_pg import embedded
    from recsys_pg.errors import DatabaseUnavailableError

    data_dir = (settings.embedded_dir or embedded.default_data_dir()).expanduser()
    if not create and not (data_dir / "PG_VERSION").exists():
        raise DatabaseUnavailableError(
            f"There is no database yet: RECSYS_PG_DATABASE_URL is not set and {data_dir} is empty.",
            "Run: recsys-pg init, or name a database with --database-url.",
        )
    version = settings.embedded_postgres_version
    if embedded.is_running(data_dir):
        server = embedded.start(data_dir, postgres_version=version, on_exit="keep")
    else:
        with waiting("Starting the embedded PostgreSQL"):
            server = embedded.start(data_dir, postgres_version=version, on_exit="stop")
    yield server.url


@contextmanager
def connected(context: typer.Context, *, create: bool = False) -> "Iterator[sa.Engine]":
    """An engine on `named_database`."""
    from recsys_pg import db

    with named_database(context, create=create) as url:
        engine = db.create_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def connected_to_schema(context: typer.Context) -> "Iterator[sa.Engine]":
    """An engine on `named_database`, whose schema is complete and of this version.

    Raises:
        SchemaNotReadyError: it is not.
    """
    from recsys_pg import schema

    with connected(context) as engine:
        with engine.connect() as connection:
            schema.require_schema(connection)
        yield engine

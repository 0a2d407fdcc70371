"""Where the benchmarks run and leave their results: the server that is set, or a private one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from search_servers import server_settings

from recsys_pg import db, embedded, schema
from recsys_pg.config import Settings

RESULTS = Path(__file__).parent / "results"


@contextmanager
def server_url(rows: int | None = None) -> Iterator[str]:
    """The server of RECSYS_PG_DATABASE_URL, or else an embedded one that is gone afterwards.

    With ``rows``, the embedded one has memory for so many items: the settings of the search benchmark.
    """
    configured = Settings().database_url
    if configured:
        yield configured
        return
    with tempfile.TemporaryDirectory(prefix="recsys_benchmark_") as folder:
        server = embedded.start(Path(folder) / "data", on_exit="stop")
        if rows is not None:
            with psycopg.connect(server.url, autocommit=True) as connection:
                for name, value in server_settings(rows).items():
                    connection.execute(f"alter system set {name} = '{value}'")
            server.stop()
            server = embedded.start(Path(folder) / "data", on_exit="stop")
        yield server.url
        server.stop()


def fresh_database(server: str, name: str) -> str:
    """The URL of a new, migrated database on the server; one that had the name is gone."""
    with psycopg.connect(**db.connection_parameters(server), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name}")
    url = make_conninfo(**db.connection_parameters(server) | {"dbname": name})
    engine = db.create_engine(url)
    schema.migrate(engine)
    engine.dispose()
    return url

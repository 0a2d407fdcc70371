"""One database fixture for every way to run: a URL, a container, or the embedded server.

RECSYS_PG_TEST_DATABASE_URL names a server whose role may create databases; TEST_POSTGRES=container starts
pgvector/pgvector through testcontainers; otherwise the embedded PostgreSQL of the extra `embedded` is used.
Tests get a clone of a migrated template database, so that each starts clean.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.orm import Session

from recsys_pg import db, embedded, schema

POSTGRES_VERSIONS = (18, 16)
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _start_server(version: int) -> Iterator[str]:
    url = os.environ.get("RECSYS_PG_TEST_DATABASE_URL")
    if url:
        with psycopg.connect(**db.connection_parameters(url)) as connection:
            found = connection.info.server_version // 10_000
        if found != version and version != POSTGRES_VERSIONS[0]:
            pytest.skip(f"RECSYS_PG_TEST_DATABASE_URL is PostgreSQL {found}, this test asks for {version}")
        yield url
    elif os.environ.get("TEST_POSTGRES") == "container":
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer(f"pgvector/pgvector:pg{version}", driver=None) as container:
            yield container.get_connection_url()
    else:
        # not below pytest's folder, which every pytest that starts closes to the server's own user
        data_dir = Path(tempfile.mkdtemp(prefix="recsys_pg_test_"))
        server = embedded.start(data_dir, postgres_version=version, on_exit="delete")
        try:
            with psycopg.connect(server.url, autocommit=True) as connection:
                for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                    connection.execute(f"alter system set {setting} = off")  # nothing here outlives the tests
                connection.execute("select pg_reload_conf()")
            yield server.url
        finally:
            # a worker of pytest that takes long at its exit is killed before what is left to that
            server.stop()
            shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A server of the newest supported PostgreSQL."""
    yield from _start_server(POSTGRES_VERSIONS[0])


@pytest.fixture(scope="session")
def old_server_url() -> Iterator[str]:
    """A server of the oldest supported PostgreSQL."""
    yield from _start_server(POSTGRES_VERSIONS[-1])


def database_url(server: str, name: str) -> str:
    """The URL of another database on the same server."""
    return make_conninfo(**db.connection_parameters(server) | {"dbname": name})


def _template(server: str) -> str:
    name = f"recsys_template_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(**db.connection_parameters(server), autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    engine = db.create_engine(database_url(server, name), poolclass=sa.NullPool)
    schema.migrate(engine)
    return name


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """The name of a migrated database to clone."""
    return _template(server_url)


@pytest.fixture(scope="session")
def old_template(old_server_url: str) -> str:
    """The same on the oldest supported PostgreSQL."""
    return _template(old_server_url)


@pytest.fixture
def create_database(server_url: str) -> Iterator[Callable[..., str]]:
    """Creates databases on the server, empty or from a template, and drops them after the test."""
    yield from _database_factory(server_url)


@pytest.fixture
def create_old_database(old_server_url: str) -> Iterator[Callable[..., str]]:
    """The same on the oldest supported PostgreSQL."""
    yield from _database_factory(old_server_url)


def _database_factory(server: str) -> Iterator[Callable[..., str]]:
    names: list[str] = []
    parameters = db.connection_parameters(server)

    def create(template: str = "template1") -> str:
        name = f"recsys_test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(**parameters, autocommit=True) as connection:
            connection.execute(f'create database "{name}" template "{template}"')
        names.append(name)
        return database_url(server, name)

    yield create
    with psycopg.connect(**parameters, autocommit=True) as connection:
        for name in names:
            connection.execute(f'drop database if exists "{name}" with (force)')


@pytest.fixture
def url(create_database: Callable[..., str], template: str) -> str:
    """The URL of a migrated, empty database of this test's own."""
    return create_database(template)


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """An engine on `url`."""
    engine = db.create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: sa.Engine) -> Iterator[Session]:
    """A session on `url`, rolled back after the test."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def shared_data() -> Path:
    """The folder of data sets beside the repository; tests that need it skip without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the data sets beside the repository are not here")
    return SHARED_DATA

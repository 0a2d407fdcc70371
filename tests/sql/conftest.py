"""The small catalogue on every supported PostgreSQL; every test of this folder that uses it runs on each."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from recsys_pg import db

CATALOGUE = Path(__file__).with_name("catalogue.sql")


@dataclass(frozen=True)
class Server:
    """A server and a migrated database on it to clone."""

    url: str
    template: str

    def database_url(self, name: str) -> str:
        return make_conninfo(**db.connection_parameters(self.url) | {"dbname": name})

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new clone of a database, by default of the migrated, empty one."""
        name = f"recsys_test_{uuid.uuid4().hex[:12]}"
        self._execute(f'create database "{name}" template "{template or self.template}"')
        return self.database_url(name)

    def drop_database(self, url: str) -> None:
        self._execute(f'drop database "{db.connection_parameters(url)["dbname"]}" with (force)')

    def _execute(self, statement: str) -> None:
        with psycopg.connect(**db.connection_parameters(self.url), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session", params=[18, 16], ids=["pg18", "pg16"])
def server(request: pytest.FixtureRequest) -> Server:
    """The newest and the oldest supported PostgreSQL."""
    prefix = "" if request.param == 18 else "old_"
    return Server(
        request.getfixturevalue(f"{prefix}server_url"), request.getfixturevalue(f"{prefix}template")
    )


@pytest.fixture(scope="session")
def role_server(server: Server) -> Server:
    """The server, for tests that log in as other roles; skips where this role may not create any."""
    with psycopg.connect(**db.connection_parameters(server.url)) as connection:
        query = "select rolsuper or rolcreaterole from pg_roles where rolname = current_user"
        if connection.execute(query).fetchone() != (True,):
            pytest.skip("the role of RECSYS_PG_TEST_DATABASE_URL may not create roles")
    return server


@pytest.fixture(scope="session")
def catalogue_template(server: Server) -> Iterator[str]:
    """The name of a database with the catalogue, which nobody may connect to: clone it."""
    url = server.create_database()
    with psycopg.connect(url) as connection:
        connection.execute(CATALOGUE.read_bytes())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    yield db.connection_parameters(url)["dbname"]
    server.drop_database(url)


@pytest.fixture(scope="module")
def shared_catalogue_url(server: Server, catalogue_template: str) -> Iterator[str]:
    """A database with the catalogue for the tests of a file, which leave it as it was."""
    url = server.create_database(catalogue_template)
    yield url
    server.drop_database(url)


@pytest.fixture
def catalogue(shared_catalogue_url: str) -> Iterator[psycopg.Connection]:
    """A transaction on the catalogue, rolled back after the test."""
    with psycopg.connect(shared_catalogue_url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def catalogue_url(server: Server, catalogue_template: str) -> Iterator[str]:
    """A database with the catalogue of this test's own, for tests that commit."""
    url = server.create_database(catalogue_template)
    yield url
    server.drop_database(url)


@pytest.fixture
def empty_url(server: Server) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    url = server.create_database()
    yield url
    server.drop_database(url)


@dataclass(frozen=True)
class LargeCatalogue:
    """20,000 items, the first 5,000 embedded, in 50 clusters that are their categories; 300 active users."""

    url: str
    embeddings: npt.NDArray[np.float32]  # (5000, 384), rows of unit length; row i belongs to item i + 1


@pytest.fixture(scope="session")
def large_catalogue(server: Server) -> Iterator[LargeCatalogue]:
    """A catalogue large enough for the planner to prefer indexes and for an index search to miss items."""
    random = np.random.default_rng(7)
    centers = random.standard_normal((50, 384))
    embeddings = centers[np.arange(5_000) % 50] + 1.2 * random.standard_normal((5_000, 384))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    url = server.create_database()
    # vacuum marks pages as visible to all only when the commits around them are on disk
    durable = "-c synchronous_commit=on"
    with psycopg.connect(url, options=durable) as connection:
        connection.execute("create temporary table vectors (id bigint, embedding real[]) on commit drop")
        with connection.cursor().copy("copy vectors from stdin (format binary)") as copy:
            copy.set_types(["int8", "float4[]"])
            for i, embedding in enumerate(embeddings):
                copy.write_row((i + 1, embedding.tolist()))
        (index,) = connection.execute(
            "select pg_get_indexdef('recsys.items_embedding_idx'::regclass)"
        ).fetchone()
        connection.execute("drop index recsys.items_embedding_idx")
        connection.execute(
            """
            insert into recsys.items (id, title, category, tags, price, in_stock, embedding)
            select i, 'Item ' || i, 'Category ' || i % 50, array['tag ' || i % 7], i * 7919 % 10000 / 100.0,
                i % 5 <> 0, v.embedding::vector
            from generate_series(1, 20000) i left join vectors v on v.id = i;
            insert into recsys.users (id) select generate_series(1, 20000);
            insert into recsys.interactions (user_id, item_id, kind, occurred_at)
            select u, (u * 131 + n * n * 37) % 20000 + 1,
                case when n % 10 = 0 then 'dislike' else 'purchase' end,
                timestamptz '2026-01-01 00:00+00' + n * interval '1 hour'
            from generate_series(1, 300) u, generate_series(1, 60) n;
            insert into recsys.models (purpose, name, revision, is_active)
            values ('collaborative', 'by hand', '1', true);
            insert into recsys.item_neighbors (model_id, item_id, neighbor_ids, weights)
            select m.id, i, array_agg((i + n * 50 - 1) % 20000 + 1 order by n),
                array_agg((1.0 / n)::real order by n)
            from recsys.models m, generate_series(1, 20000) i, generate_series(1, 20) n
            where m.purpose = 'collaborative'
            group by m.id, i;
            """
        )
        connection.execute(index)
        connection.execute("select recsys_api.refresh_popularity(), recsys_api.refresh_tastes()")
    with psycopg.connect(url, options=durable, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    yield LargeCatalogue(url, embeddings)
    server.drop_database(url)

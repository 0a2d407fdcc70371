"""A shop whose items are near each other in clusters; tests get clones of it."""

from collections.abc import Callable, Iterator

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from recsys_pg import db

ITEMS = 3_000
SETTINGS = "select key, value from recsys.settings where key like 'search.%' order by key"


@pytest.fixture(scope="session")
def shop_template(server_url: str, template: str) -> str:
    """The name of a database with 3,000 embedded items in 30 categories, with prices, under a poor index."""
    name = f"{template}_calibration"
    parameters = db.connection_parameters(server_url)
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"'.encode())
    random = np.random.default_rng(5)
    vectors = random.standard_normal((30, 384))[np.arange(ITEMS) % 30]
    vectors = (0.5 * vectors + random.standard_normal((ITEMS, 384))).astype(np.float32)
    with psycopg.connect(**parameters | {"dbname": name}) as connection:
        connection.execute("create temporary table vectors (id bigint, embedding real[]) on commit drop")
        with connection.cursor().copy("copy vectors from stdin (format binary)") as copy:
            copy.set_types(["int8", "float4[]"])
            for i, vector in enumerate(vectors):
                copy.write_row((i, vector.tolist()))
        connection.execute(
            """
            insert into recsys.items (id, title, category, price, in_stock, embedding)
            select v.id, 'Item ' || v.id, 'c' || v.id % 30, v.id * 7919 % 1000, v.id % 7 <> 0,
                v.embedding::vector
            from vectors v;
            -- a graph so poor that breadth matters
            drop index recsys.items_embedding_idx;
            create index items_embedding_idx on recsys.items using hnsw (embedding public.vector_cosine_ops)
                with (m = 4, ef_construction = 10);
            """
        )
    with psycopg.connect(**parameters | {"dbname": name}, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return name


@pytest.fixture
def shop_url(create_database: Callable[..., str], shop_template: str) -> str:
    """The URL of a shop of this test's own."""
    return create_database(shop_template)


@pytest.fixture
def shop(shop_url: str) -> Iterator[sa.Engine]:
    """An engine on it."""
    engine = db.create_engine(shop_url)
    yield engine
    engine.dispose()


@pytest.fixture
def other(shop_url: str) -> Iterator[psycopg.Connection]:
    """Another session on the shop, outside transactions."""
    with psycopg.connect(make_conninfo(shop_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(other: psycopg.Connection) -> Callable[[], dict[str, int]]:
    """Reads the settings of vector search as others see them."""
    return lambda: dict(other.execute(SETTINGS).fetchall())

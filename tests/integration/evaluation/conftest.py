"""A shop over a hundred days: two groups with tastes of their own, late items, and people who come late."""

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa

from recsys_pg import db
from recsys_pg.db import driver_connection
from recsys_pg.repositories import copy_rows

USERS, ITEMS = 60, 100
LATE_ITEMS = (101, 102)
LATE_USERS = (61, 62, 63)
SILENT_USER = 64
LIKES = 15


def fill(engine: sa.Engine) -> None:
    """Odd users like items up to 50, even ones those from 51 on; at last also the late item of their half."""
    random = np.random.default_rng(0)
    likes = []
    for user in range(1, USERS + 1):
        half = np.arange(1, 51) if user % 2 else np.arange(51, 101)
        chosen = [*random.permutation(half)[:LIKES].tolist(), LATE_ITEMS[0] if user % 2 else LATE_ITEMS[1]]
        days = [*sorted(random.uniform(0, 95, LIKES)), random.uniform(97, 100)]
        likes += list(zip([user] * len(chosen), chosen, days, strict=True))
    likes += [(user, item, 98 + item / 100) for user in LATE_USERS for item in (1, 2, 3)]
    kinds = random.normal(size=(2, 384))
    with engine.begin() as connection:
        driver = driver_connection(connection)
        vectors = [
            kinds[int(item in range(51, 101) or item == LATE_ITEMS[1])] + random.normal(size=384) / 2
            for item in range(1, ITEMS + 3)
        ]
        copy_rows(
            driver,
            "recsys.items",
            ("id", "title", "embedding"),
            ("int8", "text", "vector"),
            (
                (item, f"item {item}", vector.astype(np.float32))
                for item, vector in enumerate(vectors, start=1)
            ),
        )
        driver.execute("insert into recsys.items (id, title) values (103, 'without a vector')")
        driver.execute(
            "insert into recsys.users (id, external_id)"
            " select u, 'person ' || u from generate_series(1, %s) u",
            (SILENT_USER,),
        )
        with driver.cursor() as cursor:
            cursor.executemany(
                "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " values (%s, %s, 'like', timestamptz '2026-01-01' + make_interval(secs => %s))",
                [(user, item, 86400 * day) for user, item, day in sorted(likes, key=lambda like: like[2])],
            )
            # neither is positive
            cursor.execute(
                "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " values (1, 103, 'hide', '2026-04-10'), (2, 103, 'dislike', '2026-04-10')"
            )


@pytest.fixture
def shop(engine: sa.Engine) -> sa.Engine:
    fill(engine)
    return engine


@pytest.fixture
def fill_three_users(engine: sa.Engine):
    """Fills the database with three users, too few to evaluate, of nine likes each."""

    def fill_them() -> None:
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "insert into recsys.users (id) select generate_series(1, 3);"
                    " insert into recsys.items (id, title) select id, 'item' from generate_series(1, 9) id;"
                    " insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                    " select u, i, 'like', timestamptz '2026-01-01' + i * interval '1 day'"
                    " from generate_series(1, 3) u, generate_series(1, 9) i"
                )
            )

    return fill_them


@pytest.fixture
def scratch_databases(server_url):
    """Names the scratch databases that there are on the server."""

    def names() -> set[str]:
        with psycopg.connect(**db.connection_parameters(server_url), autocommit=True) as connection:
            rows = connection.execute(
                r"select datname from pg_database where datname like 'recsys\_pg\_evaluation%'"
            )
            return {name for (name,) in rows}

    return names

"""That training takes no more memory than it was given, where that is hardly enough."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from recsys_pg.collaborative import plan_training, train
from recsys_pg.db import driver_connection
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.repositories import copy_rows

# more users and items than alternating least squares take, which would take minutes
ITEMS, USERS, EACH = 30_000, 21_000, 6
MEMORY_GB = 1.15
START = datetime(2026, 1, 1, tzinfo=UTC)

# ends before the vector index is built, which is the server's work
SCRIPT = """
import json, os, resource, sys
from recsys_pg import db
from recsys_pg.collaborative import train

def taken():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9

base = taken()
peaks = {}

def progress(phase, done, total):
    peaks[phase] = taken()
    if phase == "index factors":
        print(json.dumps({"base": base, "peaks": peaks}), flush=True)
        os._exit(0)

train(db.create_engine(sys.argv[1]), memory_gb=float(sys.argv[2]), progress=progress)
"""


def unit_vectors(random: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, ITEMS, 5000):
        block = random.standard_normal((5000, 384)).astype(np.float32)
        yield from enumerate(block / np.linalg.norm(block, axis=1, keepdims=True), start=start + 1)


def fill(engine: sa.Engine) -> None:
    """Embeddings and fields at random; people stay within a region of the catalogue, in the order of time."""
    random = np.random.default_rng(0)
    with engine.begin() as connection:
        driver = driver_connection(connection)
        # copies and indexes for searches are of no use here, and take minutes
        driver.execute("set session_replication_role = replica")
        driver.execute("drop index recsys.items_embedding_idx")
        copy_rows(
            driver,
            "recsys.items",
            ("id", "title", "category", "tags"),
            ("int8", "text", "text", "text[]"),
            ((i, f"item {i}", f"c{i % 50}", [f"t{i % 700}", f"s{i % 1100}"]) for i in range(1, ITEMS + 1)),
        )
        driver.execute("create temporary table vectors (id bigint, embedding vector(384))")
        copy_rows(driver, "vectors", ("id", "embedding"), ("int8", "vector"), unit_vectors(random))
        driver.execute(
            "update recsys.items i set embedding = v.embedding, embedding_model_id = m.id,"
            " embedding_content_hash = i.content_hash from vectors v,"
            " (select id from recsys.models where purpose = 'embedding' and is_active) m where v.id = i.id"
        )
        copy_rows(driver, "recsys.users", ("id",), ("int8",), ((user,) for user in range(1, USERS + 1)))
        region = random.integers(0, ITEMS, USERS)[:, None]
        liked = (region + random.geometric(0.002, (USERS, EACH))) % ITEMS + 1
        copy_rows(
            driver,
            "recsys.interactions",
            ("user_id", "item_id", "kind", "occurred_at"),
            ("int8", "int8", "text", "timestamptz"),
            (
                (user, item, "like", START + timedelta(minutes=step))
                for user, items in enumerate(liked.tolist(), start=1)
                for step, item in enumerate(items)
            ),
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("analyze recsys.items, recsys.interactions")


@pytest.fixture(scope="module")
def large(shared_engine: sa.Engine) -> sa.Engine:
    fill(shared_engine)
    return shared_engine


@pytest.mark.skipif(
    "RECSYS_PG_LONG_TESTS" not in os.environ, reason="takes minutes: set RECSYS_PG_LONG_TESTS=1"
)
def test_training_stays_within_its_memory(large):
    plan = plan_training(large, memory_gb=MEMORY_GB)
    assert len(plan.operators) >= 2
    assert plan.peak_gb <= MEMORY_GB
    with large.connect() as connection:
        info = driver_connection(connection).info
        url = make_conninfo(info.dsn, password=info.password or None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, str(MEMORY_GB)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert max(found["peaks"].values()) < found["base"] + MEMORY_GB, found


def test_where_not_even_the_least_fits_nothing_is_begun(large):
    phases = []
    with pytest.raises(
        InvalidArgumentError, match=r"memory_gb is 0.05.* takes .* GB at least.*Pass memory_gb"
    ):
        train(large, memory_gb=0.05, progress=lambda phase, _done, _total: phases.append(phase))
    assert set(phases) == {"count interactions"}

"""A real queue in a real database, and an embedder whose vectors follow from the text alone."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import sqlalchemy as sa


class HashEmbedder:
    """Gives each text a unit vector of its own; ``before`` is called with the texts of each call first."""

    name = "hash"
    dimensions = 384

    def __init__(self, before: Callable[[Sequence[str]], object] = len, revision: str = "1") -> None:
        self.before = before
        self.revision = revision
        self.texts: list[str] = []

    def embed(self, texts):
        self.before(texts)
        self.texts.extend(texts)
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str):
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        vector = np.random.default_rng(seed).standard_normal(384).astype(np.float32)
        return vector / np.linalg.norm(vector)


class Catalogue:
    """The items and the queue of a test's database, whose model is the `HashEmbedder`, as SQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.sql("update recsys.models set name = 'hash', revision = '1'")

    def sql(self, statement: str, **parameters):
        with self.engine.begin() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return result.all() if result.returns_rows else []

    def add(self, *titles: str) -> list[int]:
        rows = self.sql(
            "insert into recsys.items (title) select unnest(cast(:titles as text[])) returning id",
            titles=list(titles),
        )
        return [row.id for row in rows]

    def job(self, item_id: int):
        rows = self.sql("select * from recsys.embedding_jobs where item_id = :id", id=item_id)
        return rows[0] if rows else None

    def jobs(self) -> int:
        return self.sql("select count(*) from recsys.embedding_jobs")[0][0]

    def make_due(self) -> None:
        self.sql("update recsys.embedding_jobs set available_at = now()")

    def titles_without_vector(self) -> list[str]:
        rows = self.sql("select title from recsys.items where embedding is null order by id")
        return [row.title for row in rows]

    def stale(self, embedder: HashEmbedder) -> list[int]:
        """The items whose vector is not that of their present text."""
        rows = self.sql(
            "select id, recsys.item_content(title, description, category, tags) as content,"
            " embedding::text as embedding from recsys.items where embedding is not null"
        )
        return [
            row.id
            for row in rows
            if not np.allclose(
                np.fromstring(row.embedding.strip("[]"), sep=","), embedder.vector(row.content), atol=1e-6
            )
        ]


@pytest.fixture
def make_embedder() -> type[HashEmbedder]:
    return HashEmbedder


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def catalogue(engine: sa.Engine) -> Catalogue:
    return Catalogue(engine)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition, half a minute at most."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait


@pytest.fixture
def running():
    """Runs a worker as a service while a block runs; gives the future of its report."""

    @contextmanager
    def running(worker):
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(worker.run, stop)
            try:
                yield future
            finally:
                stop.set()

    return running

"""A catalogue whose vectors follow from its texts alone, so that every vector can be checked at any time.

Texts lie around 500 subjects, and differ along 24 directions and a little along all others, as those of a
catalogue do; each model puts them elsewhere.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from recsys_pg import db
from recsys_pg.embedding import Worker

Vectors = npt.NDArray[np.float32]

SUBJECTS = 500
DIRECTIONS = 24
POISON = "poison"

FILL = """
insert into recsys.items (external_id, title, description, category, price, in_stock)
select 'sku-' || g, 'item ' || g, 'about subject ' || g %% %(subjects)s, 'category ' || g %% 20,
    1 + g %% 500, g %% 10 > 0
from generate_series(%(first)s::integer, %(last)s::integer) g
"""
_VECTORS = """
select i.id, recsys.item_content(i.title, i.description, i.category, i.tags), i.embedding::real[],
    i.embedding_model_id = (select m.id from recsys.models m where m.purpose = 'embedding' and m.is_active)
from recsys.items i
"""


class SubjectEmbedder:
    """384 numbers for each text, from the name of the model, the text and its subject."""

    dimensions = 384
    revision = "1"

    def __init__(self, name: str = "subjects", before: Callable[[Sequence[str]], object] = len) -> None:
        self.name = name
        self._before = before
        random = np.random.default_rng(self._seed("directions"))
        self._directions = random.standard_normal((DIRECTIONS, 384)).astype(np.float32)
        self._centers = random.standard_normal((SUBJECTS, DIRECTIONS)).astype(np.float32)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of unit length, (n_texts, 384); a text that contains "poison" is an error."""
        self._before(texts)
        if any(POISON in text for text in texts):
            raise ValueError("a text that this model cannot take")
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str) -> Vectors:
        """The vector of one text, (384,)."""
        subject = text.rpartition("subject ")[2].partition(" ")[0].strip(".")
        random = np.random.default_rng(self._seed(text))
        place = random.standard_normal(DIRECTIONS)
        if subject.isdigit():
            place = 0.8 * place + self._centers[int(subject) % SUBJECTS]
        vector = place @ self._directions + 0.5 * random.standard_normal(384)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def _seed(self, text: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.name} {text}".encode()).digest()[:8])


def fill(connection: psycopg.Connection[Any], items: int, model: str = "subjects") -> None:
    """Insert items and let the database belong to a `SubjectEmbedder` of that name."""
    connection.execute(
        "update recsys.models set name = %s, revision = '1' where purpose = 'embedding' and is_active",
        (model,),
    )
    connection.execute(FILL, {"first": 1, "last": items, "subjects": SUBJECTS})


def drain(url: str, embedder: SubjectEmbedder) -> None:
    """Embed whatever waits, leases and back-offs or not, as one worker that nothing disturbs."""
    engine = db.create_engine(url)
    try:
        while True:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    "update recsys.embedding_jobs set available_at = now(), lease_token = null"
                    " where failed_at is null"
                )
                if not connection.execute(
                    "select 1 from recsys.embedding_jobs where failed_at is null limit 1"
                ).fetchone():
                    return
            Worker(engine, embedder, batch_size=256).run_once()
    finally:
        engine.dispose()


def invariants(url: str, embedder: SubjectEmbedder) -> dict[str, int]:
    """What there is, and what must not be: each item is embedded anew and compared, from one snapshot."""
    found: dict[str, int] = {"items": 0, "without vector": 0, "stale": 0, "of another model": 0}
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        with connection.cursor(name="vectors") as cursor:
            cursor.itersize = 1_000
            cursor.execute(_VECTORS)
            for _, content, vector, is_of_model in cursor:
                found["items"] += 1
                if vector is None:
                    found["without vector"] += content != ""
                    continue
                found["stale"] += not np.allclose(vector, embedder.vector(content), atol=1e-5)
                found["of another model"] += not is_of_model
        (found["waiting"], found["dead letters"], found["orphans"]) = connection.execute(
            "select count(*) filter (where j.failed_at is null),"
            " count(*) filter (where j.failed_at is not null), count(*) filter (where i.id is null)"
            " from recsys.embedding_jobs j left join recsys.items i on i.id = j.item_id"
        ).fetchone() or (0, 0, 0)
        (found["copies wrong"],) = connection.execute(
            "select sum(rows_missing + rows_wrong + rows_superfluous)::integer"
            " from recsys_api.refresh_copies(dry_run => true)"
        ).fetchone() or (0,)
    return found

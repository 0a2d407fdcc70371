"""A catalogue with its vectors imported from Parquet, beside a bare COPY of its rows and the index build.

Both fill a fresh database with the same constraints, triggers and other indexes, and build the vector index
last, by the same statement with the same memory; they take turns. The bare COPY gets Python tuples from the
same file, whose ids are known; the import checks every field, stages the rows, looks the keys up and writes
10,000 a transaction.

    python benchmarks/import_vectors.py --items 1000000
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from pyarrow import parquet
from search_servers import machine
from server import RESULTS, fresh_database, server_url

from recsys_pg import db
from recsys_pg.deferred_index import built_last
from recsys_pg.importing import import_dataset, open_dataset
from recsys_pg.repositories import copy_rows

DATABASE = "recsys_import_vectors"
GROUP = 10_000
WORDS = ("light", "heavy", "small", "red", "blue", "wooden", "classic", "modern", "soft", "lamp", "chair")


def write(path: Path, items: int) -> None:
    """Items around 2,000 centers; prices are decimals and vectors float32, as a pipeline writes them."""
    random = np.random.default_rng(0)
    centers = random.standard_normal((2_000, 384)).astype(np.float32)
    schema_ = pa.schema(
        {
            "sku": pa.string(),
            "title": pa.string(),
            "description": pa.string(),
            "category": pa.string(),
            "tags": pa.list_(pa.string()),
            "price": pa.decimal128(10, 2),
            "embedding": pa.list_(pa.float32(), 384),
        }
    )
    with parquet.ParquetWriter(path, schema_) as writer:
        for first in range(0, items, GROUP):
            n = min(GROUP, items - first)
            of = random.integers(2_000, size=n)
            vectors = centers[of] + 1.2 * random.standard_normal((n, 384)).astype(np.float32)
            words = random.choice(WORDS, (n, 16))
            columns = [
                [f"sku-{first + number}" for number in range(n)],
                [" ".join(row[:4]) for row in words],
                [" ".join(row) for row in words],
                [f"category {center % 200}" for center in of],
                [[f"tag {center % 50}", str(row[0])] for center, row in zip(of, words, strict=True)],
                [Decimal(int(cents)) / 100 for cents in random.integers(100, 100_000, n)],
                pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384),
            ]
            writer.write_table(pa.table(columns, schema=schema_))


def rows(path: Path) -> Iterator[tuple[Any, ...]]:
    for batch in parquet.ParquetFile(path).iter_batches(GROUP):
        vectors = batch.column("embedding").flatten().to_numpy().reshape(-1, 384)
        others = [column.to_pylist() for column in batch.columns[:-1]]
        yield from zip(*others, vectors, strict=True)


def bare_copy(engine: Any, url: str, path: Path, items: int) -> dict[str, float]:
    started = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection, built_last(engine, items):
        copy_rows(
            connection,
            "recsys.items",
            ("external_id", "title", "description", "category", "tags", "price", "embedding"),
            ("text", "text", "text", "text", "text[]", "numeric", "vector"),
            rows(path),
        )
        copied = time.perf_counter() - started
    return {"rows": copied, "all": time.perf_counter() - started}


def full_import(engine: Any, _url: str, path: Path, _items: int) -> dict[str, float]:
    started = time.perf_counter()
    written: list[float] = []

    def note(phase: str, _done: int, _total: int | None) -> None:
        if phase == "writing items":
            written.append(time.perf_counter() - started)

    import_dataset(engine, open_dataset(path), progress=note)
    return {"rows": written[-1], "staging": written[0], "all": time.perf_counter() - started}


def timed(server: str, run: Callable[..., dict[str, float]], path: Path, items: int) -> dict[str, float]:
    """Seconds until the rows were there, and until their index was too, in a fresh database."""
    url = fresh_database(server, DATABASE)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("checkpoint")
    engine = db.create_engine(url)
    found = run(engine, url, path, items)
    with psycopg.connect(url) as connection:
        complete = connection.execute(
            "select count(embedding), to_regclass('recsys.items_embedding_idx') is not null from recsys.items"
        ).fetchone()
    engine.dispose()
    if complete != (items, True):
        raise SystemExit(f"{run.__name__} left {complete}, not {items} vectors and their index.")
    print(
        f"{run.__name__}: " + ", ".join(f"{name} {value:.1f} s" for name, value in found.items()), flush=True
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=1)
    options = parser.parse_args()
    turns = []
    with server_url(options.items) as server, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.parquet"
        write(path, options.items)
        for _ in range(options.turns):
            turns.append(
                {run.__name__: timed(server, run, path, options.items) for run in (bare_copy, full_import)}
            )
    ratio = statistics.median(turn["bare_copy"]["all"] / turn["full_import"]["all"] for turn in turns)
    print(f"the import reaches {ratio:.1%} of the bare COPY and the index build")
    RESULTS.mkdir(exist_ok=True)
    found = {"machine": machine(), "items": options.items, "ratio": ratio, "turns": turns}
    (RESULTS / "import_vectors.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

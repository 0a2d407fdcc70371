"""Items a second through the queue, with an embedder that takes no time: what the database can take.

Items with a text and no vector are inserted, then workers in processes of their own embed all of them, until
nothing is due: claims, writes of vectors with all triggers, the narrow copies. As the catalogue is new, the
vector index is built after it, as `recsys-pg worker --once` does; that time is told apart. Told are the rate
of each tenth of the items and the sizes of the queue in the end.

    python benchmarks/queue_speed.py --items 1000000 --workers 4
"""

import argparse
import json
import multiprocessing
import time
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg
from search_servers import machine
from server import RESULTS, fresh_database, server_url

from recsys_pg import db
from recsys_pg.embedding import Worker

DATABASE = "recsys_queue_speed"
INSERT = """
insert into recsys.items (title, description, category, price)
select 'Item ' || g, 'A text of item number ' || g || ', as long as a text that says something is.',
    'category ' || g %% 200, g %% 1000
from generate_series(1, %s) g
"""


class Instant:
    """Vectors that were there before."""

    name, revision, dimensions = "instant", "1", 384

    def __init__(self, most: int, seed: int) -> None:
        vectors = np.random.default_rng(seed).standard_normal((most, 384)).astype(np.float32)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed(self, texts):
        return self._vectors[: len(texts)]


def work(url: str, batch_size: int, seed: int, results: Any) -> None:
    done: list[tuple[float, int]] = []

    def note(phase: str, count: int, _total: int | None) -> None:
        if phase == "embed":
            done.append((time.time(), count))

    engine = db.create_engine(url)
    report = Worker(engine, Instant(batch_size, seed), batch_size=batch_size).run_once(note)
    engine.dispose()
    results.put((report.embedded, done))


def rates(marks: list[list[tuple[float, int]]]) -> list[float]:
    """Items a second of each tenth, from when each worker had done how many."""
    steps = sorted(
        (at, count - before) for worker in marks for (_, before), (at, count) in pairwise([(0.0, 0), *worker])
    )
    counts = np.cumsum([count for _, count in steps])
    times = np.array([at for at, _ in steps])
    bounds = np.interp(np.linspace(counts[0], counts[-1], 11), counts, times)
    return [(counts[-1] - counts[0]) / 10 / seconds for seconds in np.diff(bounds)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=500)
    options = parser.parse_args()
    with server_url(options.items) as server:
        url = fresh_database(server, DATABASE)
        with psycopg.connect(url, autocommit=True) as connection:
            started = time.perf_counter()
            connection.execute(INSERT, (options.items,))
            insert_seconds = time.perf_counter() - started
            connection.execute("vacuum analyze")
            print(f"inserted {options.items / insert_seconds:,.0f} items/s", flush=True)
            context = multiprocessing.get_context("spawn")
            results = context.Queue()
            workers = [
                context.Process(target=work, args=(url, options.batch_size, seed, results))
                for seed in range(options.workers)
            ]
            for worker in workers:
                worker.start()
            reports = [results.get() for _ in workers]
            for worker in workers:
                worker.join()
            ended = max(done[-1][0] for _, done in reports if done)
            began = min(done[0][0] for _, done in reports if done)
            tenths = rates([done for _, done in reports])
            (embedded, jobs, queue_size) = connection.execute(
                "select count(embedding), (select count(*) from recsys.embedding_jobs),"
                " pg_total_relation_size('recsys.embedding_jobs') from recsys.items"
            ).fetchone() or (0, 0, 0)
    found = {
        "machine": machine(),
        "items": options.items,
        "workers": options.workers,
        "batch_size": options.batch_size,
        "inserted_per_second": options.items / insert_seconds,
        "items_per_second": options.items / (ended - began),
        "tenths": tenths,
        "embedded": embedded,
        "jobs left": jobs,
        "queue_mb": queue_size / 2**20,
    }
    print(json.dumps(found, indent=2))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "queue_speed.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

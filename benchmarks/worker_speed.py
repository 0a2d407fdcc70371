"""The worker, from texts in a database to vectors in it, beside `SentenceTransformer.encode` as it comes.

Both embed the same texts, films with their overviews, in turns in one run. The worker reads them from a
database of its own, writes the vectors into the indexed table and refreshes what follows from them; encode
gets a list and returns an array. Told are, of each turn: seconds, texts a second, the ratio; the least
cosine of a text's two vectors; the share of the worker's time in which no thread was in the model, which is
the database's; and the memory of the worker's process.

    python benchmarks/worker_speed.py --texts 5000 --turns 3
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from pyarrow import parquet
from search_servers import machine
from server import RESULTS, fresh_database, server_url

from recsys_pg import db
from recsys_pg.embedding import SentenceTransformerEmbedder, Worker
from recsys_pg.embedding.model_files import find_model

SOURCE = Path(__file__).parents[1].parent / "shared" / "data" / "tmdb" / "movies.parquet"
DATABASE = "recsys_worker_speed"


class Clock:
    """An embedder that knows in which seconds some thread was in it."""

    def __init__(self, embedder: SentenceTransformerEmbedder) -> None:
        self.name, self.revision, self.dimensions = embedder.name, embedder.revision, embedder.dimensions
        self._embedder = embedder
        self._lock = threading.Lock()
        self.spans: list[tuple[float, float]] = []

    def embed(self, texts):
        started = time.perf_counter()
        vectors = self._embedder.embed(texts)
        with self._lock:
            self.spans.append((started, time.perf_counter()))
        return vectors

    def busy_seconds(self) -> float:
        seconds, end = 0.0, 0.0
        for start, stop in sorted(self.spans):
            seconds += max(0.0, stop - max(start, end))
            end = max(end, stop)
        return seconds


def films(n: int) -> list[tuple[str, str]]:
    table = parquet.read_table(SOURCE, columns=["title", "overview"])
    order = np.random.default_rng(0).permutation(table.num_rows)
    rows = zip(table["title"].take(order).to_pylist(), table["overview"].take(order).to_pylist(), strict=True)
    found = [(title, overview) for title, overview in rows if title and overview]
    return found[:n]


def work(url: str, texts: list[tuple[str, str]], results: Any) -> None:
    """In a process of its own, whose memory is the worker's."""
    engine = db.create_engine(url)
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.executemany("insert into recsys.items (title, description) values (%s, %s)", texts)
        connection.execute("analyze")
    embedder = SentenceTransformerEmbedder(precision="auto")
    clock = Clock(embedder)
    started = time.perf_counter()
    report = Worker(engine, clock).run_once()
    seconds = time.perf_counter() - started
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select recsys.item_content(title, description, category, tags), embedding::real[]"
            " from recsys.items order by id"
        ).fetchall()
    engine.dispose()
    results.put(
        {
            "embedded": report.embedded,
            "seconds": seconds,
            "not in the model": 1 - clock.busy_seconds() / seconds,
            "precision": embedder.precision,
            "threads": embedder.threads,
            "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            "rows": [(content, np.array(vector, np.float32)) for content, vector in rows],
        }
    )


def encode(contents: list[str], results: Any) -> None:
    """The library as its documentation shows it, in a process of its own."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_model("sentence-transformers/all-MiniLM-L6-v2").folder))
    model.encode(contents[:8])
    started = time.perf_counter()
    vectors = model.encode(contents, show_progress_bar=False)
    results.put({"seconds": time.perf_counter() - started, "vectors": vectors})


def in_process(function: Any, *arguments: Any) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=function, args=(*arguments, results))
    process.start()
    result = results.get()
    process.join()
    return dict(result)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=5_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    texts = films(options.texts)
    turns = []
    with server_url() as server:
        for turn in range(options.turns):
            worker = in_process(work, fresh_database(server, DATABASE), texts)
            contents = [content for content, _ in worker["rows"]]
            library = in_process(encode, contents)
            ours = np.stack([vector for _, vector in worker.pop("rows")])
            cosines = np.einsum("ij,ij->i", ours, library.pop("vectors"))
            turns.append(
                worker
                | {
                    "encode seconds": library["seconds"],
                    "ratio": library["seconds"] / worker["seconds"],
                    "least cosine": float(cosines.min()),
                }
            )
            print(
                f"turn {turn + 1}: worker {len(texts) / worker['seconds']:.0f} texts/s"
                f" ({worker['precision']}, {worker['threads']} threads, {worker['gb']:.2f} GB),"
                f" encode {len(texts) / library['seconds']:.0f}, ratio {turns[-1]['ratio']:.2f},"
                f" least cosine {turns[-1]['least cosine']:.6f},"
                f" not in the model {worker['not in the model']:.1%}",
                flush=True,
            )
        with psycopg.connect(**db.connection_parameters(server), autocommit=True) as connection:
            connection.execute(f"drop database {DATABASE} with (force)")
    print(f"ratio, median of {len(turns)}: {statistics.median(turn['ratio'] for turn in turns):.2f}")
    RESULTS.mkdir(exist_ok=True)
    found = {"machine": machine(), "texts": len(texts), "turns": turns}
    (RESULTS / "worker_speed.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

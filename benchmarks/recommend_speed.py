"""Milliseconds of `recommend_for_user` on 100,000 items and 1,000,000 interactions, and its parts' plans.

The database is made by the product: import of the files of import_speed.py, the worker, and training. The
texts there are made up, so the worker gets vectors made up too: those of the demo's 260 film descriptions
plus noise of .03 a component, so that items form clusters as real ones do.

Run: python benchmarks/recommend_speed.py. Uses the server of RECSYS_PG_DATABASE_URL, or else a private one.
"""

import argparse
import json
import platform
import re
import statistics
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psycopg
import sqlalchemy as sa
from import_speed import generate, write_files
from psycopg.conninfo import make_conninfo
from server import RESULTS, server_url

from recsys_pg import db, schema
from recsys_pg.collaborative import train
from recsys_pg.demo.films import described_films
from recsys_pg.embedding import Embeddings, SentenceTransformerEmbedder, Worker
from recsys_pg.importing import import_dataset, open_dataset

DATABASE = "recsys_recommend_speed"
FILTERS = {
    "none": "null",
    "category (0.5 %)": "recsys_api.item_filter(categories => '{category 7}')",
    "in stock (80 %)": "recsys_api.item_filter(in_stock => true)",
    "price up to 300 (30 %)": "recsys_api.item_filter(max_price => 300)",
    "price up to 20 (2 %)": "recsys_api.item_filter(max_price => 20)",
    "category and in stock": "recsys_api.item_filter(categories => '{category 7}', in_stock => true)",
}
PARTS = {
    "history of the user": ("_history", ("user_id",)),
    "items to leave out": ("_hidden_items", ("user_id", "exclude_seen")),
    "taste vector": ("_taste", ("item_ids", "weights")),
    "item graph": ("_graph_scores", ("item_ids", "weights")),
    "reasons": ("_contributions", ("item_ids", "weights", "target_item_ids")),
}
NEAREST = """
select i.id, i.distance
from (select i.*, i.embedding <=> $1 as distance from recsys.items i order by i.embedding <=> $1 limit 100) i
where i.id <> all ($2) order by i.distance, i.id limit 20
"""
POPULAR = """
select p.item_id, p.log2_weight
from recsys.item_popularity p join recsys.items i on i.id = p.item_id
where i.in_stock order by p.log2_weight desc, p.item_id limit 10
"""


class NoisyEmbedder:
    """Vectors of real descriptions with noise, chosen by the text."""

    name = "benchmark-noise"
    revision = "1"
    dimensions = 384

    def __init__(self) -> None:
        texts = [film["description"] for film in described_films()]
        self._centers = SentenceTransformerEmbedder().embed(texts)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Unit vectors, (n, 384) float32."""
        seeds = [zlib.crc32(text.encode()) for text in texts]
        noise = np.stack([np.random.default_rng(seed).normal(0, 0.03, 384) for seed in seeds])
        vectors = self._centers[np.array(seeds) % len(self._centers)] + noise
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def build(engine: sa.Engine, options: argparse.Namespace) -> dict[str, float]:
    seconds: dict[str, float] = {}

    def timed(name: str, started: float) -> None:
        seconds[name] = round(time.perf_counter() - started, 1)
        print(f"{name}: {seconds[name]} s", flush=True)

    schema.migrate(engine)
    with TemporaryDirectory() as folder:
        write_files(Path(folder), *generate(options.items, options.users, options.interactions, options.seed))
        started = time.perf_counter()
        import_dataset(engine, open_dataset(folder))
        timed("import", started)
    with engine.begin() as connection:
        connection.execute(sa.text("update recsys.items set in_stock = false where id % 5 = 0"))
    started = time.perf_counter()
    Worker(engine, NoisyEmbedder(), batch_size=1000).run_once()
    timed("worker", started)
    started = time.perf_counter()
    print(train(engine).message)
    timed("train", started)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("vacuum analyze"))
    return seconds


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {
        "p50": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(len(ordered) * 0.95)], 2),
        "max": round(ordered[-1], 2),
    }


def measure(connection: psycopg.Connection[Any], users: list[int]) -> dict[str, dict[str, float]]:
    """Milliseconds a call by filter, taking turns; the first round warms the caches and is not counted."""
    queries = {
        name: f"select * from recsys_api.recommend_for_user(%s, 10, {condition})"
        for name, condition in FILTERS.items()
    }
    queries["one bare HNSW query"] = (
        "select i.id from recsys.items i order by i.embedding <=> (select u.embedding from recsys.users u"
        " where u.id = %s) limit 10"
    )
    times: dict[str, list[float]] = {name: [] for name in queries}
    for counted in (False, True):
        for user in users:
            for name, query in queries.items():
                started = time.perf_counter()
                rows = connection.execute(query, (user,)).fetchall()
                elapsed = (time.perf_counter() - started) * 1000
                assert len(rows) == 10, (name, user, len(rows))
                if counted:
                    times[name].append(elapsed)
    return {name: percentiles(values) for name, values in times.items()}


def sequential_scans(connection: psycopg.Connection[Any], users: list[int]) -> dict[str, int]:
    """How often the calls without a filter scanned a large table from end to end."""
    count = (
        "select relname, seq_scan from pg_stat_xact_user_tables"
        " where schemaname = 'recsys' and relname in ('items', 'interactions', 'users', 'item_neighbors')"
    )
    with connection.transaction():
        before = dict(connection.execute(count).fetchall())
        for user in users:
            connection.execute("select * from recsys_api.recommend_for_user(%s)", (user,))
        after = dict(connection.execute(count).fetchall())
    return {table: after[table] - before[table] for table in sorted(after)}


def explain(connection: psycopg.Connection[Any], user: int) -> dict[str, str]:
    """EXPLAIN (ANALYZE, BUFFERS) of the parts that a call of recommend_for_user consists of."""
    history = connection.execute(
        "select array_agg(h.item_id), array_agg(h.weight),"
        " recsys_api._taste(array_agg(h.item_id), array_agg(h.weight)),"
        " recsys_api._hidden_items(%(user)s, true) from recsys_api._history(%(user)s) h",
        {"user": user},
    ).fetchone()
    assert history is not None
    items, weights, taste, hidden = history
    shown = [
        row[0] for row in connection.execute("select item_id from recsys_api.recommend_for_user(%s)", (user,))
    ]
    values = {
        "user_id": user,
        "exclude_seen": True,
        "item_ids": items,
        "weights": weights,
        "target_item_ids": shown,
    }
    plans = {}
    for title, (function, parameters) in PARTS.items():
        (body,) = connection.execute(
            "select prosrc from pg_proc where proname = %s", (function,)
        ).fetchone() or ("",)
        for parameter in parameters:
            body = re.sub(
                rf"{function}\.{parameter}\b|(?<![\w.]){parameter}\b(?! *\()", f"%({parameter})s", body
            )
        body = re.sub(r"%(?!\()", "%%", body)
        plans[title] = _plan(connection, body, {name: values[name] for name in parameters})
    vector = "'" + str(taste) + "'::vector"
    plans["nearest by content"] = _plan(
        connection, NEAREST.replace("$1", vector).replace("$2", "%(hidden)s"), {"hidden": hidden}
    )
    plans["most popular, as the last resort"] = _plan(connection, POPULAR, {})
    return plans


def _plan(connection: psycopg.Connection[Any], query: str, parameters: dict[str, Any]) -> str:
    with psycopg.ClientCursor(connection) as cursor, connection.transaction():
        cursor.execute("set local hnsw.ef_search = 400")
        cursor.execute(f"explain (analyze, buffers, costs off) {query}", parameters)
        text = "\n".join(row[0] for row in cursor.fetchall())
    # the plan, not the 384 numbers
    return re.sub(r"'\[[-\d.,e]{200,}\]'", "'[…]'", re.sub(r"'\{[-\d.,e]{80,}\}'", "'{…}'", text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=200, help="calls a filter")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    with server_url() as url, psycopg.connect(**db.connection_parameters(url), autocommit=True) as admin:
        admin.execute(f"drop database if exists {DATABASE} with (force)")
        admin.execute(f"create database {DATABASE}")
        database = make_conninfo(**db.connection_parameters(url) | {"dbname": DATABASE})
        seconds = build(db.create_engine(database, poolclass=sa.NullPool), options)
        with psycopg.connect(database, autocommit=True) as connection:
            users = [
                row[0]
                for row in connection.execute(
                    "select user_id from recsys.interactions tablesample system (5) repeatable (1) limit %s",
                    (options.calls,),
                )
            ]
            lengths = connection.execute(
                "select percentile_disc(array[0.5, 0.95]) within group (order by n) from"
                " (select count(*) as n from recsys.interactions where user_id = any (%s)"
                " group by user_id) c",
                (users,),
            ).fetchone()
            scans = sequential_scans(connection, users)
            times = measure(connection, users)
            plans = explain(connection, users[0])
            version = connection.info.server_version
        admin.execute(f"drop database {DATABASE} with (force)")

    print(f"\n{'filter':<26}{'p50':>9}{'p95':>9}{'max':>9}  ms")
    for name, row in times.items():
        print(f"{name:<26}{row['p50']:>9.1f}{row['p95']:>9.1f}{row['max']:>9.1f}")
    print(f"\nsequential scans in {len(users)} calls: {scans}")
    for title, plan in plans.items():
        print(f"\n-- {title}\n{plan}")
    RESULTS.mkdir(exist_ok=True)
    result = {
        "items": options.items,
        "interactions": options.interactions,
        "postgres": version,
        "python": platform.python_version(),
        "history_p50_p95": lengths[0] if lengths else None,
        "build_seconds": seconds,
        "milliseconds": times,
        "sequential_scans": scans,
        "plans": plans,
    }
    (RESULTS / "recommend_speed.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

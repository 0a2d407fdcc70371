"""Prices and stock changed all day: rows a second, what is HOT, what grows, and whether searches stay right.

A catalogue of 200,000 items with vectors and all indexes is churned: each churn gives every item a new price,
within 5 % of its list price, and every tenth another stock, in statements of 1,000 random items. Told are,
for each churn, rows a second and the share of updates that were HOT, of the items and of their narrow
copies; and before and after all churns the sizes of both with their indexes, and recall@10. The server has
the memory of the search benchmark's (2 GB for 200,000 items), and autovacuum as it comes.

    python benchmarks/update_speed.py --items 200000 --churns 10
"""

import argparse
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb
from search_servers import machine
from server import RESULTS, fresh_database, server_url

from recsys_pg import db
from recsys_pg.deferred_index import built_last
from recsys_pg.repositories import copy_rows

DATABASE = "recsys_update_speed"
STATEMENT = 1_000
TABLES = ("items", "searchable_items")
UPDATE = """
update recsys.items i
set price = round((i.attributes ->> 'list')::numeric * (0.95 + 0.1 * random())::numeric, 2),
    in_stock = case when random() < 0.1 then not i.in_stock else i.in_stock end
where i.id = any (%s)
"""
STATISTICS = """
select relname, n_tup_upd, n_tup_hot_upd, pg_total_relation_size(relid), pg_indexes_size(relid),
    coalesce(pg_relation_size(to_regclass('recsys.' || relname || '_embedding_idx')), 0)
from pg_stat_user_tables where schemaname = 'recsys' and relname = any (%s)
"""
RECALL = """
select sum(recall * searches) / sum(searches), min(recall), sum(searches)
from recsys_api.check_recall(sample => 200, n => 10)
"""


def rows(items: int) -> Iterator[tuple[Any, ...]]:
    """Items around 2,000 centers, as texts of a catalogue lie around their subjects."""
    random = np.random.default_rng(0)
    centers = random.standard_normal((2_000, 384)).astype(np.float32)
    prices = np.exp(random.normal(3, 1, items)).round(2) + 0.5
    for number in range(items):
        center = int(random.integers(2_000))
        vector = centers[center] + 1.2 * random.standard_normal(384).astype(np.float32)
        yield (
            f"item {number}",
            f"category {center % 200}",
            [f"tag {center % 50}"],
            Decimal(str(prices[number])),
            Jsonb({"list": float(prices[number])}),
            vector,
        )


def statistics(connection: psycopg.Connection[Any]) -> dict[str, dict[str, int]]:
    connection.execute("select pg_stat_clear_snapshot()")
    names = ("updated", "hot", "bytes", "index bytes", "vector index bytes")
    return {
        row[0]: dict(zip(names, row[1:], strict=True))
        for row in connection.execute(STATISTICS, (list(TABLES),)).fetchall()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--churns", type=int, default=10)
    options = parser.parse_args()
    with server_url(options.items) as server:
        url = fresh_database(server, DATABASE)
        engine = db.create_engine(url)
        with psycopg.connect(url, autocommit=True) as connection:
            with built_last(engine, options.items):
                copy_rows(
                    connection,
                    "recsys.items",
                    ("title", "category", "tags", "price", "attributes", "embedding"),
                    ("text", "text", "text[]", "numeric", "jsonb", "vector"),
                    rows(options.items),
                )
            connection.execute("vacuum analyze")
            recall_before = connection.execute(RECALL).fetchone()
            before = last = statistics(connection)
            print(f"filled; recall {recall_before}", flush=True)
            churns = []
            random = np.random.default_rng(1)
            for churn in range(options.churns):
                order = random.permutation(options.items) + 1
                started = time.perf_counter()
                for first in range(0, options.items, STATEMENT):
                    connection.execute(UPDATE, (order[first : first + STATEMENT].tolist(),))
                seconds = time.perf_counter() - started
                time.sleep(1.5)  # statistics come a second late
                now = statistics(connection)
                hot = {
                    table: (now[table]["hot"] - last[table]["hot"])
                    / max(1, now[table]["updated"] - last[table]["updated"])
                    for table in TABLES
                }
                last = now
                churns.append({"rows_per_second": options.items / seconds, "hot": hot, "sizes": now})
                print(
                    f"churn {churn + 1}: {options.items / seconds:,.0f} rows/s, HOT"
                    + ", ".join(f" {table} {share:.2%}" for table, share in hot.items())
                    + f"; {sum(now[table]['bytes'] for table in TABLES) / 2**20:,.0f} MB",
                    flush=True,
                )
            recall_after = connection.execute(RECALL).fetchone()
        engine.dispose()
    found = {
        "machine": machine(),
        "items": options.items,
        "before": before,
        "churns": churns,
        "recall before": recall_before,
        "recall after": recall_after,
    }
    for table in TABLES:
        grown = churns[-1]["sizes"][table]
        print(
            f"{table}: {before[table]['bytes'] / 2**20:,.0f} MB before, {grown['bytes'] / 2**20:,.0f} after;"
            f" vector index {before[table]['vector index bytes']:,} and {grown['vector index bytes']:,} bytes"
        )
    print(f"recall, its least band, searches: {recall_before} before, {recall_after} after")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "update_speed.json").write_text(json.dumps(found, indent=2, default=float) + "\n")


if __name__ == "__main__":
    main()

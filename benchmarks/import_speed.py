"""Rows a second of `import_dataset` from CSV files, beside a bare binary COPY of the same rows.

Both write into fresh clones of one migrated database, with the same indexes, constraints and triggers, and
take turns. The bare COPY gets Python tuples whose ids are known already; the import reads and checks files,
looks the ids up, leaves out duplicates, counts popularity and analyzes the tables.

Run: python benchmarks/import_speed.py. Uses the server of RECSYS_PG_DATABASE_URL, or else a private one.
"""

import argparse
import csv
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from server import RESULTS, server_url

from recsys_pg import db, schema
from recsys_pg.importing import import_dataset, open_dataset
from recsys_pg.repositories import copy_rows

TEMPLATE = "recsys_import_speed_template"
CLONE = "recsys_import_speed"
ADJECTIVES = ("light", "heavy", "small", "red", "blue", "wooden", "classic", "modern", "soft")
NOUNS = ("lamp", "chair", "table", "garden", "kitchen", "set", "steel", "glass")

Row = tuple[Any, ...]


def generate(items: int, users: int, interactions: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Items (key, title, description, category, tags, price) and interactions (user, item, stars, time).

    Items and users are drawn by power laws, times are uniform over three years and sorted, as in a log.
    """
    random = np.random.default_rng(seed)
    words = random.choice(ADJECTIVES + NOUNS, (items, 24))
    prices = random.integers(100, 100_000, items)
    catalogue: list[Row] = [
        (
            f"sku-{number + 1}",
            " ".join(words[number, :4]),
            " ".join(words[number, 4:]),
            f"category {number % 200}",
            [f"category {number % 200}", str(words[number, 0]), str(words[number, 1])],
            Decimal(int(prices[number])) / 100,
        )
        for number in range(items)
    ]
    chosen_items = np.minimum(random.zipf(1.2, interactions) - 1, items * 50) % items
    chosen_users = (users * random.power(0.5, interactions)).astype(int)
    stars = random.integers(1, 6, interactions)
    times = np.sort(random.integers(1_650_000_000, 1_750_000_000, interactions))
    log: list[Row] = list(
        zip(chosen_users.tolist(), chosen_items.tolist(), stars.tolist(), times.tolist(), strict=True)
    )
    return catalogue, log


def write_files(folder: Path, catalogue: list[Row], log: list[Row]) -> None:
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("item_id", "title", "description", "category", "tags", "price"))
        writer.writerows((*row[:4], "|".join(row[4]), row[5]) for row in catalogue)
    with (folder / "interactions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "rating", "timestamp"))
        writer.writerows((f"user-{user + 1}", f"sku-{item + 1}", star, at) for user, item, star, at in log)


def bare_copy(url: str, tables: list[tuple[str, tuple[str, ...], tuple[str, ...], list[Row]]]) -> float:
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        started = time.perf_counter()
        for table, columns, types, rows in tables:
            copy_rows(connection, table, columns, types, rows)
        connection.commit()
        return time.perf_counter() - started


def full_import(url: str, folder: Path) -> float:
    engine = db.create_engine(url, poolclass=sa.NullPool)
    started = time.perf_counter()
    import_dataset(engine, open_dataset(folder))
    return time.perf_counter() - started


def sibling(url: str, database: str) -> str:
    return make_conninfo(**db.connection_parameters(url) | {"dbname": database})


def timed_on_clone(admin: psycopg.Connection[Any], url: str, run: Callable[[str], float]) -> float:
    admin.execute(f"drop database if exists {CLONE} with (force)")
    admin.execute(f"create database {CLONE} template {TEMPLATE}")
    admin.execute("checkpoint")
    seconds = run(sibling(url, CLONE))
    admin.execute(f"drop database {CLONE} with (force)")
    return seconds


def summary(rows: int, seconds: list[float]) -> dict[str, float]:
    rates = sorted(round(rows / second) for second in seconds)
    return {"min": rates[0], "median": statistics.median(rates), "max": rates[-1]}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--items", type=int, default=100_000)
    arguments.add_argument("--users", type=int, default=50_000)
    arguments.add_argument("--interactions", type=int, default=1_000_000)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()

    catalogue, log = generate(options.items, options.users, options.interactions, options.seed)
    user_ids = {user: number for number, user in enumerate(dict.fromkeys(row[0] for row in log), start=1)}
    item_columns = ("id", "external_id", "title", "description", "category", "tags", "price")
    item_types = ("int8", "text", "text", "text", "text", "text[]", "numeric")
    log_columns = ("user_id", "item_id", "kind", "value", "occurred_at")
    log_types = ("int8", "int8", "text", "float8", "timestamptz")
    tables: list[tuple[str, tuple[str, ...], tuple[str, ...], list[Row]]] = [
        ("recsys.items", item_columns, item_types, [(i, *row) for i, row in enumerate(catalogue, start=1)]),
        (
            "recsys.users",
            ("id", "external_id"),
            ("int8", "text"),
            [(n, f"user-{u + 1}") for u, n in user_ids.items()],
        ),
        (
            "recsys.interactions",
            log_columns,
            log_types,
            [
                (user_ids[user], item + 1, "rating", float(star), datetime.fromtimestamp(at, UTC))
                for user, item, star, at in log
            ],
        ),
    ]
    rows = len(catalogue) + len(log)
    bare: list[float] = []
    imported: list[float] = []
    with server_url() as url, tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), catalogue, log)
        with psycopg.connect(**db.connection_parameters(url), autocommit=True) as admin:
            admin.execute(f"drop database if exists {TEMPLATE} with (force)")
            admin.execute(f"create database {TEMPLATE}")
            schema.migrate(db.create_engine(sibling(url, TEMPLATE), poolclass=sa.NullPool))
            for _ in range(options.repeats):
                bare.append(timed_on_clone(admin, url, lambda clone: bare_copy(clone, tables)))
                imported.append(timed_on_clone(admin, url, lambda clone: full_import(clone, Path(folder))))
                print(f"bare COPY {bare[-1]:6.1f} s   import {imported[-1]:6.1f} s", flush=True)
            version = admin.info.server_version // 10_000
            admin.execute(f"drop database {TEMPLATE} with (force)")

    result = {
        "items": options.items,
        "users": len(user_ids),
        "interactions": options.interactions,
        "postgres": version,
        "python": platform.python_version(),
        "bare_copy_rows_per_second": summary(rows, bare),
        "import_rows_per_second": summary(rows, imported),
        "ratios": sorted(round(one / other, 3) for one, other in zip(bare, imported, strict=True)),
        "ratio": round(statistics.median(bare) / statistics.median(imported), 3),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "import_speed.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

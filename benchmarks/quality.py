"""How good recommendations are on public data sets, by the SQL functions, beside published figures.

Each data set is loaded into a database of its own, on an embedded PostgreSQL or on the server of
RECSYS_PG_DATABASE_URL; `train` chooses everything by what it holds out of the training part; then every user
is asked by recommend_for_user. All items are ranked but those of the training part.

    python benchmarks/quality.py [--only NAME …] [--data DIR]

The data is not part of the project (see --help of --data); a data set whose files are missing is left out.
"""

import argparse
import gzip
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import sqlalchemy as sa
from exact_lists import exact_lists
from methods import scratch_database, show
from server import RESULTS

from recsys_pg import schema
from recsys_pg.collaborative import train
from recsys_pg.evaluation import ndcg, recall
from recsys_pg.repositories import copy_rows

DATA = Path(__file__).parents[2] / "shared" / "data"
START = datetime(2020, 1, 1, tzinfo=UTC)
CONNECTIONS = 2


@dataclass(frozen=True)
class Protocol:
    """A data set, how it is split, and what is known of it."""

    name: str
    train: str
    test: str | None
    """None: the last item of each user of the train file is the test."""
    k: int
    bar: tuple[float, float]
    goal: tuple[float, float]
    published: str
    holdout: int | None
    """Likes that training holds out of each user: one where the test is one."""


PROTOCOLS = (
    Protocol(
        "ml-1m, LCFN split", "ml-1m/lcfn-train.txt.gz", "ml-1m/lcfn-test.txt.gz", 20, (0.2775, 0.2670),
        (0.2807, 0.2704), "SimpleX .2802 / .2670", None,
    ),
    Protocol(
        "ml-1m sequences", "ml-1m/sequences.txt.gz", None, 10, (0.280, 0.166), (0.300, 0.1726),
        "SASRec .2392 / .1259, gSASRec .3003 / .1726", 1,
    ),
    Protocol(
        "gowalla", "gowalla/train.txt.gz", "gowalla/test.txt.gz", 20, (0.184, 0.151), (0.189, 0.157),
        "SimpleX .1872 / .1557, GF-CF .1849 / .1518", None,
    ),
    Protocol(
        "amazon-beauty sequences", "amazon-beauty/sequences.txt.gz", None, 10, (0.080, 0.050), (0.090, 0.056),
        "no claim: ties of a day are in the order of ids", 1,
    ),
)  # fmt: skip


def lines(path: Path) -> Iterator[tuple[int, list[int]]]:
    with gzip.open(path, "rt") as file:
        for line in file:
            user, *items = map(int, line.split())
            yield user, items


def split(protocol: Protocol, data: Path) -> tuple[dict[int, list[int]], dict[int, set[int]]]:
    known = dict(lines(data / protocol.train))
    if protocol.test is not None:
        return known, {user: set(items) for user, items in lines(data / protocol.test) if items}
    return (
        {user: items[:-1] for user, items in known.items()},
        {user: {items[-1]} for user, items in known.items()},
    )


def load(
    engine: sa.Engine, known: Mapping[int, Sequence[int]], test: Mapping[int, set[int]], ordered: bool
) -> None:
    """Ids are one more than those of the files, which begin at 0; without an order all is at one time."""
    with engine.connect() as connection, connection.begin():
        driver = connection.connection.driver_connection
        items = sorted({i for group in (known, test) for of_user in group.values() for i in of_user})
        copy_rows(
            driver, "recsys.items", ("id", "title"), ("int8", "text"), ((i + 1, f"item {i}") for i in items)
        )
        copy_rows(driver, "recsys.users", ("id",), ("int8",), ((user + 1,) for user in known))
        copy_rows(
            driver,
            "recsys.interactions",
            ("user_id", "item_id", "kind", "occurred_at"),
            ("int8", "int8", "text", "timestamptz"),
            (
                (user + 1, item + 1, "like", START + timedelta(seconds=step if ordered else 0))
                for user, of_user in known.items()
                for step, item in enumerate(of_user)
            ),
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")


def ask_all(
    engine: sa.Engine, statement: sa.TextClause, users: Sequence[int], phase: str, **parameters: Any
) -> dict[int, list[int]]:
    """What a statement over :user_id and the other parameters returns for each user."""
    found: dict[int, list[int]] = {}

    def ask(part: Sequence[int]) -> None:
        with engine.connect() as connection:
            for user in part:
                found[user] = list(connection.scalars(statement, {"user_id": user, **parameters}))
                show(phase, len(found), len(users))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(ask, [users[number::CONNECTIONS] for number in range(CONNECTIONS)]))
    return found


def lists(engine: sa.Engine, users: Sequence[int], k: int) -> dict[int, list[int]]:
    """By the ids of the files, which are one less than those of the database."""
    statement = sa.text("select item_id from recsys_api.recommend_for_user(:user_id, n => :k) order by rank")
    found = ask_all(engine, statement, [user + 1 for user in users], "recommend", k=k)
    return {user - 1: [item - 1 for item in items] for user, items in found.items()}


def run(protocol: Protocol, data: Path, seed: int) -> dict[str, Any]:
    known, test = split(protocol, data)
    with scratch_database() as engine:
        schema.migrate(engine)
        load(engine, known, test, ordered=protocol.holdout is not None)
        started = time.perf_counter()
        report = train(engine, holdout=protocol.holdout, memory_gb=8, seed=seed, progress=show)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        started = time.perf_counter()
        found = lists(engine, sorted(set(test) & set(known)), protocol.k)
        asked = time.perf_counter() - started
        exact = exact_lists(engine, [user + 1 for user in found], protocol.k, show)
        with engine.connect() as connection:
            model = connection.execute(
                sa.text("select parameters, metrics from recsys.models where id = :id"),
                {"id": report.model_id},
            ).one()
    numpy_lists = {user - 1: [item - 1 for item in items] for user, items in exact.items()}

    def mean(metric: Callable[[Sequence[int], set[int], int], float], of: Mapping[int, list[int]]) -> float:
        return round(fmean(metric(of[user], test[user], protocol.k) for user in found), 4)

    return {
        "name": protocol.name,
        "k": protocol.k,
        "users": len(found),
        "recall": mean(recall, found),
        "ndcg": mean(ndcg, found),
        "recall_numpy": mean(recall, numpy_lists),
        "ndcg_numpy": mean(ndcg, numpy_lists),
        "same_items": round(
            fmean(len({*found[user]} & {*numpy_lists[user]}) / protocol.k for user in found), 4
        ),
        "bar": protocol.bar,
        "goal": protocol.goal,
        "published": protocol.published,
        "train_seconds": round(seconds, 1),
        "train_peak_gb": round(peak, 2),
        "milliseconds_a_user": round(1000 * asked * CONNECTIONS / len(found), 2),
        "parameters": model.parameters,
        "metrics": model.metrics,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the folders ml-1m, gowalla, …")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="data sets, such as gowalla")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = []
    for protocol in PROTOCOLS:
        if options.only and not any(protocol.name.startswith(name) for name in options.only):
            continue
        if not (options.data / protocol.train).exists():
            print(f"{protocol.name}: no data in {options.data}", file=sys.stderr)
            continue
        rows.append(run(protocol, options.data, options.seed))
        row = rows[-1]
        print(
            f"\r\033[K{row['name']:<26} Recall@{row['k']} {row['recall']:.4f} (bar {row['bar'][0]:.4f})"
            f"  NDCG@{row['k']} {row['ndcg']:.4f} (bar {row['bar'][1]:.4f})"
            f"  all items in numpy {row['recall_numpy']:.4f} {row['ndcg_numpy']:.4f}"
            f"  trained in {row['train_seconds']:.0f} s, {row['milliseconds_a_user']:.1f} ms a user"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "quality.json").write_text(json.dumps(rows, indent=1) + "\n")
    missed = [row["name"] for row in rows if row["recall"] < row["bar"][0] or row["ndcg"] < row["bar"][1]]
    for name in missed:
        print(f"MISSED: {name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

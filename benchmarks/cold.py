"""How well films that nobody has seen are recommended, by the SQL functions, on MovieLens 1M.

Protocol: a fifth of the rated films, drawn with a seed, is removed from the interactions, and `train` learns
from the rest; then `recommend_for_user` ranks these films alone for every user who rated some of them (a
filter on their ids). Films have a title, a plot, genres as category and tags, director and actors as
attributes. Recall@20 and NDCG@20, means over the users and the seeds. Nothing is tuned on the removed films.

    python benchmarks/cold.py [--seeds 5] [--users N] [--with-year] [--data DIR]

The data is not part of the project. Exit code 1: the mean over the seeds is below the bar.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from cached_embedder import CachedEmbedder
from methods import scratch_database, show
from psycopg.types.json import Jsonb
from pyarrow import parquet
from quality import CONNECTIONS, DATA, START, ask_all
from server import RESULTS

from recsys_pg import schema
from recsys_pg.collaborative import train
from recsys_pg.embedding import Worker
from recsys_pg.evaluation import ndcg, recall
from recsys_pg.repositories import copy_rows

BAR, GOAL = (0.185, 0.27), (0.199, 0.30)
K = 20
SHARE = 5
"""One film in so many is new."""
METHODS = ("hybrid", "content")

Film = Mapping[str, Any]


def labels(text: str | None) -> list[str]:
    return [label.strip() for label in (text or "").split(",") if label.strip()]


def load(engine: sa.Engine, films: Sequence[Film], *, with_year: bool) -> None:
    """The catalogue, and its vectors."""
    with engine.connect() as connection, connection.begin():
        copy_rows(
            connection.connection.driver_connection,
            "recsys.items",
            ("id", "title", "description", "category", "tags", "attributes"),
            ("int8", "text", "text", "text", "text[]", "jsonb"),
            (
                (
                    film["item_id"],
                    film["title"],
                    film["plot"],
                    next(iter(labels(film["genres"])), None),
                    labels(film["genres"]),
                    Jsonb(attributes(film, with_year=with_year)),
                )
                for film in films
            ),
        )
    Worker(engine, CachedEmbedder()).run_once(show)


def attributes(film: Film, *, with_year: bool) -> dict[str, list[str]]:
    found = {"director": labels(film["director"]), "actors": labels(film["actors"])}
    return found | ({"year": labels(film["year"])} if with_year else {})


def load_interactions(engine: sa.Engine, users: npt.NDArray[np.int32], items: npt.NDArray[np.int32]) -> None:
    """All at one time, since the file has none; their ids are in its order."""
    with engine.connect() as connection, connection.begin():
        driver = connection.connection.driver_connection
        copy_rows(driver, "recsys.users", ("id",), ("int8",), ((user,) for user in np.unique(users).tolist()))
        copy_rows(
            driver,
            "recsys.interactions",
            ("user_id", "item_id", "kind", "occurred_at"),
            ("int8", "int8", "text", "timestamptz"),
            ((user, item, "like", START) for user, item in zip(users.tolist(), items.tolist(), strict=True)),
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")


def lists(engine: sa.Engine, users: Sequence[int], new: Sequence[int], method: str) -> dict[int, list[int]]:
    statement = sa.text(
        "select item_id from recsys_api.recommend_for_user(:user_id, n => :k, method => :method,"
        " filter => recsys_api.item_filter(item_ids => cast(:new as bigint[]))) order by rank"
    )
    return ask_all(engine, statement, users, f"recommend by {method}", k=K, method=method, new=list(new))


def run(data: Path, seed: int, most_users: int | None, *, with_year: bool) -> dict[str, Any]:
    films = parquet.read_table(data / "ml-1m" / "movies.parquet").to_pylist()
    pairs = parquet.read_table(data / "ml-1m" / "pairs.parquet")
    users, items = pairs["user_id"].to_numpy(), pairs["item_id"].to_numpy()
    # a rated film of which nothing is known is ranked as well, last
    described = {film["item_id"] for film in films}
    films += [
        {"item_id": item, "title": f"film {item}"}
        | dict.fromkeys(("plot", "genres", "director", "actors", "year"))
        for item in np.unique(items).tolist()
        if item not in described
    ]
    rated = np.unique(items)
    new = np.sort(np.random.default_rng(seed).permutation(rated)[: len(rated) // SHARE])
    is_new = np.isin(items, new)
    wanted: dict[int, set[int]] = defaultdict(set)
    known = set(users[~is_new].tolist())
    for user, item in zip(users[is_new].tolist(), items[is_new].tolist(), strict=True):
        if user in known:
            wanted[user].add(item)
    asked = np.array(sorted(wanted))
    if most_users is not None and len(asked) > most_users:
        asked = np.sort(np.random.default_rng(seed).choice(asked, most_users, replace=False))
        wanted = {user: wanted[user] for user in asked.tolist()}
    with scratch_database() as engine:
        schema.migrate(engine)
        load(engine, films, with_year=with_year)
        load_interactions(engine, users[~is_new], items[~is_new])
        started = time.perf_counter()
        report = train(engine, seed=seed, progress=show)
        seconds = time.perf_counter() - started
        rows: dict[str, dict[str, float]] = {}
        for method in METHODS:
            started = time.perf_counter()
            found = lists(engine, asked.tolist(), new.tolist(), method)
            rows[method] = {
                "recall": fmean(recall(found[user], of_user, K) for user, of_user in wanted.items()),
                "ndcg": fmean(ndcg(found[user], of_user, K) for user, of_user in wanted.items()),
                "milliseconds": 1000 * (time.perf_counter() - started) * CONNECTIONS / len(found),
            }
    return {
        "seed": seed,
        "new_items": len(new),
        "users": len(wanted),
        "train_seconds": round(seconds, 1),
        "terms": [[term.operator, term.decay, term.weight] for term in report.terms],
        "methods": rows,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the folder ml-1m")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="0 to N − 1")
    parser.add_argument("--users", type=int, metavar="N", help="asked at most, drawn; all if left out")
    parser.add_argument("--with-year", action="store_true", help="the year of a film as an attribute too")
    options = parser.parse_args()
    if not (options.data / "ml-1m" / "movies.parquet").exists():
        print(f"no data in {options.data}; name its folder, --data", file=sys.stderr)
        return 2
    rows = []
    for seed in range(options.seeds):
        rows.append(run(options.data, seed, options.users, with_year=options.with_year))
        shown = "  ".join(
            f"{method} {values['recall']:.4f} / {values['ndcg']:.4f}"
            for method, values in rows[-1]["methods"].items()
        )
        print(
            f"\r\033[Kseed {seed}: {rows[-1]['new_items']} new films, {rows[-1]['users']} users"
            f"  Recall@{K} / NDCG@{K}  {shown}  trained in {rows[-1]['train_seconds']:.0f} s",
            flush=True,
        )
    mean = [fmean(row["methods"]["hybrid"][metric] for row in rows) for metric in ("recall", "ndcg")]
    print(
        f"hybrid, mean of {len(rows)} seeds: {mean[0]:.4f} / {mean[1]:.4f}"
        f"  (bar {BAR[0]} / {BAR[1]}, goal {GOAL[0]} / {GOAL[1]})"
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cold.json").write_text(json.dumps({"mean": mean, "seeds": rows}, indent=1) + "\n")
    return 0 if mean[0] >= BAR[0] and mean[1] >= BAR[1] else 1


if __name__ == "__main__":
    sys.exit(main())

"""Every method of recommend_for_user on MovieLens 100k, by `evaluate`: NDCG@10, Recall@20, ms/user.

Protocol: ratings of 4 and 5 stars only, loaded as interactions of kind 'rating'; of each user the last 20 %
by time (ties in the order of the file), one at least, are the test; all films are ranked but those that the
user has rated in the rest. Nothing is tuned on the test.

    python benchmarks/methods.py [--recbole-wheel FILE]

The ratings come from the wheel of recbole 1.2.1, which is downloaded once if no file is named. The databases
are of their own, on an embedded PostgreSQL or on the server of RECSYS_PG_DATABASE_URL, and are dropped at the
end. Exit code 1: a method misses what is expected of it.
"""

import argparse
import json
import os
import platform
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import sqlalchemy as sa
from server import RESULTS, server_url

from recsys_pg import db, evaluation, schema
from recsys_pg.demo.movielens import movielens_wheel
from recsys_pg.embedding import SentenceTransformerEmbedder, Worker
from recsys_pg.evaluation import Evaluation, evaluate
from recsys_pg.repositories import copy_rows

FOLDER = "recbole/dataset_example/ml-100k/ml-100k"
ITEM_BASED_BAR = (0.130, 0.190)


@dataclass(frozen=True)
class Rating:
    user_id: int
    item_id: int
    stars: float
    occurred_at: datetime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recbole-wheel", type=Path, help="the wheel of recbole; downloaded if left out")
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS / "methods.json",
        help="JSON file to write",
    )
    arguments = parser.parse_args()

    wheel = arguments.recbole_wheel or movielens_wheel(platformdirs.user_cache_path("recsys_pg"))
    with scratch_database() as engine:
        schema.migrate(engine)
        load(engine, wheel, [rating for rating in read_ratings(wheel) if rating.stars >= 4])
        Worker(engine, SentenceTransformerEmbedder()).run_once(show)
        found = evaluate(engine, split="user", test_share=0.2, progress=show)

    sizes = found.sizes
    print(f"\nMovieLens 100k, ratings ≥ 4: {sizes.interactions:,} to train on, {sizes.targets:,} to test on")
    print(f"trained: {found.training.message}\n")
    print(f"{'method':<12}{'NDCG@10':>9}{'Recall@20':>11}{'ms/user':>9}{'users':>7}")
    for row in found.methods:
        print(
            f"{row.method:<12}{row.accuracy[0].ndcg:>9.4f}{row.accuracy[1].recall:>11.4f}"
            f"{row.milliseconds:>9.1f}{sizes.asked_users:>7}"
        )
    missed = missed_bars(found)
    print("\n" + ("\n".join(missed) or "Every method does what is expected of it."))

    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": os.cpu_count(), "system": platform.platform()}
    result = {"machine": machine, "evaluation": asdict(found), "missed": missed}
    arguments.output.write_text(json.dumps(result, default=str, indent=2) + "\n")
    print(f"written to {arguments.output}")
    return 1 if missed else 0


def missed_bars(found: Evaluation) -> list[str]:
    scores = {row.method: (row.accuracy[0].ndcg, row.accuracy[1].recall) for row in found.methods}
    missed = []
    for metric, name in enumerate(("NDCG@10", "Recall@20")):
        if scores["item_based"][metric] < ITEM_BASED_BAR[metric]:
            missed.append(f"MISSED: item_based has {name} below {ITEM_BASED_BAR[metric]}.")
        best = max(scores, key=lambda method: scores[method][metric])
        if scores["hybrid"][metric] < scores[best][metric]:
            missed.append(f"MISSED: {best} has a better {name} than hybrid.")
    return missed


def table(wheel: Path, suffix: str) -> Iterator[list[str]]:
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read(f"{FOLDER}.{suffix}").decode().splitlines()
    return (line.split("\t") for line in lines[1:])


def read_ratings(wheel: Path) -> Iterator[Rating]:
    for user, item, stars, seconds in table(wheel, "inter"):
        yield Rating(int(user), int(item), float(stars), datetime.fromtimestamp(float(seconds), UTC))


def load(engine: sa.Engine, wheel: Path, ratings: list[Rating]) -> None:
    films = [(int(item), title, genres.split()) for item, title, _, genres in table(wheel, "item")]
    with engine.connect() as connection, connection.begin():
        driver = connection.connection.driver_connection
        copy_rows(
            driver,
            "recsys.items",
            ("id", "title", "category", "tags"),
            ("int8", "text", "text", "text[]"),
            ((item, title, genres[0], genres) for item, title, genres in films),
        )
        users = sorted({rating.user_id for rating in ratings})
        copy_rows(driver, "recsys.users", ("id",), ("int8",), ((user,) for user in users))
        # the sort is stable: among equal times the order of the file becomes the order of the ids
        copy_rows(
            driver,
            "recsys.interactions",
            ("user_id", "item_id", "kind", "value", "occurred_at"),
            ("int8", "int8", "text", "float8", "timestamptz"),
            (
                (rating.user_id, rating.item_id, "rating", rating.stars, rating.occurred_at)
                for rating in sorted(ratings, key=lambda rating: rating.occurred_at)
            ),
        )


@contextmanager
def scratch_database() -> Iterator[sa.Engine]:
    with server_url() as url, evaluation.scratch_database(db.connection_parameters(url)) as engine:
        yield engine


shown_at = 0.0


def show(phase: str, done: int, total: int | None) -> None:
    global shown_at  # noqa: PLW0603
    if time.monotonic() - shown_at > 0.2 or done == total:
        shown_at = time.monotonic()
        of_total = f" of {total:,}" if total else ""
        print(f"\r\033[K{phase}: {done:,}{of_total}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

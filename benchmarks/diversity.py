"""What each control costs and brings on MovieLens 100k: NDCG@10 against diversity, coverage, novelty.

Protocol: ratings of 4 and 5 stars; of each user the last 20 % by time, one at least, are the test; training
sees the rest. `recsys_api.recommend_for_user(…, n => 10)` is asked with each from 0 to 1, the others at
0. Intra-list diversity is 1 less the mean cosine of the texts (titles and genres) of the pairs of a list;
"genres" is the share of the pairs that have no genre in common, which no control looks at.

    python benchmarks/diversity.py [--users N] [--recbole-wheel FILE]

The database is of its own, on an embedded PostgreSQL or on the server of RECSYS_PG_DATABASE_URL, and is
dropped at the end. Exit code 1: a control at 0 gives another list than none, or intra-list diversity falls
where the control diversity rises.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import platformdirs
import sqlalchemy as sa
from methods import load, read_ratings, scratch_database, show
from psycopg import sql
from server import RESULTS

from recsys_pg import schema
from recsys_pg.collaborative import train
from recsys_pg.collaborative.items import read_embeddings
from recsys_pg.db import driver_connection
from recsys_pg.demo.movielens import movielens_wheel
from recsys_pg.embedding import SentenceTransformerEmbedder, Worker
from recsys_pg.evaluation import exposure, metrics
from recsys_pg.evaluation.known import read_known
from recsys_pg.evaluation.split import divide
from recsys_pg.evaluation.targets import Targets, read_test

K = 10
CURVES: Mapping[str, Sequence[float]] = {
    "diversity": (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1),
    "popularity_damping": (0, 0.1, 0.2, 0.3, 0.5, 0.7, 1),
    "new_item_share": (0, 0.1, 0.2, 0.5),
    "max_per_category": (10, 5, 3, 2, 1),
}


@dataclass(frozen=True)
class Point:
    """What lists are like with one control at one value; means over the users."""

    control: str
    value: float
    ndcg: float
    diversity: float
    genres: float
    coverage: float
    novelty: float
    cold_share: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=10_000, help="users asked, the first by id")
    parser.add_argument("--recbole-wheel", type=Path, help="the wheel of recbole; downloaded if left out")
    parser.add_argument("--output", type=Path, default=RESULTS / "diversity.json", help="JSON file to write")
    arguments = parser.parse_args()
    wheel = arguments.recbole_wheel or movielens_wheel(platformdirs.user_cache_path("recsys_pg"))
    with scratch_database() as engine:
        schema.migrate(engine)
        load(engine, wheel, [rating for rating in read_ratings(wheel) if rating.stars >= 4])
        Worker(engine, SentenceTransformerEmbedder()).run_once(show)
        test = hold_out(engine)
        print(train(engine, progress=show).message)
        asked = dict(sorted(test.items())[: arguments.users])
        points, same = measure(engine, asked)
    faults = [] if same else ["A control at 0 gives another list than none."]
    curve = [point.diversity for point in points if point.control == "diversity"]
    if any(after < before - 0.002 for before, after in pairwise(curve)):
        faults.append("Intra-list diversity does not rise with diversity.")
    print(f"\n{len(asked)} users\n{table(points)}\n" + "\n".join(faults))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"users": len(asked), "points": list(map(asdict, points)), "faults": faults}
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {arguments.output}")
    return 1 if faults else 0


def hold_out(engine: sa.Engine) -> Targets:
    """Take the test part out of the database."""
    with engine.begin() as connection:
        driver = driver_connection(connection)
        division = divide(driver, "user", 0.2)
        test = read_test(driver, division)
        kept = division.training(sql.SQL("a.id"))
        driver.execute(sql.SQL("create temporary table kept on commit drop as {}").format(kept))
        driver.execute("delete from recsys.interactions a where a.id not in (select k.id from kept k)")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("vacuum analyze"))
    return {user: frozenset(items) for user, items in test.items()}


def measure(engine: sa.Engine, test: Targets) -> tuple[list[Point], bool]:
    """The points of all curves, and whether every control at 0 gives the list that no control gives."""
    points, same = [], True
    with engine.connect() as connection:
        known = read_known(connection)
        ids = np.array(connection.scalars(sa.text("select id from recsys.items order by id")).all())
        embeddings = dict(zip(ids.tolist(), read_embeddings(connection, ids), strict=True))
        tags = dict(connection.execute(sa.text("select id, tags from recsys.items")).all())
        plain = lists(connection, test, "", None)
        for control, values in CURVES.items():
            for number, value in enumerate(values, start=1):
                show(control, number, len(values))
                found = lists(connection, test, control, value)
                if value == 0:
                    same = same and found == plain
                shown = list(found.values())
                apart = (exposure.diversity(np.array([embeddings[item] for item in each])) for each in shown)
                points.append(
                    Point(
                        control,
                        value,
                        ndcg=fmean(metrics.ndcg(found[user], items, K) for user, items in test.items()),
                        diversity=fmean(each for each in apart if each is not None),
                        genres=fmean(genres_apart(each, tags) for each in shown),
                        coverage=exposure.coverage(shown, known.items),
                        novelty=exposure.novelty(shown, known.by_users, known.active_users),
                        cold_share=exposure.cold_share(shown, known.by_users),
                    )
                )
    return points, same


def lists(
    connection: sa.Connection, users: Targets, control: str, value: float | None
) -> dict[int, Sequence[int]]:
    """The list of each user, with one control, or none."""
    argument = f", {control} => :value" if control else ""
    statement = sa.text(
        f"select item_id from recsys_api.recommend_for_user(:user, n => {K}{argument}) order by rank"
    )
    given = {"value": value} if control else {}
    return {user: connection.scalars(statement, {"user": user} | given).all() for user in users}


def genres_apart(items: Sequence[int], tags: Mapping[int, Sequence[str]]) -> float:
    """The share of the pairs of a list that have no genre in common."""
    return fmean(not set(tags[one]) & set(tags[other]) for one, other in combinations(items, 2))


def table(points: Sequence[Point]) -> str:
    """The points as a Markdown table."""
    rows = ["| control | NDCG@10 | diversity | genres | coverage | novelty | unknown |", "|" + " --- |" * 7]
    rows += [
        f"| {point.control} {point.value:g} | {point.ndcg:.4f} | {point.diversity:.3f} | {point.genres:.3f}"
        f" | {point.coverage:.3f} | {point.novelty:.2f} | {point.cold_share:.3f} |"
        for point in points
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())

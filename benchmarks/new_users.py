"""How well people are served after 1, 2 and 5 interactions, by the SQL functions, on MovieLens latest-small.

Protocol: the users are drawn into three parts; for each part, `train` learns from the ratings of the other
two. Then the first likes (more than three stars) of each user of the part are recorded, and
recommend_for_user is asked without training again: what the user liked later is to be found, among all films
but these. So every user of six likes or more is asked once after each number of interactions. Films have the
overviews of TMDB.

    python benchmarks/new_users.py [--data DIR]

The data is not part of the project. Exit code 1: hybrid is not shown to be ahead of the most liked
films, popular or content.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from cached_embedder import CachedEmbedder
from film_ratings import Rating, load_films, load_ratings, load_users, read_ratings
from methods import scratch_database, show
from quality import DATA
from server import RESULTS

from recsys_pg import schema
from recsys_pg.collaborative import train
from recsys_pg.collaborative.bootstrap import estimate
from recsys_pg.embedding import Worker
from recsys_pg.evaluation import METHODS, ndcg, recall
from recsys_pg.evaluation.asking import ask

COUNTS = (1, 2, 5)
PARTS = 3
LENGTH = 20
LIKED = 3
"""Stars above which a film is liked."""
MOST_LIKED = "most liked"
"""Films by how many users of the other parts like them; the method popular counts what is so lately."""
REFERENCES = (MOST_LIKED, "popular", "content")
"""What the hybrid has to be ahead of."""

Values = dict[tuple[int, str], list[float]]


def run_part(
    data: Path, known: Sequence[Rating], likes: Mapping[int, Sequence[Rating]], found: tuple[Values, Values]
) -> None:
    """Ask for the users of a part, and append their NDCG@10 and Recall@20 to what was found."""
    of_ndcg, of_recall = found
    with scratch_database() as engine:
        schema.migrate(engine)
        load_films(engine, data)
        Worker(engine, CachedEmbedder()).run_once(show)
        load_users(engine, [*known, *(of_user[0] for of_user in likes.values())])
        load_ratings(engine, known)
        analyze(engine)
        train(engine, progress=show)
        likes_of_item = Counter(rating.item_id for rating in known if rating.stars > LIKED)
        most_liked = sorted(likes_of_item, key=lambda item: (-likes_of_item[item], item))
        recorded = 0
        for count in COUNTS:
            load_ratings(engine, [rating for of_user in likes.values() for rating in of_user[recorded:count]])
            recorded = count
            asked = {method: ask(engine, likes, method, 20, progress=show).lists for method in METHODS}
            asked[MOST_LIKED] = {
                user: without(most_liked, {rating.item_id for rating in of_user[:count]})
                for user, of_user in likes.items()
            }
            for method, lists in asked.items():
                for user, of_user in likes.items():
                    wanted = {rating.item_id for rating in of_user[count:]}
                    of_ndcg[count, method].append(ndcg(lists[user], wanted, 10))
                    of_recall[count, method].append(recall(lists[user], wanted, 20))


def without(items: Sequence[int], seen: set[int]) -> list[int]:
    """The first of the items that are not seen."""
    return list(islice((item for item in items if item not in seen), LENGTH))


def analyze(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with ml-latest-small and tmdb")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (options.data / "ml-latest-small" / "ratings.csv.gz").exists():
        print(f"no data in {options.data}; name its folder, --data", file=sys.stderr)
        return 2
    ratings = read_ratings(options.data)
    users = np.unique([rating.user_id for rating in ratings])
    part = dict(
        zip(
            users.tolist(),
            np.random.default_rng(options.seed).permutation(len(users)) % PARTS,
            strict=True,
        )
    )
    likes: dict[int, list[Rating]] = defaultdict(list)
    for rating in ratings:
        if rating.stars > LIKED:
            likes[rating.user_id].append(rating)
    found: tuple[Values, Values] = defaultdict(list), defaultdict(list)
    for number in range(PARTS):
        run_part(
            options.data,
            [rating for rating in ratings if part[rating.user_id] != number],
            {u: each for u, each in likes.items() if part[u] == number and len(each) > max(COUNTS)},
            found,
        )
    return report(found)


def report(found: tuple[Values, Values]) -> int:
    rows, missed = [], []
    print(f"\r\033[K{'after':<7}{'method':<12}{'NDCG@10':>9}{'Recall@20':>11}{'users':>7}   hybrid ahead by")
    for count in COUNTS:
        hybrid = np.array(found[0][count, "hybrid"])
        for method in (*METHODS, MOST_LIKED):
            of_method = np.array(found[0][count, method])
            ahead = None if method == "hybrid" else estimate(hybrid - of_method)
            mean_recall = float(np.mean(found[1][count, method]))
            shown = f"   {ahead.mean:+.4f} ({ahead.low:+.4f} … {ahead.high:+.4f})" if ahead else ""
            print(
                f"{count:<7}{method:<12}{of_method.mean():>9.4f}{mean_recall:>11.4f}{len(of_method):>7}{shown}"
            )
            rows.append(
                {
                    "interactions": count,
                    "method": method,
                    "ndcg": float(of_method.mean()),
                    "recall": mean_recall,
                    "users": len(of_method),
                    "ahead": asdict(ahead) if ahead else None,
                }
            )
            if method in REFERENCES and ahead and ahead.low <= 0:
                missed.append(f"MISSED: after {count}, hybrid is not shown to be ahead of {method}.")
    print("\n".join(missed))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "new_users.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

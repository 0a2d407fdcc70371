"""The hybrid against every single method where the future is foretold from the past, by `evaluate`.

Everything that happened after a moment is the test, whoever did it. MovieLens latest-small, with the
overviews of TMDB where it has the film: few users come back after any moment, so it is divided at several.
Online Retail: once by what a customer had never bought, once by all purchases, repeated ones included.

Films also live: after each moment time goes on, and each user is asked when all until then is recorded.

    python benchmarks/by_time.py [--only films | shop] [--data DIR]

The data is not part of the project. Exit code 1: somewhere the hybrid is not shown to be ahead of a method.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cached_embedder import CachedEmbedder
from film_ratings import load_films, load_ratings, load_users, read_ratings
from gift_shop import load_shop
from methods import scratch_database, show
from quality import DATA
from server import RESULTS

from recsys_pg import schema
from recsys_pg.embedding import Worker
from recsys_pg.evaluation import Evaluation, Split, evaluate


@dataclass(frozen=True)
class Protocol:
    """What is loaded, and the evaluations of it: the split, the share of the likes in the test, repeats."""

    name: str
    folder: str
    load: Callable[[sa.Engine, Path], None]
    evaluations: tuple[tuple[Split, float, bool], ...]


def load_small(engine: sa.Engine, data: Path) -> None:
    load_films(engine, data)
    ratings = read_ratings(data)
    load_users(engine, ratings)
    load_ratings(engine, ratings)


SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
SPLITS: tuple[Split, ...] = ("time", "live")
PROTOCOLS = (
    Protocol(
        "films",
        "ml-latest-small",
        load_small,
        tuple((split, share, False) for split in SPLITS for share in SHARES),
    ),
    Protocol("shop", "online-retail", load_shop, (("time", 0.1, False), ("time", 0.1, True))),
)


def run(protocol: Protocol, data: Path, *, seed: int) -> list[Evaluation]:
    found = []
    with scratch_database() as engine:
        schema.migrate(engine)
        protocol.load(engine, data)
        Worker(engine, CachedEmbedder()).run_once(show)
        for split, share, repeats in protocol.evaluations:
            found.append(
                evaluate(engine, split=split, test_share=share, repeats=repeats, seed=seed, progress=show)
            )
            print_evaluation(protocol.name, found[-1])
    return found


def title(name: str, found: Evaluation) -> str:
    options = found.options
    what = "all purchases" if options.repeats else "what is new to a user"
    return f"{name} by {options.split}, {options.test_share:.0%} of the likes, {what}"


def print_evaluation(name: str, found: Evaluation) -> None:
    print(
        f"\r\033[K\n{title(name, found)}, since {found.split_at:%Y-%m-%d}: {found.sizes.asked_users:,} users,"
        f" {found.sizes.targets:,} targets"
    )
    print("sum: " + "  ".join(f"{t.operator} {t.decay:g} {t.weight:.3g}" for t in found.training.terms))
    print(f"{'':<12}{'NDCG@10':>9}{'Recall@20':>11}   hybrid ahead by")
    for row in found.methods:
        ahead = (
            ""
            if row.difference is None
            else (f"   {row.difference.mean:+.4f} ({row.difference.low:+.4f} … {row.difference.high:+.4f})")
        )
        print(f"{row.method:<12}{row.accuracy[0].ndcg:>9.4f}{row.accuracy[1].recall:>11.4f}{ahead}")
    for segment in found.segments:
        values = "  ".join(f"{method} {each[0].ndcg:.4f}" for method, each in segment.accuracy.items())
        print(f"  {segment.name} ({segment.users} users, {segment.targets} targets): {values}", flush=True)


def not_ahead(name: str, found: Evaluation) -> list[str]:
    return [
        f"{title(name, found)}: hybrid is not shown to be ahead of {row.method}"
        for row in found.methods
        if row.difference is not None and row.difference.low <= 0
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder with ml-latest-small, tmdb, online-retail"
    )
    parser.add_argument("--only", choices=[protocol.name for protocol in PROTOCOLS])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    missed = []
    for protocol in PROTOCOLS:
        if options.only in (None, protocol.name):
            if not (options.data / protocol.folder).exists():
                print(f"{protocol.name}: no data in {options.data}", file=sys.stderr)
                continue
            made = run(protocol, options.data, seed=options.seed)
            results[protocol.name] = [asdict(found) for found in made]
            missed += [each for found in made for each in not_ahead(protocol.name, found)]
    RESULTS.mkdir(exist_ok=True)
    for name, evaluations in results.items():
        text = json.dumps(evaluations, default=str, indent=1)
        (RESULTS / f"by_time_{name}.json").write_text(text + "\n")
    print("\n" + "\n".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

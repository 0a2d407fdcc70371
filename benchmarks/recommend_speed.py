"""Milliseconds of `recommend_for_user` in a large shop, filtered or not, and what else scale asks for.

The shop is that of recommend_data.py, its model of `recsys-pg train`. Measured are

- calls with each filter over one connection, beside a bare HNSW query of embeddings; and the share of ten
  rows that an exact computation over all items finds too
- the parts of a call
- calls a second with 1, 2, 4 and 8 connections, and how many of them waited for a lock
- with --switch: training and switching to another model under load, every result compared with what either
  model says

    python benchmarks/recommend_speed.py --items 1000000 --folder DIR

The first run on a folder makes the shop there (over an hour for a million items), later ones use it again.
Without a folder it is made in a temporary one.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from package_vectors import CACHE
from psycopg import sql
from recommend_data import Shop, make_shop
from recommend_load import switch, throughput
from recommend_shop import ShopDatabase, shop_server
from search_data import Floats, topic_name
from search_servers import machine
from server import RESULTS

from recsys_pg.collaborative.copying import copied_rows
from recsys_pg.collaborative.served import row_type

LENGTH = 10
TIE = 2e-3
"""Scores closer than this share of the best are a tie: targets are halves, and sums differ by their order."""
CALL = "select item_id from recsys_api.recommend_for_user(%(user)s, 10, {filter})"
BARE = "select i.id from recsys.items i order by i.embedding <=> %(taste)s::vector limit 10"
PARTS = {
    "what the user did": "select * from recsys_api._history(%(user)s)",
    "what to leave out": "select recsys_api._hidden_items(%(user)s, true)",
    "query vector": "select coalesce(f.query + m.query, f.query, m.query)"
    " from recsys_api._factor_query(%(model)s, %(decays)s, %(items)s, %(weights)s) f (query)"
    " cross join recsys_api._mean_query(%(model)s, %(weights)s) m (query)",
    "residuals": "select * from recsys_api._residual_scores(%(model)s, %(decays)s, %(items)s, %(weights)s)",
    "nearest targets": "select * from recsys_api._nearest_factors("
    "%(query)s::vector, 50, 15, recsys_api._exclude(null, %(hidden)s), %(model)s)",
    "reasons": "select * from recsys_api._contributions(%(items)s, %(weights)s, %(found)s)",
}


@dataclass(frozen=True)
class Filter:
    """A filter that passes about a share of the items: of what a user likes, or whatever he likes."""

    name: str
    sql: str
    level: float = 100
    of_taste: bool = False


FILTERS = (
    Filter("none", "null"),
    Filter("in stock (80 %)", "recsys_api.item_filter(in_stock => true)"),
    Filter("10 %, a topic of the user's", "recsys_api.item_filter(tags => array[%(topic)s])", 10, True),
    Filter("10 %, by price", "recsys_api.item_filter(max_price => %(price)s::numeric)", 10),
    Filter("1 %, a topic of the user's", "recsys_api.item_filter(categories => array[%(topic)s])", 1, True),
    Filter("1 %, by price", "recsys_api.item_filter(max_price => %(price)s::numeric)", 1),
    Filter("0.1 %, a topic of the user's", "recsys_api.item_filter(tags => array[%(topic)s])", 0.1, True),
    Filter("0.1 %, by price", "recsys_api.item_filter(max_price => %(price)s::numeric)", 0.1),
)


@dataclass(frozen=True)
class User:
    """Whom the benchmark asks for: history, query vector (384,), what residuals add by item, and taste."""

    id: int
    items: list[int]
    weights: list[float]
    query: Floats
    taste: Floats
    residuals: Mapping[int, float]
    hidden: list[int]
    liked: int
    """An item of the history, whose topics are the user's."""


class Measurement:
    """A shop with a model, and the users who are asked for."""

    def __init__(self, shop: Shop, database: ShopDatabase, n_users: int, seed: int) -> None:
        self._shop = shop
        self.connection = database.connection
        row = self.connection.execute(
            "select id, decays from recsys.models where purpose = 'collaborative' and is_active"
        ).fetchone()
        assert row is not None
        self.model, self.decays = row
        random = np.random.default_rng(seed)
        drawn = random.permutation(np.unique(shop.users))[: 2 * n_users]
        users = [self._user(int(user), random) for user in drawn]
        self.users = [user for user in users if user is not None][:n_users]

    def _user(self, user: int, random: np.random.Generator) -> User | None:
        history = self.connection.execute(
            "select item_id, weight from recsys_api._history(%s)", (user,)
        ).fetchall()
        items, weights = [row[0] for row in history], [row[1] for row in history]
        values = {
            "model": self.model,
            "decays": self.decays,
            "items": items,
            "weights": weights,
            "user": user,
        }
        (query,) = self.connection.execute(PARTS["query vector"], values).fetchone() or (None,)
        if query is None:
            return None
        (hidden,) = self.connection.execute(PARTS["what to leave out"], values).fetchone() or ([],)
        (taste,) = self.connection.execute(
            "select recsys_api._taste(%(items)s, %(weights)s)", values
        ).fetchone() or (None,)
        if taste is None:
            return None
        residuals = dict(self.connection.execute(PARTS["residuals"], values).fetchall())
        liked = int(random.choice(items))
        query, taste = (vector.to_numpy().astype(np.float32) for vector in (query, taste))
        return User(user, items, weights, query, taste, residuals, hidden, liked)

    @cached_property
    def targets(self) -> Floats:
        """Of every item of the shop, (n_items, 384)."""
        targets = np.zeros((self._shop.catalogue.rows, 384), np.float32)
        statement = sql.SQL(
            "copy (select model_id, item_id, target, history, is_learned from recsys.item_factors"
            " where model_id = {}) to stdout (format binary)"
        ).format(self.model)
        for rows in copied_rows(self.connection, statement, row_type(len(self.decays))):
            targets[rows["item_id"]["value"].astype(np.int64) - 1] = rows["target"]["value"]
        return targets

    def parameters(self, user: User, condition: Filter) -> dict[str, Any]:
        """Of the statement with this filter."""
        groups = self._shop.catalogue.groups
        level = condition.level
        topic = topic_name(level, int(groups[level][user.liked - 1])) if condition.of_taste else ""
        return {
            "user": user.id,
            "topic": topic,
            "price": self._highest_price(level),
            "query": user.query,
        }

    def _highest_price(self, level: float) -> float:
        return round(self._shop.catalogue.rows * level / 100) / 100

    def exact(self, user: User, condition: Filter) -> tuple[set[int], int]:
        """The items that score like one of the ten best or tie with it, and how many there can be."""
        scores = self.targets @ user.query
        for item, score in user.residuals.items():
            scores[item - 1] += score
        scores[np.array(user.hidden) - 1] = -np.inf
        scores[~self._passes(user, condition)] = -np.inf
        best = np.partition(scores, -LENGTH)[-LENGTH:]
        wanted = int((best > 0).sum())
        if not wanted:
            return set(), 0
        threshold = best[best > 0].min() - TIE * best.max()
        return set((np.flatnonzero(scores >= threshold) + 1).tolist()), wanted

    def _passes(self, user: User, condition: Filter) -> npt.NDArray[np.bool_]:
        catalogue = self._shop.catalogue
        if condition.of_taste:
            groups = catalogue.groups[condition.level]
            return groups == groups[user.liked - 1]
        if "price" in condition.sql:
            return catalogue.prices <= round(catalogue.rows * condition.level / 100)
        if "stock" in condition.sql:
            return self._shop.in_stock
        return np.ones(catalogue.rows, dtype=bool)

    def calls(self) -> dict[str, dict[str, float]]:
        """Milliseconds by filter, and recall@10; filters take turns, the first round warms the caches."""
        statements = {each.name: CALL.format(filter=each.sql) for each in FILTERS}
        times: dict[str, list[float]] = {name: [] for name in (*statements, "bare HNSW, ef 40", "ef 200")}
        recalls: dict[str, list[float]] = {name: [] for name in statements}
        for is_counted in (False, True):
            for user in self.users:
                for each in FILTERS:
                    parameters = self.parameters(user, each)
                    started = time.perf_counter()
                    rows = self.connection.execute(statements[each.name], parameters).fetchall()
                    elapsed = 1000 * (time.perf_counter() - started)
                    if is_counted:
                        times[each.name].append(elapsed)
                        continue
                    if len(rows) != LENGTH:
                        raise SystemExit(f"{each.name}, user {user.id}: {len(rows)} rows, not {LENGTH}.")
                    true, wanted = self.exact(user, each)
                    if wanted:
                        found = sum(row[0] in true for row in rows[:wanted])
                        recalls[each.name].append(found / wanted)
                for name, breadth in (("bare HNSW, ef 40", 40), ("ef 200", 200)):
                    self.connection.execute(f"set hnsw.ef_search = {breadth}")
                    started = time.perf_counter()
                    self.connection.execute(BARE, {"taste": user.taste}).fetchall()
                    times[name].append(1000 * (time.perf_counter() - started))
                    self.connection.execute("reset hnsw.ef_search")
        return {
            name: percentiles(values)
            | ({"recall": round(statistics.fmean(recalls[name]), 4)} if name in recalls else {})
            for name, values in times.items()
        }

    def parts(self) -> dict[str, dict[str, float]]:
        """Milliseconds of what an unfiltered call consists of, each called by itself."""
        times: dict[str, list[float]] = {name: [] for name in PARTS}
        for user in self.users:
            values = {
                "user": user.id,
                "model": self.model,
                "decays": self.decays,
                "items": user.items,
                "weights": user.weights,
                "query": user.query,
                "hidden": user.hidden,
                "found": [
                    row[0] for row in self.connection.execute(CALL.format(filter="null"), {"user": user.id})
                ],
            }
            for name, statement in PARTS.items():
                started = time.perf_counter()
                self.connection.execute(statement, values).fetchall()
                times[name].append(1000 * (time.perf_counter() - started))
        return {name: percentiles(values) for name, values in times.items()}


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and the largest."""
    ordered = sorted(milliseconds)
    return {
        "p50": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(len(ordered) * 0.95)], 2),
        "max": round(ordered[-1], 2),
    }


def show(result: Mapping[str, Any]) -> None:
    """The tables."""
    print(f"\n{'filter':<30}{'p50':>8}{'p95':>8}{'max':>8}  ms   recall@10")
    for name, row in result["calls"].items():
        print(
            f"{name:<30}{row['p50']:>8.2f}{row['p95']:>8.2f}{row['max']:>8.2f}       {row.get('recall', '')}"
        )
    print()
    for name, row in result["parts"].items():
        print(f"{name:<30}{row['p50']:>8.2f}{row['p95']:>8.2f}{row['max']:>8.2f}")
    print()
    for clients, row in result["throughput"].items():
        print(f"{clients} connections: {row}")
    if "switch" in result:
        print(f"\nswitch under load: {result['switch']}")


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file says, or what has now been made and written there."""
    if not path.exists():
        made = make()
        print(made, flush=True)
        path.write_text(json.dumps(made, indent=1) + "\n")
    return json.loads(path.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--items", type=int, default=100_000)
    add("--interactions", type=int, default=10_000_000)
    add("--mean-steps", type=int, default=20, help="interactions of a user, on average")
    add("--real", type=int, default=10_000, help="items with texts of their own; beyond, copies with noise")
    add("--memory-gb", type=float, default=8.0, help="of training")
    add("--folder", type=Path, help="keep the shop here, or use the one that is here")
    add("--users", type=int, default=100, help="users that are asked for")
    add("--seconds", type=int, default=10, help="of each number of connections")
    add("--switch", action="store_true", help="train another model under load")
    add("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="recsys_benchmark_") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        shop = make_shop(
            options.items,
            options.interactions,
            mean_steps=options.mean_steps,
            real=options.real,
            cache=folder,
            seed=options.seed,
        )
        with shop_server(folder, options.items) as server:
            database = ShopDatabase(shop, server.url)
            made = {
                "seconds": once(folder / "filled.json", database.fill),
                "training": once(
                    folder / "trained.json", partial(database.train, options.memory_gb, options.seed)
                ),
            }
            database.open()
            measurement = Measurement(shop, database, options.users, options.seed)
            result: dict[str, Any] = {
                "machine": machine(),
                "versions": database.version(),
                "items": options.items,
                "interactions": options.interactions,
                "users": int(shop.users.max()),
                "history_p50_p95": [
                    float(np.percentile([len(user.items) for user in measurement.users], p)) for p in (50, 95)
                ],
                "made": made,
                "calls": measurement.calls(),
                "parts": measurement.parts(),
                "throughput": throughput(
                    database.connection,
                    database.url,
                    server.bin_dir / "pgbench",
                    int(shop.users.max()),
                    options.seconds,
                ),
            }
            if options.switch:
                result["switch"] = switch(
                    database.connection,
                    database.url,
                    [user.id for user in measurement.users[:20]],
                    partial(database.train, options.memory_gb, options.seed + 1),
                )
            database.close()
    show(result)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"recommend_speed_{options.items}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

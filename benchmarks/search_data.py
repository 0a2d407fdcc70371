"""The catalogue, the queries and the filters of the search benchmark, and what is true for each.

Rows are real packages (package_vectors.py); beyond REAL_ROWS they are real vectors with noise. Queries are
real packages that are no rows. Every item has a topic at each selectivity below 100 %: the catalogue is cut
in two along the direction between two centres (2-means), again and again, until the groups have exactly the
wanted share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import package_vectors

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Kind = Literal["correlated", "independent", "anti-correlated"]

LENGTH = 10
"""Of the lists: recall@10."""
SELECTIVITIES = (100.0, 50.0, 16.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.01)
CATEGORY_LEVEL = 1.0
"""The topics of this selectivity, a hundred, are the items' categories; those of the others are tags."""
KINDS: tuple[Kind, ...] = ("correlated", "independent", "anti-correlated")
REAL_ROWS = 290_000
NOISE = 0.02
"""Standard deviation of a component of the noise: a copy has a cosine of .93 with its original.

With less, copies are duplicates; with more, none of them is ever near a query. 60,000 real rows and 140,000
copies have their tenth nearest to a query at a cosine of .546, 200,000 real rows at .565, 60,000 at .524.
"""
TIE = 1e-6
"""Similarities closer than this are a tie: engines add floats in different orders."""


@dataclass(frozen=True)
class Condition:
    """What one search asks of the items: nothing, a topic (a category or a tag), or a price."""

    column: Literal["none", "category", "tag", "price"]
    level: float = 100.0
    group: int = -1
    max_price: Decimal | None = None

    @property
    def topic(self) -> str:
        return topic_name(self.level, self.group)


@dataclass(frozen=True)
class Cell:
    """One row of the table: a condition for every query, and the cosine of the last true one of its ten."""

    selectivity: float
    kind: Kind | Literal["unfiltered"]
    conditions: list[Condition]
    passing: Integers
    threshold: Floats
    near_share: float
    """Share of the nearest 100 of all items that pass, mean of the queries: how correlated the filter is."""

    @property
    def name(self) -> str:
        return f"{self.selectivity:g} % {self.kind}"


@dataclass(frozen=True)
class Catalogue:
    """Items 1 … n with vectors of unit length, a price each, a group at each level; and the queries."""

    vectors: Floats
    titles: list[str]
    descriptions: list[str]
    prices: Integers
    groups: dict[float, Integers]
    queries: Floats
    noise: float
    """NOISE with rows beyond REAL_ROWS, else 0."""

    @property
    def rows(self) -> int:
        return len(self.vectors)

    @cached_property
    def similarities(self) -> Floats:
        """Cosine of every query with every item, (n_queries, n)."""
        return self.queries @ self.vectors.T

    @cached_property
    def nearest(self) -> Integers:
        """Positions of the 100 items nearest to every query, nearest first, (n_queries, 100)."""
        rows = []
        for similarity in self.similarities:
            best = np.argpartition(-similarity, 100)[:100]
            rows.append(best[np.argsort(-similarity[best])])
        return np.array(rows)

    @cached_property
    def _centers(self) -> dict[float, Floats]:
        centers = {}
        for level, groups in self.groups.items():
            order = np.argsort(groups, kind="stable")
            starts = np.searchsorted(groups[order], np.arange(group_count(level)))
            centers[level] = np.add.reduceat(self.vectors[order], starts, axis=0)
        return centers

    def price(self, item: int) -> Decimal:
        """The price of the item at this position."""
        return Decimal(int(self.prices[item])) / 100

    def tags(self, item: int) -> list[str]:
        """The topics of the item at this position, but for its category."""
        return [
            topic_name(level, int(groups[item]))
            for level, groups in self.groups.items()
            if level != CATEGORY_LEVEL
        ]

    def category(self, item: int) -> str:
        """The category of the item at this position."""
        return topic_name(CATEGORY_LEVEL, int(self.groups[CATEGORY_LEVEL][item]))

    def passes(self, condition: Condition) -> npt.NDArray[np.bool_]:
        """Which items meet the condition, (n,)."""
        if condition.max_price is not None:
            return self.prices <= int(condition.max_price * 100)
        if condition.column == "none":
            return np.ones(self.rows, dtype=bool)
        return self.groups[condition.level] == condition.group

    def cells(self, selectivities: Sequence[float]) -> Iterator[Cell]:
        """Every kind at these selectivities; 100 % once, since no filter is the same for all kinds."""
        for selectivity in selectivities:
            if selectivity == 100:
                yield self._cell(100.0, "unfiltered", [Condition("none")] * len(self.queries))
                continue
            for kind in KINDS:
                yield self._cell(selectivity, kind, self._conditions(selectivity, kind))

    def _conditions(self, selectivity: float, kind: Kind) -> list[Condition]:
        queries = len(self.queries)
        if kind == "independent":
            cheapest = round(self.rows * selectivity / 100)
            return [Condition("price", max_price=Decimal(cheapest) / 100)] * queries
        column: Literal["category", "tag"] = "category" if selectivity == CATEGORY_LEVEL else "tag"
        full = int(100 / selectivity + 1e-9)  # the last group may hold less than the share
        if kind == "correlated":
            chosen = [int(row[row < full][0]) for row in self.groups[selectivity][self.nearest]]
        else:
            scores = self.queries @ self._centers[selectivity][:full].T
            farthest = np.argsort(scores, axis=1)[:, : max(1, full // 10)]
            picks = np.random.default_rng(1).integers(0, farthest.shape[1], queries)
            chosen = [int(farthest[query, pick]) for query, pick in enumerate(picks)]
        return [Condition(column, selectivity, group) for group in chosen]

    def _cell(
        self, selectivity: float, kind: Kind | Literal["unfiltered"], conditions: list[Condition]
    ) -> Cell:
        passing, threshold, near = [], [], []
        for query, condition in enumerate(conditions):
            similarity = self.similarities[query]
            passes = self.passes(condition)
            among = similarity[passes]
            passing.append(len(among))
            rank = min(LENGTH, len(among))
            threshold.append(np.partition(among, len(among) - rank)[len(among) - rank])
            near.append(passes[self.nearest[query]].mean())
        return Cell(
            selectivity,
            kind,
            conditions,
            np.array(passing),
            np.array(threshold, np.float32),
            float(np.mean(near)),
        )

    def recall(self, cell: Cell, query: int, item_ids: list[int]) -> float:
        """Share of the true nearest items that were found. Ends the run if a row must not be there."""
        positions = np.array(item_ids, dtype=np.int64) - 1
        wanted = min(LENGTH, int(cell.passing[query]))
        if len(set(item_ids)) < len(item_ids) or len(item_ids) > wanted:
            raise SystemExit(
                f"{cell.name}, query {query}: {len(item_ids)} rows {sorted(item_ids)}, not {wanted}."
            )
        if not self.passes(cell.conditions[query])[positions].all():
            raise SystemExit(f"{cell.name}, query {query}: a returned item does not pass the filter.")
        return float((self.similarities[query][positions] >= cell.threshold[query] - TIE).sum() / wanted)


def topic_name(level: float, group: int) -> str:
    """The category or tag of a group."""
    return f"topic-{level:g}-{group}"


def group_count(level: float) -> int:
    """How many groups of this percentage there are; the last may be smaller than the others."""
    return int(np.ceil(100 / level - 1e-9))


def load(rows: int, n_queries: int, cache: Path, *, real_rows: int = REAL_ROWS) -> Catalogue:
    """The catalogue of so many rows; topics are read from the cache if they are there, or written to it."""
    real = min(rows, real_rows)
    packages = package_vectors.load(min(300_000, -(-real // 10_000) * 10_000 + 10_000))
    random = np.random.default_rng(0)
    base = np.concatenate([np.arange(real), random.integers(0, real, rows - real)])
    vectors = packages.vectors[base]
    noise = 0.0
    if rows > real:
        noise = NOISE
        for start in range(real, rows, 100_000):
            part = vectors[start : start + 100_000]
            part += random.normal(0, noise, part.shape).astype(np.float32)
            part /= np.linalg.norm(part, axis=1, keepdims=True)
    held_out = slice(len(packages.vectors) - n_queries, len(packages.vectors))
    topics = cache / "topics.npz"
    if topics.exists():
        groups = {float(level): array for level, array in np.load(topics).items()}
    else:
        groups = _groups(vectors)
        np.savez(topics, **{f"{level:g}": array for level, array in groups.items()})
    return Catalogue(
        vectors,
        [packages.names[i] for i in base],
        [packages.summaries[i] for i in base],
        random.permutation(rows).astype(np.int64) + 1,
        groups,
        packages.vectors[held_out],
        noise,
    )


def _groups(vectors: Floats) -> dict[float, Integers]:
    random = np.random.default_rng(2)
    sample = vectors[random.choice(len(vectors), min(len(vectors), 20_000), replace=False)]
    _, _, components = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
    points = vectors @ components[:64].T
    groups = {}
    for level in SELECTIVITIES[1:]:
        bounds = [
            min(len(points), round(len(points) * level / 100 * group)) for group in range(group_count(level))
        ]
        groups[level] = _cut(points, [*bounds, len(points)], random)
    return groups


def _cut(points: Floats, bounds: list[int], random: np.random.Generator) -> Integers:
    """Groups of the sizes between the bounds, by cutting in two, again and again, between two centres."""
    groups = np.empty(len(points), dtype=np.int64)
    open_parts = [(np.arange(len(points)), 0, len(bounds) - 1)]
    while open_parts:
        members, first, last = open_parts.pop()
        if last - first == 1:
            groups[members] = first
            continue
        middle = (first + last) // 2
        direction = _direction(points[random.choice(members, min(len(members), 1000), replace=False)])
        order = np.argpartition(points[members] @ direction, bounds[middle] - bounds[first])
        open_parts.append((members[order[: bounds[middle] - bounds[first]]], first, middle))
        open_parts.append((members[order[bounds[middle] - bounds[first] :]], middle, last))
    return groups


def _direction(points: Floats) -> Floats:
    """From one centre to the other of 2-means."""
    first = points[0]
    second = points[np.argmax(((points - first) ** 2).sum(axis=1))]
    for _ in range(8):
        nearer = points @ (second - first) > (second @ second - first @ first) / 2
        if nearer.all() or not nearer.any():
            break
        first, second = points[~nearer].mean(axis=0), points[nearer].mean(axis=0)
    return second - first

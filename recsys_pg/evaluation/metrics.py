"""Metrics of one ranked list against the items that were relevant, each as it is usually defined.

All are from 0 to 1, and 1 is best. All look at the first k of the list; an empty list gives 0. The items of a
list must differ. Each raises InvalidArgumentError where nothing is relevant, so that no list is better than
another, and where k is below 1.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from recsys_pg.errors import InvalidArgumentError

Metric: TypeAlias = Callable[[Sequence[int], Collection[int], int], float]


def ndcg(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """Normalized discounted cumulative gain with binary relevance: hits count more the higher they stand.

    DCG@k = Σ rel(r) / log2(r + 1) over the ranks r = 1 … k, divided by the DCG of a perfect list, which has
    min(k, |relevant|) relevant items in front (Järvelin and Kekäläinen, ACM TOIS 2002).

    >>> ndcg([7, 5, 9], {5}, k=10)  # 1 / log2(3)
    0.6309297535714575
    >>> ndcg([1, 2, 3], {1, 2, 3, 4}, k=3)
    1.0
    >>> ndcg([], {1}, k=10)
    0.0
    """
    _check(relevant, k)
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked[:k], start=1) if item in relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / best


def recall(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """The share of the relevant items that are found: |first k ∩ relevant| / |relevant|.

    With more relevant items than k, 1 is out of reach.

    >>> recall([7, 5, 9], {5, 8}, k=2)
    0.5
    >>> recall([], {1}, k=20)
    0.0
    """
    _check(relevant, k)
    return sum(item in relevant for item in ranked[:k]) / len(relevant)


def average_precision(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """The mean of the precisions at the ranks of the hits; its mean over users is MAP.

    Σ P(r) · rel(r) / min(k, |relevant|) over the ranks r = 1 … k, where P(r) is the share of hits in the
    first r (Manning, Raghavan and Schütze, Introduction to Information Retrieval, section 8.4; cut at k).

    >>> average_precision([7, 5, 9, 8], {5, 8}, k=4)  # (1/2 + 2/4) / 2
    0.5
    >>> average_precision([1, 2], {1, 2, 3}, k=2)
    1.0
    """
    _check(relevant, k)
    hits, precisions = 0, 0.0
    for rank, item in enumerate(ranked[:k], start=1):
        if item in relevant:
            hits += 1
            precisions += hits / rank
    return precisions / min(k, len(relevant))


def reciprocal_rank(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """1 / r of the first hit's rank r, 0 without one; its mean over users is MRR.

    >>> reciprocal_rank([7, 5, 8], {5, 8}, k=3)
    0.5
    >>> reciprocal_rank([7, 5, 8], {8}, k=2)
    0.0
    """
    _check(relevant, k)
    return next((1 / rank for rank, item in enumerate(ranked[:k], start=1) if item in relevant), 0.0)


def hit(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """1 if anything relevant is found, else 0; its mean over users is the hit rate.

    >>> hit([7, 5, 9], {5, 8}, k=2)
    1.0
    >>> hit([7, 5, 9], {8}, k=3)
    0.0
    """
    _check(relevant, k)
    return float(any(item in relevant for item in ranked[:k]))


def _check(relevant: Collection[int], k: int) -> None:
    if not relevant:
        raise InvalidArgumentError("No item is relevant.", "Leave users without relevant items out.")
    if k < 1:
        raise InvalidArgumentError(f"k is {k}.", "Pass the length of the list, 1 or more.")

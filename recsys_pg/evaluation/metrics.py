"""Metrics of one ranked list against the items that were relevant, each as it is usually defined."""

import math
from collections.abc import Collection, Sequence

from recsys_pg.errors import InvalidArgumentError


def ndcg(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """Normalized discounted cumulative gain of the first k, with binary relevance: 0 to 1, 1 is best.

    DCG@k = Σ rel(r) / log2(r + 1) over the ranks r = 1 … k, divided by the DCG of a perfect list, which has
    min(k, |relevant|) relevant items in front (Järvelin and Kekäläinen, ACM TOIS 2002). An empty list gives
    0. Items of ranked must differ.

    >>> ndcg([7, 5, 9], {5}, k=10)  # 1 / log2(3)
    0.6309297535714575
    >>> ndcg([1, 2, 3], {1, 2, 3, 4}, k=3)
    1.0
    >>> ndcg([], {1}, k=10)
    0.0

    Raises:
        InvalidArgumentError: nothing is relevant, so that no list is better than another; or k is below 1.
    """
    _check(relevant, k)
    gain = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked[:k], start=1) if item in relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / best


def recall(ranked: Sequence[int], relevant: Collection[int], k: int) -> float:
    """The share of the relevant items that are among the first k: 0 to 1, 1 is best.

    |first k ∩ relevant| / |relevant|; with more relevant items than k, 1 is out of reach. An empty list gives
    0. Items of ranked must differ.

    >>> recall([7, 5, 9], {5, 8}, k=2)
    0.5
    >>> recall([], {1}, k=20)
    0.0

    Raises:
        InvalidArgumentError: nothing is relevant, or k is below 1.
    """
    _check(relevant, k)
    return sum(item in relevant for item in ranked[:k]) / len(relevant)


def _check(relevant: Collection[int], k: int) -> None:
    if not relevant:
        raise InvalidArgumentError("No item is relevant.", "Leave users without relevant items out.")
    if k < 1:
        raise InvalidArgumentError(f"k is {k}.", "Pass the length of the list, 1 or more.")

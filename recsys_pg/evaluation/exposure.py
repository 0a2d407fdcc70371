"""What all lists together show of the catalogue, whether or not it is what people wanted."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from statistics import fmean

import numpy as np
import numpy.typing as npt


def coverage(lists: Collection[Sequence[int]], items: int) -> float:
    """The share of the catalogue, of so many items, that is in any of the lists.

    >>> coverage([[1, 2], [2, 3]], items=6)
    0.5
    """
    return len(set(chain.from_iterable(lists))) / items


def gini(lists: Collection[Sequence[int]], items: int) -> float:
    """The Gini coefficient of how often items are shown: 0 if equally often, towards 1 if always the same.

    Σ (2i - n - 1) · x_i / (n · Σ x_i), with x_1 ≤ … ≤ x_n how often each of the n items of the catalogue is
    in a list, those that never are included (Damgaard and Weiner, Ecology 2000). 0 where nothing is shown.

    >>> gini([[1, 2], [3, 4]], items=4)
    0.0
    >>> gini([[1], [1]], items=4)  # (n - 1) / n
    0.75
    """
    shown = sorted(Counter(chain.from_iterable(lists)).values())
    total = sum(shown)
    if not total:
        return 0.0
    first = items - len(shown)  # those that are never shown come first, and add nothing
    weighted = sum((2 * (first + place) - items - 1) * times for place, times in enumerate(shown, start=1))
    return weighted / (items * total)


def novelty(lists: Collection[Sequence[int]], known_by: Mapping[int, int], users: int) -> float:
    """How unknown the listed items are, in bits: the mean of -log2 of the share of the users who know each.

    The mean over the lists of the mean over their items (self-information, Zhou et al., PNAS 2010). An item
    that nobody knows counts as known by one. 0 without any items.

    >>> novelty([[1, 2]], {1: 8, 2: 2}, users=8)  # (0 + 2) / 2
    1.0
    """
    return _mean([[-math.log2(max(known_by.get(item, 0), 1) / users) for item in each] for each in lists])


def cold_share(lists: Collection[Sequence[int]], known_by: Mapping[int, int]) -> float:
    """The share of the listed items that nobody has interacted with yet, the mean over the lists.

    >>> cold_share([[1, 2], [1, 3]], {1: 8, 2: 2})
    0.25
    """
    return _mean([[float(not known_by.get(item)) for item in each] for each in lists])


def diversity(embeddings: npt.NDArray[np.floating]) -> float | None:
    """How different the items of one list are in content: 1 less the mean cosine of its pairs.

    The intra-list diversity (Ziegler et al., WWW 2005): 0 if all are the same, 1 if nothing is common.

    >>> diversity(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))  # cosines 0, 1, 0
    0.6666666666666667

    Args:
        embeddings: (n, d), rows of unit length; a row of NaN is an item without one, and left out.

    Returns:
        None for fewer than two embeddings.
    """
    known = embeddings[~np.isnan(embeddings).any(axis=1)].astype(np.float64)
    n = len(known)
    if n < 2:
        return None
    # the squared length of the sum holds each pair twice, and each item with itself
    total = float(np.square(known.sum(axis=0)).sum() - np.square(known).sum())
    return 1 - total / (n * (n - 1))


def _mean(lists: Collection[Sequence[float]]) -> float:
    means = [fmean(each) for each in lists if each]
    return fmean(means) if means else 0.0

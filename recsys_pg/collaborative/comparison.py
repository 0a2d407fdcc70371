"""Whether a model recommends better than another, by what people went on to like."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.bootstrap import estimate
from recsys_pg.collaborative.mixture import LENGTH
from recsys_pg.collaborative.operators.operator import Floats

LEAST_USERS = 50
"""Users below which a difference of two models says nothing."""

_LEAST_GAIN = 0.01
"""Relative, in NDCG."""
_STANDARD_ERRORS = 3.0
"""Of a difference, by which one of about a dozen that are tried is better than by chance."""

_ROWS = 64
_ENTRIES = 25_000_000
"""Scores of all items that are looked at together."""


@dataclass(frozen=True)
class Comparison:
    """The mean NDCG@20 of a new model and of the active one for the same users.

    low and high bound the mean difference, new less active: the 95 % interval of the paired bootstrap over
    users.
    """

    users: int
    ndcg: float
    active_ndcg: float
    low: float
    high: float

    @property
    def is_worse(self) -> bool:
        """Whether the new model is worse beyond doubt: the whole interval is below 0."""
        return self.high < 0


def compare(
    new: npt.NDArray[np.float64], active: npt.NDArray[np.float64], *, seed: int = 0
) -> Comparison | None:
    """Compare the NDCG of two models, (n_users,) each; None for too few users to tell."""
    if len(new) < LEAST_USERS:
        return None
    difference = estimate(new - active, seed=seed)
    return Comparison(len(new), float(new.mean()), float(active.mean()), difference.low, difference.high)


def best_beyond_chance(ndcg: npt.NDArray[np.float64]) -> int:
    """The row of (n_tried, n_users) of the highest mean; 0 where it beats the first by chance alone."""
    means = ndcg.mean(axis=1)
    best = int(np.argmax(means))
    more = ndcg[best] - ndcg[0]
    least = max(_LEAST_GAIN * means[0], _STANDARD_ERRORS * more.std() / np.sqrt(ndcg.shape[1]))
    return best if more.mean() > least else 0


def users_at_once(n_items: int, most: int = 100) -> int:
    """Of how many users all items are scored together, so that it takes 100 MB an array at most."""
    return max(1, min(most, _ENTRIES // n_items))


def ndcg_of_users(
    scores: Floats, seen: csr_array[np.float32], targets: csr_array[np.float32]
) -> npt.NDArray[np.float64]:
    """(n_users,) NDCG@20 of all items ranked by scores, (n_users, n_items), without what was seen.

    targets is (n_users, n_items), at least one in each row and none of it seen. An item among k equals is at
    the mean of their places.
    """
    rows, columns = targets.nonzero()
    at_once = users_at_once(scores.shape[1], _ROWS)
    opened = scores.copy()
    opened[seen.nonzero()] = -np.inf
    of_targets = opened[rows, columns][:, None]
    places = np.concatenate(
        [
            (part > value).sum(axis=1) + ((part == value).sum(axis=1) - 1) / 2
            for part, value in (
                (opened[rows[start : start + at_once]], of_targets[start : start + at_once])
                for start in range(0, len(rows), at_once)
            )
        ]
    )
    gains = np.where(places < LENGTH, 1 / np.log2(places + 2), 0)
    best = np.cumsum(1 / np.log2(np.arange(2, LENGTH + 2)))
    relevant = np.diff(targets.indptr)
    total = np.bincount(rows, gains, len(relevant))
    ndcg: npt.NDArray[np.float64] = total / best[np.minimum(relevant, LENGTH) - 1]
    return ndcg

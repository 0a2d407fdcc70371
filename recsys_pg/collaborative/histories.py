"""What is known of each user at a moment, as recsys_api._history gives it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.log import InteractionLog

SAMPLE = 20_000
"""Histories that stand for all that people may have."""

SMALLEST_FACTOR = 0.01
"""Decay at which an item of a history no longer counts."""


@dataclass(frozen=True)
class Histories:
    """The distinct items of each user's history, latest first, with what each says.

    users, items and ages are (n,) int32: position of the user, position of the item, how many other items
    came after it; weights is (n,) float32, -1 to 1 and not 0. side is 1 where only what is liked counts, -1
    where only what is disliked does, and 0 where all does.
    """

    n_users: int
    n_items: int
    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    ages: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    side: int = 0

    def of(self, chosen: npt.NDArray[np.intp]) -> "Histories":
        """The histories of some users, ascending, numbered anew from 0."""
        number = np.full(self.n_users, -1, dtype=np.int32)
        number[chosen] = np.arange(len(chosen))
        kept = number[self.users] >= 0
        return Histories(
            len(chosen),
            self.n_items,
            number[self.users[kept]],
            self.items[kept],
            self.ages[kept],
            self.weights[kept],
            self.side,
        )

    def decayed(self, decay: float) -> csr_array[np.float32]:
        """(n_users, n_items): weight · decay^steps / √(Σ |weight| · decay^steps), as recsys_api._shares.

        What has decayed below a hundredth is left out. The sum is over all, whatever the side.
        """
        factors = np.float64(decay) ** steps(self.ages)
        kept = factors >= SMALLEST_FACTOR
        users, weights = self.users[kept], (self.weights * factors)[kept]
        totals = np.bincount(users, np.abs(weights), self.n_users)
        weights /= np.sqrt(totals)[users]
        weights[weights * self.side < 0] = 0
        starts = np.searchsorted(users, np.arange(self.n_users + 1))
        matrix = csr_array(
            (weights.astype(np.float32), self.items[kept], starts), (self.n_users, self.n_items)
        )
        matrix.sort_indices()
        return matrix


def served(
    scores: Callable[[Histories], npt.NDArray[np.float32]], known: Histories
) -> npt.NDArray[np.float32]:
    """(n_users, n_items): what scores says of what is liked, and of what is disliked where that is below 0.

    A dislike speaks against items, never for one.
    """
    if not (known.weights < 0).any():
        return scores(known)
    total = scores(replace(known, side=1))
    total += np.minimum(0, scores(replace(known, side=-1)))
    return total


@dataclass(frozen=True)
class MeanQuery:
    """What the query of somebody who likes something begins with: (dimensions,) times `fading_shares`."""

    query: npt.NDArray[np.float32]
    fade: float

    def queries(self, histories: Histories) -> npt.NDArray[np.float32]:
        """(n_users, dimensions), what is added to the queries of these histories; nothing of dislikes."""
        if histories.side < 0:
            return np.zeros((histories.n_users, len(self.query)), np.float32)
        return fading_shares(histories, self.fade)[:, None] * self.query


def fading_shares(histories: Histories, fade: float) -> npt.NDArray[np.float32]:
    """(n_users,) 2^(−Σ|weight| / fade): the less, the more is known; 0 for who likes nothing."""
    totals = np.bincount(histories.users, np.abs(histories.weights), histories.n_users)
    likes = np.bincount(histories.users, histories.weights > 0, histories.n_users)
    return np.where(likes > 0, np.exp2(-np.minimum(100, totals / fade)), 0).astype(np.float32)


def steps(ages: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """What an age counts as: itself below 8, above that the beginning of its quarter of an octave.

    So a history of 200 items has at most 27 weights a kind, and the database adds up the vectors of each
    before it multiplies them, which is most of the work.

    >>> steps(np.array([0, 7, 8, 9, 10, 15, 16, 19, 20, 199])).tolist()
    [0, 7, 8, 8, 10, 14, 16, 16, 20, 192]
    """
    unit = 2 ** np.maximum(0, np.log2(ages + 0.5).astype(np.int32) - 2)
    counted: npt.NDArray[np.int32] = (ages // unit * unit).astype(np.int32)
    return counted


def histories(log: InteractionLog) -> Histories:
    """The history of every user that occurs in the log, after the last interaction, in the order of users."""
    return histories_at(log, np.flatnonzero(np.diff(log.users, append=-1)))


def sampled_histories(log: InteractionLog, n: int = SAMPLE, *, seed: int = 0) -> Histories:
    """Histories as they were at n moments that are drawn among all interactions, or at all of fewer."""
    moments = np.arange(len(log))
    if len(moments) > n:
        moments = np.sort(np.random.default_rng(seed).choice(moments, n, replace=False))
    return histories_at(log, moments)


def histories_at(log: InteractionLog, moments: npt.NDArray[np.int64]) -> Histories:
    """The history of the user of each of the given interactions, as it was after that one.

    Made of the latest interactions, log.history_length of them.

    Args:
        log: what happened.
        moments: (n,) positions in the log; the n-th history is of the n-th.
    """
    starts = np.maximum(np.searchsorted(log.users, log.users[moments]), moments - log.history_length + 1)
    lengths = moments - starts + 1
    users = np.repeat(np.arange(len(moments)), lengths)
    events = np.arange(len(users)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths)
    items = log.items[events]
    # by user and item, the last interaction of each pair at the end of its run
    order = np.lexsort((events, items, users))
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = (np.diff(users[order]) != 0) | (np.diff(items[order]) != 0)
    totals = np.bincount(np.cumsum(is_last) - is_last, log.weights[events[order]].astype(np.float64))
    # rounded as in SQL, so that what cancels out is 0
    totals = np.clip(np.round(totals, 6), -1, 1)
    last = order[is_last][totals != 0]
    latest_first = np.lexsort((-events[last], users[last]))
    users, items = users[last][latest_first], items[last][latest_first]
    ages = np.arange(len(users)) - np.searchsorted(users, users)
    return Histories(
        len(moments),
        len(log.item_ids),
        users.astype(np.int32),
        items,
        ages.astype(np.int32),
        totals[totals != 0][latest_first].astype(np.float32),
    )

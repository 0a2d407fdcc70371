"""What people like lately counts more: a shop sells by the season, and what sold last winter sells no more.

A score says how well an item goes with somebody's past, at whatever time. It is multiplied by how much of
what is liked lately is this item, against its share of all, to a power. The powers and what lately means are
chosen by what people went on to like; where times make no difference, nothing is multiplied.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys_pg.collaborative.comparison import best_beyond_chance, ndcg_of_users, users_at_once
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.mixture import Mixture, scores_of
from recsys_pg.collaborative.operators.operator import Floats, Scorer, Sparse
from recsys_pg.collaborative.shortlist import Shortlist
from recsys_pg.types import Progress

_WINDOWS = (0.25, 0.1, 0.05)
_EXPONENTS = (0.25, 0.5, 0.75, 1.0)
_SMOOTHING = 5.0
"""Likes by which an item counts as liked lately as ever."""


@dataclass(frozen=True)
class Trend:
    """score · ((l + 5 w) / (w (n + 5)))^exponent for an item of n likes, l of them among the latest.

    window is w, the share of all likes that is the latest.
    """

    window: float
    exponent: float

    def gains(self, log: InteractionLog) -> Floats:
        """(n_items,) what scores are multiplied by, 1 for items that are liked lately as ever."""
        return _lately(log, self.window) ** np.float32(self.exponent)


@dataclass(frozen=True)
class Gaining:
    """A scorer whose scores are multiplied by gains, (n_items,)."""

    scorer: Scorer
    gains: Floats

    def scores(self, histories: Sparse) -> Floats:
        """(n_users, n_items) of weights in, of scores out."""
        scores = self.scorer.scores(histories)
        scores *= self.gains
        return scores


def choose_trend(
    mixture: Mixture, operators: Mapping[str, Scorer], holdout: Holdout, progress: Progress
) -> Trend | None:
    """The trend that ranks best what was held out; None where that is no better than none, or by chance.

    Where all happened at one time, nothing is weighed.
    """
    if np.ptp(holdout.learned.times) == 0:
        return None
    trends = [Trend(window, exponent) for window in _WINDOWS for exponent in _EXPONENTS]
    gains = [trend.gains(holdout.learned) for trend in trends]
    asked = np.flatnonzero(np.diff(holdout.targets.indptr))
    ndcg = np.zeros((1 + len(trends), len(asked)))
    # as many scores at once as the other comparisons have, which rank three or four ways
    batch = users_at_once(holdout.targets.shape[1] * len(trends) // 3)
    for start in range(0, len(asked), batch):
        users = asked[start : start + batch]
        scores = scores_of(mixture, operators, holdout.histories.of(users))
        seen, wanted = holdout.seen[users].toarray() > 0, holdout.targets[users].toarray() > 0
        shortlist = Shortlist.of([scores, *(scores * gain for gain in gains)], wanted, seen=seen)
        of_items = shortlist.part_of(scores)
        part = slice(start, start + len(users))
        ndcg[0, part] = ndcg_of_users(of_items, *shortlist.sparse)
        for row, gain in enumerate(gains, start=1):
            ndcg[row, part] = ndcg_of_users(of_items * gain[shortlist.items], *shortlist.sparse)
        progress("weigh what is liked lately", start + len(users), len(asked))
    best = best_beyond_chance(ndcg)
    return trends[best - 1] if best else None


def _lately(log: InteractionLog, window: float) -> Floats:
    """(n_items,) the share of the latest likes that an item has, over its share of all."""
    liked = log.weights > 0
    is_late = liked & (log.times >= np.quantile(log.times[liked], 1 - window))
    likes, latest = (
        np.bincount(log.items[chosen], minlength=len(log.item_ids)) for chosen in (liked, is_late)
    )
    late: npt.NDArray[np.float64] = latest / max(1, is_late.sum()) * liked.sum() * window
    return ((late + window * _SMOOTHING) / (window * (likes + _SMOOTHING))).astype(np.float32)

"""What the mean user would be shown, added to what somebody's past says: the more, the less is known.

A model scores by what somebody has done, and after one or two likes that is little: on MovieLens latest-small
the sum alone is behind popularity then. So a query begins with that of the mean user, which fades as more is
known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.comparison import ndcg_of_users, users_at_once
from recsys_pg.collaborative.histories import Histories, fading_shares, sampled_histories
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.mixture import Mixture, scores_of
from recsys_pg.collaborative.newcomers import Asked, newcomers_at_most, stages
from recsys_pg.collaborative.operators.operator import Floats, Scorer
from recsys_pg.collaborative.shortlist import Shortlist
from recsys_pg.types import Progress

_WEIGHTS = np.array([0, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 5])
"""At which ranking is tried; between them it is interpolated."""
_COMPARED_WEIGHTS = (0.0, 0.7, 5.0)
"""At each of them the best are candidates, and only these are ranked."""
_STRENGTHS = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
_FADES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LEAST_GAIN = 0.002
_MOST_LOSS = 0.002
"""Relative, of the users who are known."""


@dataclass(frozen=True)
class Prior:
    """score += strength · 2^(−Σ|weight| of the history / fade) · what the mean user is shown.

    What the mean user is shown has a best score of 1, strength is in units of the median user's best score,
    and fade is the sum of weights at which the prior has halved.
    """

    strength: float
    fade: float


def choose_prior(
    mixture: Mixture,
    operators: Mapping[str, Scorer],
    holdout: Holdout,
    *,
    seed: int = 0,
    progress: Progress,
) -> tuple[Prior | None, Floats]:
    """The prior that newcomers are served best with, and what the mean user is shown by the sum, (n_items,).

    Newcomers are held out whole, and asked after their first likes: users whose histories are cut short are
    no newcomers, since those begin by what everybody knows. The prior has the highest mean NDCG@20 over these
    stages and the users who are known, and costs the latter next to nothing. None where there are no
    newcomers, or it helps little.
    """
    random = np.random.default_rng(seed)
    regulars = _regulars(holdout, random)
    mean_scores = _mean_scores(mixture, operators, holdout.learned, seed)
    unit = _best_score(mixture, operators, regulars) if regulars else 0.0
    if not len(holdout.newcomers) or not regulars or unit <= 0 or mean_scores.max() <= 0:
        return None, np.zeros_like(mean_scores)
    mean_scores *= np.float32(unit) / mean_scores.max()
    groups = [regulars, *stages(holdout.newcomers, random)]
    curves = []
    for done, asked in enumerate(groups):
        progress("weigh what most people like", done, len(groups))
        curves.append(_curves(mixture, operators, asked, mean_scores))
    before = [float(curve[:, 0].mean()) for curve in curves]
    best, reached = None, float(np.mean(before)) * (1 + _LEAST_GAIN)
    for strength in _STRENGTHS:
        for fade in _FADES:
            of_groups = [
                float(_between(curve, strength * fading_shares(asked.histories, fade)).mean())
                for asked, curve in zip(groups, curves, strict=True)
            ]
            if of_groups[0] >= before[0] * (1 - _MOST_LOSS) and np.mean(of_groups) > reached:
                best, reached = Prior(strength, fade), float(np.mean(of_groups))
    return best, mean_scores


def with_prior(scores: Floats, histories: Histories, prior: Prior | None, mean_scores: Floats) -> Floats:
    """(n_users, n_items) the scores of a sum, with what the mean user is shown added in place."""
    if prior is not None:
        scores += (np.float32(prior.strength) * fading_shares(histories, prior.fade))[:, None] * mean_scores
    return scores


def _regulars(holdout: Holdout, random: np.random.Generator) -> Asked | None:
    """Some of the users who are known."""
    users = np.flatnonzero(np.diff(holdout.targets.indptr))
    if not len(users):
        return None
    most = newcomers_at_most(holdout.targets.shape[1])
    if len(users) > most:
        users = np.sort(random.choice(users, most, replace=False))
    return Asked(holdout.histories, holdout.seen, holdout.targets).of(users)


def _mean_scores(mixture: Mixture, operators: Mapping[str, Scorer], log: InteractionLog, seed: int) -> Floats:
    known = sampled_histories(log, seed=seed)
    total: Floats = np.zeros(len(log.item_ids), np.float32)
    for term in mixture.terms:
        mean = csr_array(known.decayed(term.decay).mean(axis=0, dtype=np.float32)[None, :])
        total += np.float32(term.weight) * operators[term.operator].scores(mean)[0]
    return total


def _best_score(mixture: Mixture, operators: Mapping[str, Scorer], asked: Asked) -> float:
    """The median user's best score of what is unseen."""
    best = []
    for part in _batches(asked):
        scores = scores_of(mixture, operators, part.histories)
        scores[part.seen.nonzero()] = -np.inf
        best.append(scores.max(axis=1))
    return float(np.median(np.concatenate(best)))


def _curves(
    mixture: Mixture, operators: Mapping[str, Scorer], asked: Asked, mean_scores: Floats
) -> npt.NDArray[np.float64]:
    """(n_users, n_weights) NDCG@20 with what the mean user is shown at each weight."""
    found = []
    for part in _batches(asked):
        scores = scores_of(mixture, operators, part.histories)
        seen, wanted = part.seen.toarray() > 0, part.targets.toarray() > 0
        tried = [scores + np.float32(weight) * mean_scores for weight in _COMPARED_WEIGHTS]
        shortlist = Shortlist.of(tried, wanted, seen=seen)
        of_items, of_mean = shortlist.part_of(scores), mean_scores[shortlist.items]
        found.append(
            np.stack(
                [
                    ndcg_of_users(of_items + np.float32(weight) * of_mean, *shortlist.sparse)
                    for weight in _WEIGHTS
                ],
                axis=1,
            )
        )
    return np.concatenate(found)


def _batches(asked: Asked) -> Sequence[Asked]:
    n_users, n_items = asked.targets.shape
    size = users_at_once(n_items)
    return [asked.of(np.arange(start, min(start + size, n_users))) for start in range(0, n_users, size)]


def _between(curves: npt.NDArray[np.float64], weights: Floats) -> npt.NDArray[np.float64]:
    """(n_users,) the value of each user's curve at a weight, interpolated."""
    right = np.clip(np.searchsorted(_WEIGHTS, weights), 1, len(_WEIGHTS) - 1)
    rows = np.arange(len(curves))
    part = (weights - _WEIGHTS[right - 1]) / (_WEIGHTS[right] - _WEIGHTS[right - 1])
    between: npt.NDArray[np.float64] = curves[rows, right - 1] * (1 - part) + curves[rows, right] * part
    return between

"""What the mean user would be shown, added to what somebody's past says: the more, the less is known.

A model scores by what somebody has done, and after one or two likes that is little: on MovieLens latest-small
the sum alone is behind popularity then. So a query begins with that of the mean user, which fades as more is
known.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.comparison import ndcg_of_users, users_at_once
from recsys_pg.collaborative.histories import Histories, fading_shares, sampled_histories
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.mixture import Mixture, scores_of
from recsys_pg.collaborative.newcomers import Asked, newcomers_at_most, stages
from recsys_pg.collaborative.operators.operator import Floats, Scorer
from recsys_pg.collaborative.shortlist import Shortlist
from recsys_pg.types import Progress

_WEIGHTS = np.array([0, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 5, 8])
"""At which ranking is tried; between them it is interpolated."""
_COMPARED_WEIGHTS = (0.0, 0.7, 8.0)
"""At each of them the best are candidates, and only these are ranked."""
_STRENGTHS = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
_FADES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_REGULARS = 0
"""The group of the users who are known; those of newcomers are numbered by how many likes they had."""
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


@dataclass(frozen=True)
class Fold:
    """Something held out, and operators learned without it."""

    holdout: Holdout
    operators: Mapping[str, Scorer]


def choose_prior(
    mixture: Mixture, folds: Iterable[Fold], *, seed: int = 0, progress: Progress
) -> tuple[Prior | None, Floats]:
    """The prior that newcomers are served best with, and what the mean user of the first fold is shown.

    Newcomers are held out whole, and asked after their first likes: users whose histories are cut short are
    no newcomers, since those begin by what everybody knows. The prior has the highest mean NDCG@20 over these
    stages and the users who are known, and costs the latter next to nothing. None where there are no
    newcomers, or it helps little.

    Args:
        mixture: the sum that the prior is added to.
        folds: at least one. The known users of the first are asked, and the newcomers of all.
        seed: of the draws.
        progress: called before each group of users.

    Returns:
        The prior, and what the mean user is shown by the sum, (n_items,).
    """
    random = np.random.default_rng(seed)
    shown: Floats | None = None
    groups: dict[int, list[_Curves]] = defaultdict(list)
    for fold in folds:
        mean_scores = _mean_scores(mixture, fold, seed)
        regulars = _regulars(fold.holdout, random)
        unit = _best_score(mixture, fold, regulars) if regulars else 0.0
        if not len(fold.holdout.newcomers) or not regulars or unit <= 0 or mean_scores.max() <= 0:
            break
        mean_scores *= np.float32(unit) / mean_scores.max()
        asked = dict(stages(fold.holdout.newcomers, random))
        if shown is None:
            shown = mean_scores
            asked[_REGULARS] = regulars
        for done, (group, of_group) in enumerate(asked.items()):
            progress("weigh what most people like", done, len(asked))
            groups[group].append(_curves(mixture, fold, of_group, mean_scores))
    if shown is None:
        return None, np.zeros_like(mean_scores)
    return _best(groups), shown


def _best(groups: Mapping[int, Sequence["_Curves"]]) -> Prior | None:
    def reached_with(prior: Prior) -> dict[int, float]:
        return {
            group: float(np.concatenate([curves.at(prior) for curves in of_group]).mean())
            for group, of_group in groups.items()
        }

    before = reached_with(Prior(0, 1))
    best, reached = None, float(np.mean([*before.values()])) * (1 + _LEAST_GAIN)
    for strength in _STRENGTHS:
        for fade in _FADES:
            found = reached_with(Prior(strength, fade))
            mean = float(np.mean([*found.values()]))
            if found[_REGULARS] >= before[_REGULARS] * (1 - _MOST_LOSS) and mean > reached:
                best, reached = Prior(strength, fade), mean
    return best


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


def _mean_scores(mixture: Mixture, fold: Fold, seed: int) -> Floats:
    known = sampled_histories(fold.holdout.learned, seed=seed)
    total: Floats = np.zeros(known.n_items, np.float32)
    for term in mixture.terms:
        mean = csr_array(known.decayed(term.decay).mean(axis=0, dtype=np.float32)[None, :])
        total += np.float32(term.weight) * fold.operators[term.operator].scores(mean)[0]
    return total


def _best_score(mixture: Mixture, fold: Fold, asked: Asked) -> float:
    """The median user's best score of what is unseen."""
    best = []
    for part in _batches(asked):
        scores = scores_of(mixture, fold.operators, part.histories)
        scores[part.seen.nonzero()] = -np.inf
        best.append(scores.max(axis=1))
    return float(np.median(np.concatenate(best)))


@dataclass(frozen=True)
class _Curves:
    """NDCG@20 of some users with what the mean user is shown at each of `_WEIGHTS`, (n_users, n_weights)."""

    histories: Histories
    ndcg: npt.NDArray[np.float64]

    def at(self, prior: Prior) -> npt.NDArray[np.float64]:
        """(n_users,) with a prior, interpolated."""
        weights = prior.strength * fading_shares(self.histories, prior.fade)
        right = np.clip(np.searchsorted(_WEIGHTS, weights), 1, len(_WEIGHTS) - 1)
        rows = np.arange(len(self.ndcg))
        part = (weights - _WEIGHTS[right - 1]) / (_WEIGHTS[right] - _WEIGHTS[right - 1])
        between: npt.NDArray[np.float64] = (
            self.ndcg[rows, right - 1] * (1 - part) + self.ndcg[rows, right] * part
        )
        return between


def _curves(mixture: Mixture, fold: Fold, asked: Asked, mean_scores: Floats) -> _Curves:
    found = []
    for part in _batches(asked):
        scores = scores_of(mixture, fold.operators, part.histories)
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
    return _Curves(asked.histories, np.concatenate(found))


def _batches(asked: Asked) -> Sequence[Asked]:
    n_users, n_items = asked.targets.shape
    size = users_at_once(n_items)
    return [asked.of(np.arange(start, min(start + size, n_users))) for start in range(0, n_users, size)]

"""Which operators to add up, with what weights and at which decay: chosen by what people went on to like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from recsys_pg.collaborative.histories import Histories, served
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.operators.operator import Floats, Operator, Scorer
from recsys_pg.collaborative.shortlist import Shortlist
from recsys_pg.types import Progress, unheard

LENGTH = 20
"""Of the lists that are compared: NDCG@20."""

DECAYS = (1.0, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6)
"""What an item counts that is a step further back in the history."""

TIME_SCALES = 3
TERMS = 5
_WEIGHTS = (-0.3, -0.15, 0.1, 0.2, 0.4, 0.7, 1.0)
_LEAST_GAIN = 0.002
"""Relative gain in NDCG for which another term is taken."""
_USERS_A_TERM = 100
ROUNDING = 1e-4
"""Of an operator's largest scores; a low-pass of full rank has none for what is unseen."""
_BATCH = 256
_BYTES_AN_ENTRY = 8
BYTES_COMPARED = _BYTES_AN_ENTRY * _BATCH * len(DECAYS)
"""An operator and an item, at most, for the scores that are compared at a time."""


@dataclass(frozen=True)
class Term:
    """An operator of the sum: score += weight · histories(decay) · operator.

    share is the weight in units in which the mean user's best score by the operator alone is 1, so that the
    shares of terms can be compared, which their weights cannot.
    """

    operator: str
    decay: float
    weight: float
    share: float = 1.0


@dataclass(frozen=True)
class Mixture:
    """The terms of the sum, the strongest first, and its NDCG@20 on what was held out, if anything was.

    alone is the same of each operator at its best decay.
    """

    terms: tuple[Term, ...]
    ndcg: float | None
    alone: Mapping[str, float]


def choose(
    operators: Mapping[str, Operator],
    holdout: Holdout,
    *,
    memory_gb: float = 4.0,
    progress: Progress = unheard,
) -> Mixture:
    """The sum of operators with the best NDCG@20 on what was held out, found by forward selection.

    It begins with the best operator at its best decay and adds, as long as that helps, the operator, decay
    and weight that help most: at most `TERMS` terms at `TIME_SCALES` decays, and beside the first no more
    than one for each hundred users, since few prove little. Only items that some operator has among its best
    100 are ranked, which ranks all that can come first.

    Args:
        operators: by name, learned without what was held out.
        holdout: what was held out; at least one user has a target.
        memory_gb: what the scores may take that are compared at a time.
        progress: called after each batch of users.
    """
    decays = DECAYS if holdout.learned.is_ordered else (1.0,)
    names = [(name, decay) for name in operators for decay in decays]
    lists = _Lists(operators, names, holdout, memory_gb, progress)
    single = [lists.ndcg(part) for part in lists.scores]
    best = int(np.argmax(single))
    terms = {best: 1.0}
    total = lists.scores[best].copy()
    reached = single[best]
    asked = int(np.count_nonzero(np.diff(holdout.targets.indptr)))
    while len(terms) < min(TERMS, 1 + asked // _USERS_A_TERM):
        scales = {names[term][1] for term in terms}
        candidates = [
            (column, weight)
            for column, (_, decay) in enumerate(names)
            if column not in terms and (len(scales) < TIME_SCALES or decay in scales)
            for weight in _WEIGHTS
        ]
        gains = [
            lists.ndcg(total + np.float32(weight) * lists.scores[column]) for column, weight in candidates
        ]
        if not gains or max(gains) <= reached * (1 + _LEAST_GAIN):
            break
        column, weight = candidates[int(np.argmax(gains))]
        reached = max(gains)
        terms[column] = weight
        total += np.float32(weight) * lists.scores[column]
    alone: dict[str, float] = {}
    for (name, _), value in zip(names, single, strict=True):
        alone[name] = max(alone.get(name, 0.0), float(value))
    return Mixture(
        tuple(Term(*names[column], weight * lists.units[column], weight) for column, weight in terms.items()),
        reached,
        alone,
    )


def scores_of(mixture: Mixture, operators: Mapping[str, Scorer], known: Histories) -> Floats:
    """(n_users, n_items), the scores that a mixture gives to all items."""

    def summed(known: Histories) -> Floats:
        total: Floats = np.zeros((known.n_users, known.n_items), np.float32)
        for term in mixture.terms:
            scores = operators[term.operator].scores(known.decayed(term.decay))
            scores *= np.float32(term.weight)
            total += scores
        return total

    return served(summed, known)


class _Lists:
    """The scores of the items that may come first for each user, by each operator at each decay.

    scores is (n_names, n_users, width), in units of the mean user's best.
    """

    def __init__(
        self,
        operators: Mapping[str, Operator],
        names: Sequence[tuple[str, float]],
        holdout: Holdout,
        memory_gb: float,
        progress: Progress,
    ) -> None:
        asked = np.flatnonzero(np.diff(holdout.targets.indptr))
        entries = int(memory_gb * 1e9 / _BYTES_AN_ENTRY)
        batch = max(1, min(_BATCH, entries // (len(names) * holdout.targets.shape[1])))
        histories = {decay: holdout.histories.decayed(decay) for _, decay in names}
        blocks, closed, hits = [], [], []
        largest = np.zeros(len(names))
        for start in range(0, len(asked), batch):
            users = asked[start : start + batch]
            seen = holdout.seen[users].toarray() > 0
            wanted = holdout.targets[users].toarray() > 0
            # an operator is gone through once for all decays
            of_decays = csr_array(vstack([of_decay[users] for of_decay in histories.values()]))
            scores = [
                part
                for operator in operators.values()
                for part in np.split(operator.scores(of_decays), len(histories))
            ]
            largest += [np.abs(part).max(axis=1).sum() / len(asked) for part in scores]
            shortlist = Shortlist.of(scores, wanted, seen=seen)
            blocks.append(np.stack([shortlist.part_of(part) for part in scores]))
            closed.append(shortlist.closed)
            hits.append(shortlist.hits)
            progress("compare operators", start + len(users), len(asked))
        width = max(block.shape[2] for block in blocks)
        self.scores: Floats = np.concatenate([_widened(block, width, 0) for block in blocks], axis=1)
        is_closed = np.concatenate([_widened(block, width, True) for block in closed])
        self._penalty: Floats = np.where(is_closed, -np.inf, 0).astype(np.float32)
        self._users, self._places = np.nonzero(
            np.concatenate([_widened(block, width, False) for block in hits])
        )
        relevant = np.bincount(self._users, minlength=len(asked))
        best = np.cumsum(1 / np.log2(np.arange(2, LENGTH + 2)))[np.minimum(relevant, LENGTH) - 1]
        self._share = 1 / best[self._users] / len(asked)
        self.units = [self._unit(part, size) for part, size in zip(self.scores, largest, strict=True)]
        self.scores *= np.array(self.units, np.float32)[:, None, None]

    def ndcg(self, scores: Floats) -> float:
        """The mean NDCG@20 of the users' candidates ranked by the scores, (n_users, width).

        An item among k equals is at the mean of their places.
        """
        opened = scores + self._penalty
        of_hits = opened[self._users, self._places][:, None]
        rows = opened[self._users]
        places = (rows > of_hits).sum(axis=1) + ((rows == of_hits).sum(axis=1) - 1) / 2
        return float(((places < LENGTH) / np.log2(places + 2)) @ self._share)

    def _unit(self, scores: Floats, largest: float) -> float:
        """1 over the mean user's best score of what is unseen; 0 where that is but rounding."""
        best = (scores + self._penalty).max(axis=1)
        mean = float(best[np.isfinite(best)].mean())
        return 1 / mean if mean > ROUNDING * largest else 0.0


def _widened(block: npt.NDArray[Any], width: int, fill: float) -> npt.NDArray[Any]:
    missing = [(0, 0)] * (block.ndim - 1) + [(0, width - block.shape[-1])]
    return np.pad(block, missing, constant_values=fill)

"""From what people did to a model that a database can serve."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recsys_pg.collaborative.active import ActiveModel
from recsys_pg.collaborative.candidates import REPEAT, Candidate, Material, fitting
from recsys_pg.collaborative.comparison import Comparison, compare, ndcg_of_users
from recsys_pg.collaborative.factors import Factors, factorize
from recsys_pg.collaborative.histories import histories_at, sampled_histories
from recsys_pg.collaborative.holdout import Holdout, hold_out
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.mixture import ROUNDING, Mixture, Term, choose, scores_of
from recsys_pg.collaborative.operators.operator import Floats, Operator, OperatorSum
from recsys_pg.collaborative.repeats import with_repeats
from recsys_pg.types import Progress

_ASKED = 2000
_BATCH = 100


@dataclass(frozen=True)
class LearnedModel:
    """A model, and how it came about.

    left_out says of each operator that was not tried why not. comparison is with the active model by what was
    liked since that was learned, None where too little was.
    """

    factors: Factors
    mixture: Mixture
    left_out: Mapping[str, str]
    comparison: Comparison | None


def learn_model(
    log: InteractionLog,
    embeddings: Floats | None = None,
    *,
    memory_gb: float = 4.0,
    targets: int | None = None,
    active: ActiveModel | None = None,
    seed: int = 0,
    progress: Progress,
) -> LearnedModel | None:
    """Learn all operators that fit, choose their sum by what was held out, learn that from everything.

    The same arguments give the same model.

    Args:
        log: what people did; somebody likes two items. Without anything to hold out, the first operator that
            fits is taken alone.
        embeddings: (n_items, dimensions) of the texts, NaN in rows without; or None.
        memory_gb: what learning may allocate beside the log, in GB.
        targets: likes that are held out of each user; see `hold_out`.
        active: the model in use, to compare with.
        seed: of all that is drawn.
        progress: called in each step.

    Returns:
        None when the memory suffices for no operator, or none has anything to say of what is unseen.
    """
    material = Material(log, embeddings, seed, progress)
    candidates, left_out = fitting(material, memory_gb)
    if not candidates:
        return None
    holdout = hold_out(log, targets=targets, since=active.until + 1 if active else None, seed=seed)
    mixture, comparison = Mixture((Term(candidates[0].name, 1.0, 1.0),), None, {}), None
    if holdout.again.nnz:
        operators = dict(_learned(candidates, replace(material, log=holdout.learned)))
        if holdout.targets.nnz:
            mixture = choose(operators, holdout, progress=progress)
        if not any(term.weight for term in mixture.terms):
            return None
        mixture = with_repeats(mixture, operators, holdout, progress)
        if active:
            operators[REPEAT.name] = REPEAT.learn(material)
            comparison = _compared(operators, mixture, active.factors, holdout, material)
        del operators
    factors = factorize(
        _sums([*candidates, REPEAT], mixture, material),
        sampled_histories(log, seed=seed),
        seed=seed,
        progress=progress,
    )
    return LearnedModel(factors.scaled(_unit(factors, log, seed)), mixture, left_out, comparison)


def _learned(candidates: Sequence[Candidate], material: Material) -> Iterator[tuple[str, Operator]]:
    for done, candidate in enumerate(candidates):
        material.progress(f"learn {candidate.name}", done, len(candidates))
        yield candidate.name, candidate.learn(material)


def _sums(
    candidates: Sequence[Candidate], mixture: Mixture, material: Material
) -> list[tuple[float, Operator]]:
    """The sum of the terms of each decay; of the operators, one is in memory at a time."""
    sums = {decay: OperatorSum() for decay in sorted({term.decay for term in mixture.terms})}
    used = {term.operator for term in mixture.terms}
    for name, operator in _learned([each for each in candidates if each.name in used], material):
        for term in mixture.terms:
            if term.operator == name:
                sums[term.decay].add(operator, term.weight)
    return [(decay, added.total()) for decay, added in sums.items()]


def _compared(
    operators: Mapping[str, Operator],
    mixture: Mixture,
    active: Factors,
    holdout: Holdout,
    material: Material,
) -> Comparison | None:
    """Of the sum, learned without what was held out, with the active model, which did not know it either."""
    asked = np.flatnonzero(np.diff(holdout.recent.indptr))
    new: list[npt.NDArray[np.float64]] = []
    old: list[npt.NDArray[np.float64]] = []
    for start in range(0, len(asked), _BATCH):
        users = asked[start : start + _BATCH]
        known = holdout.histories.of(users)
        scores = scores_of(mixture, operators, known)
        for found, of_model in ((new, scores), (old, active.scores(known))):
            found.append(ndcg_of_users(of_model, holdout.seen[users], holdout.recent[users]))
        material.progress("compare with the active model", start + len(users), len(asked))
    return compare(np.concatenate(new), np.concatenate(old), seed=material.seed) if new else None


def _unit(factors: Factors, log: InteractionLog, seed: int) -> float:
    """What makes the best score of an unseen item 1 for the median user, so that scores have a meaning."""
    users = np.arange(len(log.user_ids))
    if len(users) > _ASKED:
        users = np.sort(np.random.default_rng(seed).choice(users, _ASKED, replace=False))
    last = np.flatnonzero(np.diff(log.users, append=-1))[users]
    best, largest = [], []
    for start in range(0, len(users), _BATCH):
        batch = slice(start, start + _BATCH)
        scores = factors.scores(histories_at(log, last[batch]))
        largest.append(np.abs(scores).max(axis=1))
        seen = log.likes[users[batch]].tocoo()
        scores[seen.row, seen.col] = -np.inf
        best.append(scores.max(axis=1))
    positive = np.concatenate(best)
    # what is but rounding says nothing
    positive = positive[np.isfinite(positive) & (positive > ROUNDING * np.concatenate(largest))]
    return 1 / float(np.median(positive)) if len(positive) else 1.0

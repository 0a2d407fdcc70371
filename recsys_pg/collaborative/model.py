"""From what people did to a model that a database can serve."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recsys_pg.collaborative.active import ActiveFactors
from recsys_pg.collaborative.candidates import REPEAT, Candidate, Material, Selection, fitting
from recsys_pg.collaborative.checkpoints import Checkpoints, digest
from recsys_pg.collaborative.comparison import Comparison, compare, ndcg_of_users, users_at_once
from recsys_pg.collaborative.factors import Factors, factorize
from recsys_pg.collaborative.histories import Histories, MeanQuery, histories_at, sampled_histories
from recsys_pg.collaborative.holdout import Holdout, asked_at_most, hold_out
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.memory import compared_gb
from recsys_pg.collaborative.mixture import ROUNDING, Mixture, Term, choose, scores_of
from recsys_pg.collaborative.operators.operator import Floats, Halves, Operator, OperatorSum, Scorer
from recsys_pg.collaborative.packing import CHOICE, FACTORS, OPERATOR, Choice
from recsys_pg.collaborative.prior import Prior, choose_prior, with_prior
from recsys_pg.collaborative.repeats import with_repeats
from recsys_pg.collaborative.size import size_of
from recsys_pg.collaborative.trend import Gaining, Trend, choose_trend
from recsys_pg.types import Progress

_ASKED = 2000

ReadActive = Callable[[npt.NDArray[np.intp]], ActiveFactors]
"""Reads the active model, with histories of the items at these positions, ascending."""


@dataclass(frozen=True)
class LearnedModel:
    """A model, and how it came about.

    left_out says of each operator that was not tried why not. comparison is with the active model by what was
    liked since that was learned, None where too little was.
    """

    factors: Factors
    mixture: Mixture
    trend: Trend | None
    prior: Prior | None
    left_out: Mapping[str, str]
    comparison: Comparison | None


def learn_model(
    log: InteractionLog,
    embeddings: Floats | Halves | None = None,
    *,
    selection: Selection | None = None,
    memory_gb: float = 4.0,
    holdout: Holdout | None = None,
    read_active: ReadActive | None = None,
    checkpoints: Checkpoints | None = None,
    seed: int = 0,
    progress: Progress,
) -> LearnedModel | None:
    """Learn all operators that fit, choose their sum by what was held out, learn that from everything.

    The same arguments give the same model.

    Args:
        log: what people did; somebody likes two items. Without anything to hold out, the first operator that
            fits is taken alone.
        embeddings: (n_items, dimensions) of the texts, NaN in rows without; or None.
        selection: of the operators; None is all that fit into memory_gb.
        memory_gb: what training may take, in GB.
        holdout: what the sum is chosen by; None is `hold_out` with this seed.
        read_active: the model in use, to compare with by holdout.recent; None where there is none.
        checkpoints: of what was learned before; None keeps none.
        seed: of all that is drawn.
        progress: called in each step.

    Returns:
        None when the memory suffices for no operator, or none has anything to say of what is unseen.
    """
    material = Material(log, embeddings, seed, progress)
    selection = selection or fitting(size_of(log, embeddings), memory_gb)
    if not selection.chosen:
        return None
    holdout = holdout or hold_out(log, seed=seed)
    checkpoints = checkpoints or Checkpoints.none()
    choice = _choice(
        selection,
        holdout,
        material,
        memory_gb=memory_gb,
        read_active=read_active,
        checkpoints=checkpoints,
    )
    if not any(term.weight for term in choice.mixture.terms):
        return None
    factors = checkpoints.kept(
        "factors",
        "factors",
        (
            choice.mixture.terms,
            choice.trend,
            choice.prior,
            selection.neighbors,
            _content_digest(choice.mixture, material),
            seed,
        ),
        FACTORS,
        lambda: _factors(selection, choice, material, checkpoints),
        discards="learned",
    )
    return LearnedModel(
        factors, choice.mixture, choice.trend, choice.prior, selection.left_out, choice.comparison
    )


def _choice(
    selection: Selection,
    holdout: Holdout,
    material: Material,
    *,
    memory_gb: float,
    read_active: ReadActive | None,
    checkpoints: Checkpoints,
) -> Choice:
    """Which operators to add up, and how their sum compares with the active model."""
    if not holdout.again.nnz:
        return Choice(Mixture((Term(selection.chosen[0].name, 1.0, 1.0),), None, {}), None, None, None)
    held_out = digest(holdout.learned.arrays(), holdout.again, holdout.recent)
    names = [candidate.name for candidate in selection.chosen]
    of_content = digest(material.embeddings) if "content" in names else ""

    def chosen() -> Choice:
        known = replace(material, log=holdout.learned)
        operators = dict(_learned(selection.chosen, known, checkpoints, "held_out", held_out))
        mixture = Mixture((Term(names[0], 1.0, 1.0),), None, {})
        if holdout.targets.nnz:
            mixture = choose(operators, holdout, memory_gb=compared_gb(memory_gb), progress=material.progress)
        if not any(term.weight for term in mixture.terms):
            return Choice(mixture, None, None, None)
        scorers: Mapping[str, Scorer] = operators | {REPEAT.name: REPEAT.learn(material)}
        trend = None
        if holdout.targets.nnz:
            trend = choose_trend(mixture, scorers, holdout, material.progress)
        if trend:
            gains = trend.gains(holdout.learned)
            scorers = {name: Gaining(scorer, gains) for name, scorer in scorers.items()}
        prior, mean_scores = choose_prior(
            mixture, scorers, holdout, seed=material.seed, progress=material.progress
        )
        mixture = with_repeats(mixture, scorers, holdout, material.progress)
        if not read_active or not holdout.recent.nnz:
            return Choice(mixture, trend, prior, None)

        def scores(known: Histories) -> Floats:
            return with_prior(scores_of(mixture, scorers, known), known, prior, mean_scores)

        return Choice(mixture, trend, prior, _compared(scores, read_active, holdout, material))

    return checkpoints.kept(
        "choice",
        "choice of the sum",
        (held_out, names, of_content, material.seed),
        CHOICE,
        chosen,
        discards="held_out",
    )


def _content_digest(mixture: Mixture, material: Material) -> str:
    used = any(term.operator == "content" for term in mixture.terms)
    return digest(material.embeddings) if used else ""


def _learned(
    candidates: Sequence[Candidate], material: Material, checkpoints: Checkpoints, stage: str, of: str = ""
) -> Iterator[tuple[str, Operator]]:
    for done, candidate in enumerate(candidates):
        material.progress(f"learn {candidate.name}", done, len(candidates))
        if candidate.name == "content":  # depends on the embeddings, and takes no time
            yield candidate.name, candidate.learn(material)
            continue
        yield (
            candidate.name,
            checkpoints.kept(
                stage,
                candidate.name,
                (of, material.seed),
                OPERATOR,
                lambda learn=candidate.learn: learn(material),  # type: ignore[misc]
            ),
        )


def _factors(selection: Selection, choice: Choice, material: Material, checkpoints: Checkpoints) -> Factors:
    """The factors of the sum, learned from everything, so scaled that the median user's best score is 1.

    That is without the prior, whose strength is in this unit.
    """
    known = sampled_histories(material.log, seed=material.seed)
    factors = factorize(
        _sums([*selection.chosen, REPEAT], choice, material, checkpoints),
        known,
        most_neighbors=selection.neighbors,
        seed=material.seed,
        progress=material.progress,
    )
    factors.scale_scores(_unit(factors, material))
    if choice.prior is None:
        return factors
    mean_query = factors.queries(known).mean(axis=0)
    best = (factors.targets @ mean_query).max()
    if not best > 0:
        return factors
    mean_query *= np.float32(choice.prior.strength) / best
    return replace(factors, mean=MeanQuery(mean_query, choice.prior.fade))


def _sums(
    candidates: Sequence[Candidate], choice: Choice, material: Material, checkpoints: Checkpoints
) -> list[tuple[float, OperatorSum]]:
    """The sum of the terms of each decay."""
    terms = choice.mixture.terms
    gains = choice.trend.gains(material.log) if choice.trend else None
    used = {term.operator for term in terms}
    operators = dict(
        _learned([each for each in candidates if each.name in used], material, checkpoints, "learned")
    )
    return [
        (
            decay,
            OperatorSum(
                [(term.weight, operators[term.operator]) for term in terms if term.decay == decay], gains
            ),
        )
        for decay in sorted({term.decay for term in terms})
    ]


def _compared(
    score: Callable[[Histories], Floats],
    read_active: ReadActive,
    holdout: Holdout,
    material: Material,
) -> Comparison | None:
    """Of the sum, learned without what was held out, with the active model, which did not know it either."""
    asked = np.flatnonzero(np.diff(holdout.recent.indptr))
    active = read_active(np.unique(holdout.histories.of(asked).items).astype(np.intp))
    batch = users_at_once(holdout.recent.shape[1])
    new: list[npt.NDArray[np.float64]] = []
    old: list[npt.NDArray[np.float64]] = []
    for start in range(0, len(asked), batch):
        users = asked[start : start + batch]
        known = holdout.histories.of(users)
        for found, of_model in ((new, score(known)), (old, active.scores(known))):
            found.append(ndcg_of_users(of_model, holdout.seen[users], holdout.recent[users]))
        material.progress("compare with the active model", start + len(users), len(asked))
    return compare(np.concatenate(new), np.concatenate(old), seed=material.seed)


def _unit(factors: Factors, material: Material) -> float:
    """What makes the best score of an unseen item 1 for the median user, so that scores have a meaning."""
    log = material.log
    users, asked = np.arange(len(log.user_ids)), min(_ASKED, asked_at_most(len(log.item_ids)))
    if len(users) > asked:
        users = np.sort(np.random.default_rng(material.seed).choice(users, asked, replace=False))
    last = np.flatnonzero(np.diff(log.users, append=-1))[users]
    size = users_at_once(len(log.item_ids))
    best, largest = [], []
    for start in range(0, len(users), size):
        batch = slice(start, start + size)
        scores = factors.scores(histories_at(log, last[batch]))
        largest.append(np.abs(scores).max(axis=1))
        seen = log.likes[users[batch]].tocoo()
        scores[seen.row, seen.col] = -np.inf
        best.append(scores.max(axis=1))
        material.progress("scale scores", min(batch.stop, len(users)), len(users))
    positive = np.concatenate(best)
    # what is but rounding says nothing
    positive = positive[np.isfinite(positive) & (positive > ROUNDING * np.concatenate(largest))]
    return 1 / float(np.median(positive)) if len(positive) else 1.0

"""From lists and what was to be found to numbers."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
import numpy.typing as npt

from recsys_pg.collaborative.bootstrap import estimate
from recsys_pg.evaluation import metrics
from recsys_pg.evaluation.asking import Answers
from recsys_pg.evaluation.exposure import cold_share, coverage, diversity, gini, novelty
from recsys_pg.evaluation.known import Known
from recsys_pg.evaluation.results import Accuracy, Exposure, MethodResult, SegmentResult
from recsys_pg.evaluation.targets import Segment, Targets
from recsys_pg.types import Method

Lists = Mapping[int, Sequence[int]]


def accuracy(lists: Lists, targets: Targets, k: int) -> Accuracy:
    """The means over the users of the targets."""

    def mean(metric: metrics.Metric) -> float:
        return fmean(metric(lists[user], items, k) for user, items in targets.items())

    return Accuracy(
        k,
        ndcg=mean(metrics.ndcg),
        recall=mean(metrics.recall),
        map=mean(metrics.average_precision),
        mrr=mean(metrics.reciprocal_rank),
        hit_rate=mean(metrics.hit),
    )


def exposure(
    lists: Lists, known: Known, embeddings: Mapping[int, npt.NDArray[np.float32]], k: int
) -> Exposure:
    """Of the first k of each list.

    Args:
        lists: of all users that were asked.
        known: what was trained on.
        embeddings: (384,) of unit length, of the listed items that have one.
        k: length.
    """
    shown = [each[:k] for each in lists.values()]
    apart = [
        diversity(np.array(vectors))
        for each in shown
        if len(vectors := [embeddings[item] for item in each if item in embeddings]) > 1
    ]
    return Exposure(
        k,
        coverage=coverage(shown, known.items),
        gini=gini(shown, known.items),
        novelty=novelty(shown, known.by_users, max(1, known.active_users)),
        diversity=fmean(each for each in apart if each is not None) if apart else None,
        cold_share=cold_share(shown, known.by_users),
    )


def method_results(
    answers: Mapping[Method, Answers],
    targets: Targets,
    known: Known,
    embeddings: Mapping[int, npt.NDArray[np.float32]],
    ks: Sequence[int],
    *,
    seed: int = 0,
) -> list[MethodResult]:
    """One row a method; the reference is hybrid where that was asked, else the first."""
    reference: Method = "hybrid" if "hybrid" in answers else next(iter(answers))
    ndcg = {method: _ndcg_of_users(each.lists, targets, ks[0]) for method, each in answers.items()}
    return [
        MethodResult(
            method,
            ndcg=estimate(ndcg[method], seed=seed),
            difference=None if method == reference else estimate(ndcg[reference] - ndcg[method], seed=seed),
            accuracy=[accuracy(each.lists, targets, k) for k in ks],
            recall_at=_recall_at(each.lists, targets, max(ks)),
            exposure=exposure(each.lists, known, embeddings, ks[0]),
            milliseconds=each.milliseconds,
        )
        for method, each in answers.items()
    ]


def segment_result(answers: Mapping[Method, Answers], segment: Segment, ks: Sequence[int]) -> SegmentResult:
    """What each method is worth for a segment: its users and targets alone, in the same lists."""
    return SegmentResult(
        segment.name,
        segment.meaning,
        users=len(segment.targets),
        targets=sum(map(len, segment.targets.values())),
        accuracy={
            method: [accuracy(each.lists, segment.targets, k) for k in ks] for method, each in answers.items()
        },
    )


def _ndcg_of_users(lists: Lists, targets: Targets, k: int) -> npt.NDArray[np.float64]:
    return np.array([metrics.ndcg(lists[user], items, k) for user, items in targets.items()])


def _recall_at(lists: Lists, targets: Targets, longest: int) -> list[float]:
    """Recall at 1, 2, … longest."""
    found = np.zeros(longest)
    for user, items in targets.items():
        for place, item in enumerate(lists[user][:longest]):
            if item in items:
                found[place] += 1 / len(items)
    recall: list[float] = (np.cumsum(found) / len(targets)).tolist()
    return recall

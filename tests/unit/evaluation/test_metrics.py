"""The metrics of one list: by hand, and against scikit-learn or code of another shape."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from recsys_pg.collaborative import bootstrap
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation import (
    average_precision,
    exposure,
    hit,
    metrics,
    ndcg,
    recall,
    reciprocal_rank,
)
from recsys_pg.evaluation.report import charts

RANKED = st.permutations(range(12))
RELEVANT = st.sets(st.integers(0, 11), min_size=1)
K = st.integers(1, 15)
ALL = (ndcg, recall, average_precision, reciprocal_rank, hit)


@pytest.mark.parametrize("module", [metrics, exposure, bootstrap, charts])
def test_the_examples_of_the_docstrings_hold(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@settings(deadline=None)
@given(RANKED, RELEVANT, K)
def test_ndcg_is_that_of_scikit_learn(ranked, relevant, k):
    truth = [[item in relevant for item in ranked]]
    descending = [list(range(len(ranked), 0, -1))]
    assert ndcg(ranked, relevant, k) == pytest.approx(ndcg_score(truth, descending, k=k))


@settings(deadline=None)
@given(RANKED, RELEVANT)
def test_average_precision_of_a_whole_ranking_is_that_of_scikit_learn(ranked, relevant):
    truth = [item in relevant for item in ranked]
    descending = list(range(len(ranked), 0, -1))
    expected = average_precision_score(truth, descending)
    assert average_precision(ranked, relevant, len(ranked)) == pytest.approx(expected)


@settings(deadline=None)
@given(RANKED, RELEVANT, K)
def test_average_precision_is_the_mean_of_the_precisions_at_the_hits(ranked, relevant, k):
    hits = np.isin(ranked[:k], list(relevant))
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    expected = (precision * hits).sum() / min(k, len(relevant))
    assert average_precision(ranked, relevant, k) == pytest.approx(expected)


@settings(deadline=None)
@given(RANKED, RELEVANT, K)
def test_recall_counts_the_relevant_items_in_front(ranked, relevant, k):
    assert recall(ranked, relevant, k) == pytest.approx(len(set(ranked[:k]) & relevant) / len(relevant))


@settings(deadline=None)
@given(RANKED, RELEVANT, K)
def test_the_reciprocal_rank_and_the_hit_are_those_of_the_first_hit(ranked, relevant, k):
    first = min(ranked.index(item) for item in relevant) + 1
    assert reciprocal_rank(ranked, relevant, k) == (1 / first if first <= k else 0)
    assert hit(ranked, relevant, k) == (first <= k)


@settings(deadline=None)
@given(RANKED, RELEVANT, K)
def test_what_follows_after_k_does_not_matter(ranked, relevant, k):
    for metric in ALL:
        assert metric(ranked, relevant, k) == metric(ranked[:k], relevant, k)


@settings(deadline=None)
@given(RANKED, RELEVANT, K)
def test_all_are_between_nothing_and_one_and_one_for_what_is_perfect(ranked, relevant, k):
    best = sorted(ranked, key=lambda item: item not in relevant)
    for metric in ALL:
        assert 0 <= metric(ranked, relevant, k) <= metric(best, relevant, k) <= 1 + 1e-12
        assert metric(best, relevant, k) == pytest.approx(1) or (metric is recall and k < len(relevant))


def test_by_hand():
    ranked, relevant = [9, 1, 8, 2, 7], {1, 2, 3}
    assert ndcg(ranked, relevant, 5) == pytest.approx(
        (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / math.log2(4))
    )
    assert recall(ranked, relevant, 5) == pytest.approx(2 / 3)
    assert average_precision(ranked, relevant, 5) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert average_precision(ranked, relevant, 2) == pytest.approx((1 / 2) / 2)
    assert reciprocal_rank(ranked, relevant, 5) == 1 / 2
    assert hit(ranked, relevant, 1) == 0


@pytest.mark.parametrize("metric", ALL)
def test_a_list_without_items_is_worth_nothing_and_a_truth_without_items_is_refused(metric):
    assert metric([], {1}, k=10) == 0
    with pytest.raises(InvalidArgumentError, match="No item is relevant"):
        metric([1], set(), k=10)
    with pytest.raises(InvalidArgumentError, match="k is 0"):
        metric([1], {1}, k=0)

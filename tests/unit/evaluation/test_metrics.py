"""The metrics against scikit-learn and against what they must not depend on."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation import metrics, ndcg, recall, split

RANKED = st.permutations(range(12))
RELEVANT = st.sets(st.integers(0, 11), min_size=1)
K = st.integers(1, 15)


@pytest.mark.parametrize("module", [metrics, split])
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
@given(RANKED, RELEVANT, K)
def test_recall_counts_the_relevant_items_in_front(ranked, relevant, k):
    assert recall(ranked, relevant, k) == pytest.approx(len(set(ranked[:k]) & relevant) / len(relevant))


@settings(deadline=None)
@given(RANKED, RELEVANT, K)
def test_what_follows_after_k_does_not_matter(ranked, relevant, k):
    for metric in (ndcg, recall):
        assert metric(ranked, relevant, k) == metric(ranked[:k], relevant, k)


def test_a_perfect_list_has_an_ndcg_of_one_even_if_shorter_than_what_is_relevant():
    assert ndcg([1, 2], {1, 2, 3}, k=2) == 1
    assert ndcg([1, 2, 9], {1, 2}, k=3) == 1


def test_an_earlier_hit_is_worth_more():
    assert ndcg([1, 8, 9], {1}, k=3) == 1
    assert ndcg([8, 1, 9], {1}, k=3) == pytest.approx(1 / np.log2(3))
    assert ndcg([8, 9, 1], {1}, k=3) == pytest.approx(1 / np.log2(4))


@pytest.mark.parametrize("metric", [ndcg, recall])
def test_a_list_without_items_is_worth_nothing_and_a_truth_without_items_is_refused(metric):
    assert metric([], {1}, k=10) == 0
    with pytest.raises(InvalidArgumentError, match="No item is relevant"):
        metric([1], set(), k=10)
    with pytest.raises(InvalidArgumentError, match="k is 0"):
        metric([1], {1}, k=0)

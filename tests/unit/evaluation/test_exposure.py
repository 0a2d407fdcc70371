"""What all lists together show: by hand, and against definitions of another shape."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_pg.evaluation.exposure import cold_share, coverage, diversity, gini, novelty

LISTS = st.lists(st.lists(st.integers(0, 9), unique=True, max_size=5), min_size=1, max_size=6)


@settings(deadline=None)
@given(LISTS)
def test_gini_is_half_the_relative_mean_difference(lists):
    counts = Counter(itertools.chain.from_iterable(lists))
    x = np.array([counts[item] for item in range(10)], float)
    if not x.sum():
        assert gini(lists, 10) == 0
        return
    expected = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(lists, 10) == pytest.approx(expected)


def test_gini_is_nothing_for_equals_and_almost_one_for_a_single_item():
    assert gini([[item] for item in range(100)], 100) == pytest.approx(0)
    assert gini([[5]] * 7, 100) == pytest.approx(0.99)


@settings(deadline=None)
@given(LISTS)
def test_coverage_counts_each_item_once(lists):
    shown = {item for each in lists for item in each}
    assert coverage(lists, 10) == len(shown) / 10


def test_novelty_is_the_mean_information_of_the_items():
    known_by = {1: 16, 2: 4, 3: 1}
    assert novelty([[1, 2], [3]], known_by, 16) == ((0 + 2) / 2 + 4) / 2
    assert novelty([[4]], known_by, 16) == novelty([[3]], known_by, 16)
    assert novelty([[], []], known_by, 16) == 0


def test_cold_items_are_those_that_nobody_knows():
    assert cold_share([[1, 2, 3, 4], [1]], {1: 5, 2: 1}) == 0.25


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(0, 1000))
def test_diversity_is_one_less_the_mean_cosine_of_the_pairs(n, seed):
    vectors = np.random.default_rng(seed).normal(size=(n, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [float(a @ b) for a, b in itertools.combinations(vectors, 2)]
    assert diversity(vectors) == pytest.approx(1 - np.mean(pairs))
    without = np.vstack([vectors, np.full((1, 16), np.nan)])
    assert diversity(without) == pytest.approx(1 - np.mean(pairs))


def test_one_item_is_neither_alike_nor_different():
    assert diversity(np.ones((1, 4)) / 2) is None
    assert diversity(np.full((3, 4), np.nan)) is None
    assert diversity(np.ones((3, 4), np.float32) / 2) == pytest.approx(0)

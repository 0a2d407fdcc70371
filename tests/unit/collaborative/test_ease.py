"""EASE against the regression that it is the closed form of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array, random_array

from recsys_pg.collaborative.operators.ease import ease, memory_gb
from recsys_pg.errors import InvalidArgumentError

LIKES = arrays(np.float64, (6, 5), elements=st.sampled_from([0, 0, 0.1, 0.5, 1])).filter(np.any)


def strength(weights: np.ndarray, reg: float) -> float:
    popularity = (weights**2).sum(axis=0)
    return reg * (popularity**2).sum() / popularity.sum()


def ridge_of_each_item_on_the_others(weights: np.ndarray, penalty: float) -> np.ndarray:
    items = weights.shape[1]
    graph = np.zeros((items, items))
    for item in range(items):
        others = np.delete(np.arange(items), item)
        x, y = weights[:, others], weights[:, item]
        graph[others, item] = np.linalg.solve(x.T @ x + penalty * np.eye(len(others)), x.T @ y)
    return graph


def test_two_items_give_the_closed_form():
    # x₁ = (1, 1, 0), x₂ = (1, 0, 1): 2 likes each, 1 in common, so λ = 2 and B = 1 / (2 + 2)
    graph = ease(csr_array(np.array([[1.0, 1], [1, 0], [0, 1]])), reg=1.0)
    assert graph == pytest.approx(np.array([[0, 0.25], [0.25, 0]]))
    assert graph.dtype == np.float32


@settings(deadline=None)
@given(LIKES, st.sampled_from([0.1, 1.5, 10]))
def test_each_item_is_regressed_on_all_others(weights, reg):
    expected = ridge_of_each_item_on_the_others(weights, strength(weights, reg))
    assert ease(csr_array(weights), reg) == pytest.approx(expected, abs=1e-5)


@settings(deadline=None)
@given(LIKES)
def test_the_unit_of_the_weights_does_not_matter(weights):
    assert ease(csr_array(weights), 1.5) == pytest.approx(ease(csr_array(weights / 100), 1.5), abs=1e-5)


def test_a_catalogue_of_several_blocks_is_inverted_right():
    weights = random_array((300, 1500), density=0.02, rng=np.random.default_rng(0), format="csr")
    dense = weights.toarray()
    inverse = np.linalg.inv(dense.T @ dense + strength(dense, 1.5) * np.eye(1500))
    expected = np.eye(1500) - inverse / np.diag(inverse)
    assert np.abs(ease(csr_array(weights), 1.5) - expected).max() < 1e-5


def test_a_regularization_that_drowns_in_rounding_is_refused():
    with pytest.raises(InvalidArgumentError, match="reg 1e-30 is too small"):
        ease(csr_array(np.ones((3, 3))), 1e-30)


def test_memory_grows_with_the_square_of_the_catalogue():
    assert memory_gb(20_000) == pytest.approx(4.8)

"""The cut to the strongest edges, and the scale that the SQL functions rely on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array, random_array

from recsys_pg.collaborative.graph import scaled, strongest, strongest_sparse

EDGES = arrays(np.float32, (7, 7), elements=st.floats(-2, 2, width=32))


def best_unseen(graph: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.where(weights > 0, -np.inf, weights @ graph).max(axis=1)


@settings(deadline=None)
@given(EDGES, st.integers(1, 9))
def test_a_cut_keeps_the_largest_absolute_values_of_each_row(weights, neighbors):
    for graph in (strongest(weights, neighbors), strongest_sparse(csr_array(weights), neighbors)):
        kept = graph.toarray()
        assert np.array_equal(kept[kept != 0], weights[kept != 0])
        edges = np.count_nonzero(weights, axis=1)
        assert np.array_equal(np.count_nonzero(kept, axis=1), np.minimum(neighbors, edges))
        dropped = np.where(kept == 0, np.abs(weights), 0).max(axis=1)
        weakest = np.where(kept != 0, np.abs(kept), np.inf).min(axis=1)
        assert np.all(dropped <= weakest)
        assert np.all(graph.data != 0)


def test_an_edge_that_speaks_against_an_item_is_kept():
    assert strongest(np.array([[0, -3, 1, 2]], dtype=np.float32), 2).toarray().tolist() == [[0, -3, 0, 2]]


def test_a_catalogue_of_several_blocks_is_cut_row_by_row():
    weights = np.random.default_rng(0).standard_normal((2100, 50), dtype=np.float32)
    kept = strongest(weights, 10).toarray()
    assert np.array_equal(kept, strongest_sparse(csr_array(weights), 10).toarray())


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.001, 1000))
def test_the_best_unseen_item_of_the_median_user_scores_one(seed, unit):
    random = np.random.default_rng(seed)
    weights = random_array((40, 15), density=0.2, rng=random, format="csr")
    graph = np.where(random.random((15, 15)) < 0.3, random.standard_normal((15, 15)), 0).astype(np.float32)
    best = best_unseen(graph, weights.toarray())
    if not np.any(best > 0):
        return
    result = scaled(csr_array(graph * np.float32(unit)), csr_array(weights)).toarray()
    best = best_unseen(result, weights.toarray())
    assert np.median(best[best > 0]) == pytest.approx(1, rel=1e-4)
    assert result / result.max() == pytest.approx(graph / graph.max(), rel=1e-4)


def test_of_many_users_the_same_seed_draws_the_same_sample():
    weights = csr_array(random_array((5000, 30), density=0.1, rng=np.random.default_rng(0), format="csr"))
    graph = csr_array(random_array((30, 30), density=0.5, rng=np.random.default_rng(1), dtype=np.float32))
    one, other = scaled(graph, weights, seed=1), scaled(graph, weights, seed=1)
    assert np.array_equal(one.data, other.data)
    assert not np.array_equal(one.data, scaled(graph, weights, seed=2).data)
    best = best_unseen(one.toarray(), weights.toarray())
    assert np.median(best[best > 0]) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("edge", [-1, 0])
def test_a_graph_that_recommends_nothing_is_left_as_it_is(edge):
    graph = csr_array(np.array([[0, edge], [edge, 0]], dtype=np.float32))
    result = scaled(graph, csr_array(np.array([[1.0, 0], [0, 1]])))
    assert np.array_equal(result.toarray(), graph.toarray())

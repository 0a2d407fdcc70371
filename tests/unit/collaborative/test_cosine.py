"""The block-wise cosine against one dense computation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array, random_array

from recsys_pg.collaborative import blocks
from recsys_pg.collaborative.operators import cosine as module
from recsys_pg.collaborative.operators.cosine import cosine

LIKES = arrays(np.float64, (6, 5), elements=st.sampled_from([0, 0, 0.1, 0.5, 1]))


def people(weights: np.ndarray) -> np.ndarray:
    """The matrix without users and items that nobody knows, as the database gives it."""
    weights = weights[weights.any(axis=1)]
    return weights[:, weights.any(axis=0)]


def dense_cosine(weights: np.ndarray, reg: float) -> np.ndarray:
    damped = weights / np.sqrt(weights.sum(axis=1, keepdims=True))
    norms = np.linalg.norm(damped, axis=0)
    graph = damped.T @ damped / (np.outer(norms, norms) + reg * (damped[damped > 0] ** 2).mean())
    np.fill_diagonal(graph, 0)
    return graph


def random_likes(users: int = 200, items: int = 60) -> np.ndarray:
    return people(random_array((users, items), density=0.1, rng=np.random.default_rng(0)).toarray())


@settings(deadline=None)
@given(LIKES.filter(np.any), st.sampled_from([0, 1, 20]))
def test_it_is_the_dense_formula(weights, reg):
    weights = people(weights)
    assert cosine(csr_array(weights), reg, 100).toarray() == pytest.approx(
        dense_cosine(weights, reg), abs=1e-6
    )


@pytest.mark.parametrize("entries", [1, 50, 500, 10_000])
def test_the_size_of_the_blocks_does_not_matter(monkeypatch, entries):
    monkeypatch.setattr(blocks, "_ENTRIES", entries)
    weights = random_likes()
    assert cosine(csr_array(weights), 2, 100).toarray() == pytest.approx(dense_cosine(weights, 2), abs=1e-6)


def test_progress_ends_at_the_last_item(monkeypatch):
    monkeypatch.setattr(blocks, "_ENTRIES", 500)
    seen = []
    cosine(csr_array(random_likes()), 2, 100, progress=lambda *step: seen.append(step))
    assert len(seen) > 1
    assert seen[-1] == ("learn item graph", 60, 60)


def test_only_the_strongest_neighbors_are_kept():
    weights = random_likes()
    full, cut = dense_cosine(weights, 2), cosine(csr_array(weights), 2, 5).toarray()
    for row, kept in zip(full, cut, strict=True):
        assert sorted(kept[kept > 0]) == pytest.approx(sorted(row)[-5:])


def test_shrinkage_separates_one_coincidence_from_many():
    # items 0 and 1 share ten users, items 2 and 3 one: without shrinkage both pairs are the same
    weights = np.zeros((11, 4))
    weights[:10, :2] = 1
    weights[10, 2:] = 1
    plain, shrunk = cosine(csr_array(weights), 0, 10).toarray(), cosine(csr_array(weights), 5, 10).toarray()
    assert plain[0, 1] == pytest.approx(plain[2, 3])
    assert shrunk[0, 1] > 2 * shrunk[2, 3]


def test_the_unit_of_the_weights_does_not_matter():
    weights = random_likes()
    small = cosine(csr_array(weights / 1000), 2, 10)
    assert small.toarray() == pytest.approx(cosine(csr_array(weights), 2, 10).toarray(), abs=1e-6)


def test_of_very_long_profiles_a_sample_counts(monkeypatch):
    monkeypatch.setattr(module, "LONGEST_PROFILE", 3)
    weights = np.zeros((5, 20))
    weights[0] = 1
    weights[1:, :2] = 1
    graph = cosine(csr_array(weights), 0, 100, seed=1)
    assert graph[[0], [1]] > 0
    connected_by_user_0 = np.count_nonzero(graph.sum(axis=1)[2:])
    assert connected_by_user_0 <= 3
    assert (graph != cosine(csr_array(weights), 0, 100, seed=1)).nnz == 0

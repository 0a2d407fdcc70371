"""That rows solved in batches are those solved one by one."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from recsys_pg.collaborative.operators.least_squares import solved_rows


def one_by_one(weights, vectors, unobserved, regs):
    solved = np.zeros((weights.shape[0], vectors.shape[1]))
    for row, x in enumerate(weights.toarray()):
        if x.any():
            system = (vectors * x[:, None]).T @ vectors + unobserved * vectors.T @ vectors
            system += regs[row] * np.eye(vectors.shape[1])
            solved[row] = np.linalg.solve(system, x @ vectors)
    return solved


@pytest.mark.parametrize("unobserved", [0.0, 0.2])
@pytest.mark.parametrize("density", [0.01, 0.3])
def test_rows_are_solved_as_one_by_one(unobserved, density):
    random = np.random.default_rng(0)
    # lengths on both sides of the dimensions, and rows with nothing
    shares = np.linspace(0, 2 * density, 80)
    weights = csr_array(
        np.where(random.random((80, 300)) < shares[:, None], random.uniform(0.1, 1, (80, 300)), 0).astype(
            np.float32
        )
    )
    vectors = random.normal(size=(300, 24)).astype(np.float32)
    regs = random.uniform(0.1, 3, 80).astype(np.float32)
    found = solved_rows(weights, vectors, unobserved, regs)
    assert found.dtype == np.float32
    assert np.abs(found - one_by_one(weights, vectors, unobserved, regs)).max() < 1e-4


def test_a_row_of_more_entries_than_a_batch_holds(monkeypatch):
    monkeypatch.setattr("recsys_pg.collaborative.operators.least_squares._ENTRIES", 100)
    random = np.random.default_rng(1)
    weights = csr_array(random_array((20, 200), density=0.4, rng=random, dtype=np.float32))
    vectors = random.normal(size=(200, 8)).astype(np.float32)
    regs = np.ones(20, np.float32)
    found = solved_rows(weights, vectors, 0.1, regs)
    assert np.abs(found - one_by_one(weights, vectors, 0.1, regs)).max() < 1e-4


def test_nothing_to_solve():
    vectors = np.ones((5, 3), np.float32)
    found = solved_rows(csr_array((4, 5), dtype=np.float32), vectors, 0.1, np.ones(4, np.float32))
    assert found.tolist() == [[0, 0, 0]] * 4

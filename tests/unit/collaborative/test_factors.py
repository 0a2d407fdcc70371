"""Factors and residual against the sum of operators that they stand for."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.factors import factorize
from recsys_pg.collaborative.histories import histories, sampled_histories
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.operators.operator import Operator, OperatorSum

ITEMS = 50


def some_log(users: int = 120, seed: int = 0) -> InteractionLog:
    random = np.random.default_rng(seed)
    n = users * 12
    return InteractionLog.of(
        random.integers(0, users, n),
        np.r_[np.arange(ITEMS), random.integers(0, ITEMS, n - ITEMS)],
        np.ones(n),
        range(n),
    )


def summed(operator: Operator) -> OperatorSum:
    return OperatorSum([(1.0, operator)])


def random_graph(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ITEMS, ITEMS)).astype(np.float32)


def random_operator(seed: int) -> OperatorSum:
    return summed(Operator(graph=random_graph(seed)))


def whole(operators, found):
    everything = slice(0, found.n_items)
    return sum(found.decayed(decay) @ operator.rows(everything) for decay, operator in operators)


def test_with_enough_dimensions_nothing_is_lost():
    log, operators = some_log(), [(1.0, random_operator(1)), (0.8, random_operator(2))]
    factors = factorize(operators, sampled_histories(log, 1000), dimensions=ITEMS)
    found = histories(log)
    assert factors.targets.T @ factors.targets == pytest.approx(np.eye(ITEMS), abs=1e-4)
    assert factors.scores(found) == pytest.approx(whole(operators, found), abs=1e-3)


def test_with_enough_neighbors_nothing_is_lost():
    log, operators = some_log(), [(0.9, random_operator(1))]
    factors = factorize(operators, sampled_histories(log, 1000), dimensions=4, neighbors=ITEMS)
    found = histories(log)
    assert factors.scores(found) == pytest.approx(whole(operators, found), abs=1e-3)


def test_the_residual_keeps_the_largest_of_what_remains():
    log, operators = some_log(), [(0.9, random_operator(1))]
    factors = factorize(operators, sampled_histories(log, 1000), dimensions=4, neighbors=3)
    scale = factors.scales[0]
    rest = operators[0][1].rows(slice(0, ITEMS)) - scale.history @ factors.targets.T
    assert (np.diff(scale.residual.indptr) == 3).all()
    assert np.abs(scale.residual.toarray()).sum(axis=1) == pytest.approx(
        np.sort(np.abs(rest), axis=1)[:, -3:].sum(axis=1), abs=1e-4
    )


def test_more_dimensions_and_more_neighbors_come_nearer():
    log, operators = some_log(), [(1.0, random_operator(1)), (0.8, random_operator(2))]
    found = histories(log)

    def error(dimensions: int, neighbors: int) -> float:
        factors = factorize(
            operators, sampled_histories(log, 1000), dimensions=dimensions, neighbors=neighbors
        )
        return float(np.linalg.norm(factors.scores(found) - whole(operators, found)))

    assert error(20, 1) < error(5, 1)
    assert error(5, 20) < error(5, 1)


@pytest.mark.parametrize("users", [1, 2])
def test_fewer_histories_than_dimensions(users):
    log = InteractionLog.of(
        [0] * 3 + [1] * (3 * (users - 1)), [0, 1, 2] * users, [1] * 3 * users, range(3 * users)
    )
    graph = csr_array(np.ones((3, 3), np.float32))
    operators = [(1.0, summed(Operator(graph=graph)))]
    factors = factorize(operators, histories(log))
    assert factors.targets.shape == (3, users)
    assert factors.scores(histories(log)) == pytest.approx(whole(operators, histories(log)))


def test_in_a_large_catalogue_the_residual_is_sought_in_the_graph(monkeypatch):
    graph = csr_array(np.where(random_graph(1) > 1, random_graph(1), 0))
    left, right = np.random.default_rng(4).normal(size=(2, ITEMS, 3)).astype(np.float32)
    operators = [(0.9, summed(Operator(left, right, graph)))]
    log = some_log()
    everywhere = factorize(operators, sampled_histories(log, 1000), dimensions=8, neighbors=ITEMS).scales[0]
    monkeypatch.setattr("recsys_pg.collaborative.factors.MANY_ITEMS", ITEMS - 1)
    factors = factorize(operators, sampled_histories(log, 1000), dimensions=8, neighbors=ITEMS)
    in_graph = factors.scales[0]
    # in half precision, and times a power of two that fits it
    unit = np.median(in_graph.history / everywhere.history)
    assert np.log2(unit) == pytest.approx(round(np.log2(unit)), abs=1e-3)
    assert in_graph.history.dtype == np.float16
    assert in_graph.history == pytest.approx(everywhere.history * unit, rel=1e-3, abs=1e-3)
    targets = factors.targets
    rest = graph.toarray() - graph @ targets @ targets.T
    assert in_graph.residual.toarray() == pytest.approx(
        np.where(graph.toarray() != 0, rest, 0) * unit, abs=1e-4
    )
    low_rank = [(0.9, summed(Operator(left, right)))]
    assert factorize(low_rank, sampled_histories(log, 1000), dimensions=8).scales[0].residual.nnz == 0

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.asked import AskedScores
from recsys_pg.collaborative.histories import histories
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.operators.operator import Operator, OperatorSum

ITEMS, USERS = 30, 40


def some_histories():
    random = np.random.default_rng(0)
    users = np.sort(random.integers(0, USERS, 400))
    log = InteractionLog.of(
        users, np.r_[np.arange(ITEMS), random.integers(0, ITEMS, 370)], np.ones(400), range(400)
    )
    return histories(log)


def some_sums(*, with_dense: bool) -> list[tuple[float, OperatorSum]]:
    """Of two decays; one operator counts at both."""
    random = np.random.default_rng(1)
    left, right = random.normal(size=(2, ITEMS, 4)).astype(np.float32)
    dense = random.normal(size=(ITEMS, ITEMS)).astype(np.float32)
    sparse = csr_array(np.where(dense > 1, dense, 0))
    both = Operator(left, left, ratio=random.uniform(0.5, 2, ITEMS).astype(np.float32))
    return [
        (1.0, OperatorSum([(0.5, both), (2.0, Operator(graph=dense if with_dense else sparse))])),
        (0.8, OperatorSum([(-1.0, both), (1.0, Operator(left, right, sparse))])),
    ]


def whole(operators, known):
    everything = slice(0, ITEMS)
    return sum(known.decayed(decay) @ operator.rows(everything) for decay, operator in operators)


def check(operators, expected, tolerance):
    asked = AskedScores(operators, some_histories())
    random = np.random.default_rng(2)
    right = random.normal(size=(ITEMS, 5)).astype(np.float32)
    left = random.normal(size=(len(expected), 5)).astype(np.float32)
    assert asked.times(right) == pytest.approx(expected @ right, abs=tolerance)
    assert asked.transposed_times(left) == pytest.approx(expected.T @ left, abs=tolerance)


@pytest.mark.parametrize("with_dense", [True, False])
@pytest.mark.parametrize("many", [0, 10**9])
def test_products_are_those_of_the_scores(monkeypatch, with_dense, many):
    monkeypatch.setattr("recsys_pg.collaborative.asked.MANY_ITEMS", many)
    monkeypatch.setattr("recsys_pg.collaborative.asked._BLOCK", 7)
    monkeypatch.setattr("recsys_pg.collaborative.asked._ITEMS_AN_ENTRY", 1)
    operators = some_sums(with_dense=with_dense)
    check(operators, whole(operators, some_histories()), 1e-3)


@pytest.mark.parametrize("gains", [None, np.linspace(0.2, 5, ITEMS, dtype=np.float32)])
def test_of_many_items_the_largest_scores_of_a_history_are_kept(monkeypatch, gains):
    monkeypatch.setattr("recsys_pg.collaborative.asked.MANY_ITEMS", 0)
    monkeypatch.setattr("recsys_pg.collaborative.asked._ITEMS_AN_ENTRY", ITEMS // 3)
    random = np.random.default_rng(3)
    graph = csr_array(np.where(random.random((ITEMS, ITEMS)) > 0.5, random.random((ITEMS, ITEMS)), 0))
    operators = [(1.0, OperatorSum([(1.0, Operator(graph=graph.astype(np.float32)))], gains))]
    scores = whole(operators, some_histories())
    cut = np.where(scores >= np.sort(scores, axis=1)[:, [-3]], scores, 0)
    check(operators, cut, 1e-4)
    assert (np.count_nonzero(cut, axis=1) == 3).all()


def test_operators_without_graphs():
    random = np.random.default_rng(4)
    left, right = random.normal(size=(2, ITEMS, 4)).astype(np.float32)
    operators = [(1.0, OperatorSum([(1.0, Operator(left, right))]))]
    check(operators, whole(operators, some_histories()), 1e-3)

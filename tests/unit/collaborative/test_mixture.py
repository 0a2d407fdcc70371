"""The choice of operators, their weights and decays, on people whose ways are known."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.mixture import TERMS, choose
from recsys_pg.collaborative.operators.operator import Operator
from recsys_pg.evaluation import ndcg

ITEMS = 60


def operator(follow: np.ndarray) -> Operator:
    return Operator(graph=follow.astype(np.float32))


def ring(step: int) -> np.ndarray:
    """What follows on each item is the one so many places further on."""
    return np.roll(np.eye(ITEMS), step, axis=1)


def walkers(steps: list[int], users: int = 200, length: int = 8, seed: int = 0) -> InteractionLog:
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        item = int(random.integers(ITEMS))
        for time in range(length):
            rows.append((user, item, 1, time))
            item = (item + steps[user % len(steps)]) % ITEMS
    return InteractionLog.of(*zip(*rows, strict=True))


def test_it_takes_what_tells_the_next_item():
    held = hold_out(walkers([7]), targets=1)
    found = choose({"wrong": operator(ring(5)), "right": operator(ring(7))}, held)
    assert found.terms[0].operator == "right"
    assert found.ndcg == pytest.approx(1)
    assert found.alone["right"] == pytest.approx(1)
    assert found.alone["wrong"] < 0.5


def test_it_adds_up_what_tells_different_people():
    # half of the users go by 7 and half by 11, and noise hides both from either operator alone
    held = hold_out(walkers([7, 11]), targets=1)
    found = choose({"a": operator(ring(7)), "b": operator(ring(11))}, held)
    assert {term.operator for term in found.terms} == {"a", "b"}
    assert found.ndcg > 1.2 * max(found.alone.values())


def test_what_adds_nothing_is_left_out():
    held = hold_out(walkers([7]), targets=1)
    found = choose({"right": operator(ring(7)), "same": operator(2 * ring(7))}, held)
    assert len(found.terms) == 1


def test_the_number_of_terms_is_limited():
    held = hold_out(walkers([1, 2, 3, 4, 6, 7, 8, 9]), targets=1)
    found = choose({str(step): operator(ring(step)) for step in (1, 2, 3, 4, 6, 7, 8, 9)}, held)
    assert 1 < len(found.terms) <= TERMS


def test_without_an_order_nothing_decays():
    log = walkers([7])
    log = InteractionLog.of(log.user_ids[log.users], log.item_ids[log.items], log.weights, np.zeros(len(log)))
    found = choose({"right": operator(ring(7) + ring(-7))}, hold_out(log, targets=2))
    assert {term.decay for term in found.terms} == {1.0}


def test_ndcg_is_that_of_the_whole_lists():
    random = np.random.default_rng(5)
    log = InteractionLog.of(
        random.integers(0, 50, 900), random.integers(0, ITEMS, 900), np.ones(900), np.arange(900)
    )
    held = hold_out(log, targets=3)
    only = operator(random.random((ITEMS, ITEMS)))
    found = choose({"only": only}, held)
    scores = only.scores(held.histories.decayed(found.terms[0].decay))
    expected = []
    for user in np.flatnonzero(np.diff(held.targets.indptr)):
        ranked = [i for i in np.argsort(-scores[user]) if held.seen[user, i] == 0]
        expected.append(ndcg(ranked, set(held.targets[[user]].indices.tolist()), 20))
    assert found.alone["only"] == pytest.approx(np.mean(expected), abs=1e-6)


def test_an_operator_that_says_nothing_does_no_harm():
    held = hold_out(walkers([7]), targets=1)
    nothing = Operator(graph=csr_array((ITEMS, ITEMS), dtype=np.float32))
    assert choose({"nothing": nothing, "right": operator(ring(7))}, held).terms[0].operator == "right"
    assert choose({"nothing": nothing}, held).ndcg < 0.2

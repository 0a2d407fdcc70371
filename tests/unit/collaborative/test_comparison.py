"""Comparing models: the metric against its definition, the interval, and what counts as worse."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.comparison import LEAST_USERS, compare, ndcg_of_users
from recsys_pg.collaborative.mixture import LENGTH
from recsys_pg.evaluation import ndcg


def marks(rows: np.ndarray) -> csr_array:
    return csr_array(rows.astype(np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_ndcg_of_all_unseen_items(seed):
    random = np.random.default_rng(seed)
    scores = random.normal(size=(30, 60)).astype(np.float32)
    seen = random.random((30, 60)) < 0.2
    targets = (random.random((30, 60)) < 0.1) & ~seen
    targets[:, 0], seen[:, 0] = True, False
    found = ndcg_of_users(scores, marks(seen), marks(targets))
    for user in range(30):
        ranked = [item for item in np.argsort(-scores[user], kind="stable").tolist() if not seen[user, item]]
        relevant = set(np.flatnonzero(targets[user]).tolist())
        assert found[user] == pytest.approx(ndcg(ranked, relevant, LENGTH))


def test_equal_scores_share_their_places():
    scores = np.zeros((1, 3), np.float32)
    nothing = marks(np.zeros((1, 3)))
    one = ndcg_of_users(scores, nothing, marks(np.array([[1, 0, 0]])))
    assert one == pytest.approx(1 / np.log2(3))


def test_what_was_given_is_not_changed():
    scores = np.ones((1, 3), np.float32)
    ndcg_of_users(scores, marks(np.array([[1, 0, 0]])), marks(np.array([[0, 1, 0]])))
    assert (scores == 1).all()


def test_a_model_is_worse_only_beyond_doubt():
    random = np.random.default_rng(0)
    active = random.random(400)
    noise = random.normal(scale=0.1, size=400)
    worse = compare(active - 0.1 + noise, active)
    assert worse.is_worse
    assert worse.low < worse.ndcg - worse.active_ndcg < worse.high < 0
    assert not compare(active + noise, active).is_worse
    assert not compare(active + 0.1, active).is_worse
    assert worse == compare(active - 0.1 + noise, active)


def test_equal_models_do_not_differ():
    same = compare(np.full(100, 0.5), np.full(100, 0.5))
    assert (same.low, same.high, same.is_worse) == (0, 0, False)


def test_too_few_users_tell_nothing():
    assert compare(np.zeros(LEAST_USERS - 1), np.ones(LEAST_USERS - 1)) is None

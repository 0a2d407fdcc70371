"""What is added for people of whom little is known."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.factors import Factors, TimeScale
from recsys_pg.collaborative.histories import Histories, MeanQuery, fading_shares, histories
from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.mixture import Mixture, Term
from recsys_pg.collaborative.model import learn_model
from recsys_pg.collaborative.operators.operator import Operator
from recsys_pg.collaborative.prior import Prior, choose_prior, with_prior


def quiet(phase: str, done: int, total: int | None) -> None:
    pass


def people(users: int = 400, items: int = 60, first: int = 3, seed: int = 0) -> InteractionLog:
    """First everybody likes some of the ten items that all know, then some of one half of the others."""
    random = np.random.default_rng(seed)
    chosen = []
    for user in range(users):
        half = np.arange(10, 35) if user % 2 else np.arange(35, items)
        chosen.append([*random.permutation(10)[:first], *random.permutation(half)[:12]])
    liked = np.array(chosen)
    return InteractionLog.of(
        np.repeat(range(users), liked.shape[1]), liked.ravel(), np.ones(liked.size), range(liked.size)
    )


def of_weights(*users: list[float]) -> Histories:
    weights = np.array([weight for of_user in users for weight in of_user], np.float32)
    owners = np.repeat(range(len(users)), [len(of_user) for of_user in users]).astype(np.int32)
    places = np.concatenate([np.arange(len(of_user)) for of_user in users]).astype(np.int32)
    return Histories(len(users), 5, owners, places, places, weights)


def test_the_share_halves_as_weights_add_up_and_needs_a_like():
    known = of_weights([1.0, -1.0], [0.5], [-1.0], [])
    assert fading_shares(known, 2).tolist() == pytest.approx([0.5, 2**-0.25, 0, 0])


def test_a_long_history_has_a_share_that_single_precision_holds():
    [share] = fading_shares(of_weights([1.0] * 5), 0.001)
    assert 0 < share < 1e-29


def test_newcomers_get_what_all_begin_with():
    """An operator that knows nothing by what all begin with; what people like later leads back to it."""
    graph = np.zeros((60, 60), np.float32)
    graph[10:35, 10:35] = graph[35:, 35:] = 1
    graph[10:, :10] = 0.8
    operators = {"made": Operator(graph=graph)}
    mixture = Mixture((Term("made", 1.0, 1.0),), None, {})
    held = hold_out(people())
    prior, mean_scores = choose_prior(mixture, operators, held, seed=0, progress=quiet)
    assert prior is not None
    assert prior.strength > 0
    assert mean_scores[:10].min() > mean_scores[10:].max()
    known = histories(held.newcomers)
    before = operators["made"].scores(known.decayed(1.0))
    after = with_prior(before.copy(), known, prior, mean_scores)
    share = prior.strength * fading_shares(known, prior.fade)
    assert after == pytest.approx(before + share[:, None] * mean_scores, rel=1e-5)


def test_no_prior_where_it_helps_nobody():
    """Everybody walks on by one item at a time, and the operator knows."""
    start = np.random.default_rng(0).integers(0, 40, 200)
    walk = InteractionLog.of(
        np.repeat(range(200), 10), (start[:, None] + np.arange(10)).ravel(), np.ones(2000), range(2000)
    )
    steps = np.subtract.outer(walk.item_ids, walk.item_ids).T
    operators = {"next": Operator(graph=np.where(steps > 0, 2.0**-steps, 0).astype(np.float32))}
    mixture = Mixture((Term("next", 0.6, 1.0),), None, {})
    prior, _ = choose_prior(mixture, operators, hold_out(walk), seed=0, progress=quiet)
    assert prior is None


def test_no_prior_without_newcomers():
    held = hold_out(people(users=60))
    mixture = Mixture((Term("made", 1.0, 1.0),), None, {})
    prior, _ = choose_prior(
        mixture, {"made": Operator(graph=np.eye(60, dtype=np.float32))}, held, progress=quiet
    )
    assert prior is None


def test_factors_begin_with_the_mean_query():
    targets = np.eye(3, 2, dtype=np.float32)
    scale = TimeScale(1.0, np.zeros((3, 2), np.float32), csr_array((3, 3), dtype=np.float32))
    factors = Factors(targets, (scale,), MeanQuery(np.array([2, 1], np.float32), 1.0))
    known = Histories(2, 3, np.array([0]), np.array([2]), np.array([0]), np.array([1], np.float32))
    assert factors.scores(known).tolist() == [[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_the_mean_user_is_shown_what_the_prior_says_in_units_of_a_typical_best_score(monkeypatch):
    chosen = Prior(2.0, 4.0)
    monkeypatch.setattr(
        "recsys_pg.collaborative.model.choose_prior", lambda *_, **__: (chosen, np.zeros(60, np.float32))
    )
    model = learn_model(people(), seed=0, progress=quiet)
    assert model is not None
    assert model.prior == chosen
    assert model.factors.mean is not None
    assert (model.factors.targets @ model.factors.mean.query).max() == pytest.approx(2, rel=1e-4)
    assert model.factors.mean.fade == 4

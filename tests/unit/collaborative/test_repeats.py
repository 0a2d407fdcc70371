"""Whether people come back, and what that makes of their own past items."""

import numpy as np

from recsys_pg.collaborative.histories import histories
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.model import learn_model

ITEMS = 30


def quiet(phase: str, done: int, total: int | None) -> None:
    pass


def shop(*, come_back: bool, users: int = 200) -> InteractionLog:
    """People who buy one thing after the other, or every other time one of two staples of their own."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(users):
        staples = random.choice(ITEMS, 2, replace=False)
        others = random.permutation(ITEMS)
        for time in range(12 + (user % 5 == 0)):
            item = staples[time // 2 % 2] if come_back and time % 2 else others[time]
            rows.append((user, int(item), 1, time))
    return InteractionLog.of(*zip(*rows, strict=True))


def test_who_comes_back_is_recommended_what_was_bought_before():
    log = shop(come_back=True)
    model = learn_model(log, progress=quiet)
    known = histories(log)
    best = model.factors.scores(known).argmax(axis=1)
    bought = log.likes.toarray() > 0
    assert bought[np.arange(known.n_users), best].mean() > 0.9


def test_who_never_comes_back_is_not():
    model = learn_model(shop(come_back=False), progress=quiet)
    assert "repeat" not in {term.operator for term in model.mixture.terms}


def test_the_order_of_what_was_never_bought_stays():
    log = shop(come_back=True)
    model = learn_model(log, progress=quiet)
    assert model.mixture.ndcg is not None
    assert set(model.mixture.alone) >= {"cooccurrence", "ease"}

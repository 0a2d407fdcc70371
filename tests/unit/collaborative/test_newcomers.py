"""Who is held out whole, and what they are asked after."""

import numpy as np

from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.newcomers import draw_newcomers, stages


def regular(users: int = 100, likes: int = 8, items: int = 40, ordered: bool = True) -> InteractionLog:
    random = np.random.default_rng(0)
    chosen = np.concatenate([random.permutation(items)[:likes] for _ in range(users)])
    times = np.arange(users * likes) if ordered else np.zeros(users * likes)
    return InteractionLog.of(np.repeat(range(users), likes), chosen, np.ones(users * likes), times)


def test_newcomers_are_learned_nothing_of_and_asked_nothing_else():
    log = regular()
    held = hold_out(log)
    assert len(held.newcomers.user_ids) == 20
    learned = set(log.user_ids[np.unique(held.learned.users)].tolist())
    assert not learned & set(held.newcomers.user_ids.tolist())
    assert len(held.newcomers) == 20 * 8
    assert held.targets.shape[0] == 80


def test_a_tenth_of_those_with_two_likes_are_drawn_and_none_where_they_are_few():
    random = np.random.default_rng(0)
    counts = np.array([1] * 500 + [2] * 1000)
    drawn = draw_newcomers(counts, 50, random)
    assert len(drawn) == 100
    assert drawn.min() >= 500
    assert (np.diff(drawn) > 0).all()
    assert len(draw_newcomers(np.full(79, 5), 50, random)) == 0
    assert len(draw_newcomers(np.full(80, 5), 50, random)) == 20
    assert len(draw_newcomers(np.full(100_000, 5), 50, random)) == 500
    assert len(draw_newcomers(np.full(100_000, 5), 1_000_000, random)) == 200


def test_each_stage_knows_the_first_likes_and_wants_the_next():
    # user 1 dislikes item 12 after the first like, user 2 likes a single item
    log = InteractionLog.of([1, 1, 1, 1, 2], [10, 12, 11, 13, 10], [1, -1, 0.5, 1, 1], range(5))
    first, second = stages(log, np.random.default_rng(0))
    assert first.histories.items.tolist() == [0]
    assert first.targets.nonzero()[1].tolist() == [1, 3]
    assert second.histories.items.tolist() == [1, 2, 0]
    assert second.histories.weights.tolist() == [0.5, -1.0, 1.0]
    assert second.seen.nonzero()[1].tolist() == [0, 1, 2]
    assert second.targets.nonzero()[1].tolist() == [3]


def test_what_is_liked_again_is_no_target():
    log = InteractionLog.of([1, 1, 1], [10, 10, 11], [1, 1, 1], range(3))
    first, second = stages(log, np.random.default_rng(0))
    assert first.targets.nonzero()[1].tolist() == [1]
    assert second.targets.nonzero()[1].tolist() == [1]


def test_without_an_order_the_first_likes_are_drawn():
    log = regular(ordered=False)
    drawn = {
        tuple(next(iter(stages(log, np.random.default_rng(seed)))).histories.items.tolist())
        for seed in range(3)
    }
    assert len(drawn) == 3
    for asked in stages(log, np.random.default_rng(0)):
        assert not asked.targets.multiply(asked.seen).nnz

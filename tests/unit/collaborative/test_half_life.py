"""How soon popularity halves: counted as it was when a user was asked."""

import numpy as np
import pytest

from recsys_pg.collaborative.half_life import _popular_at, choose_half_life, ndcg_by_age
from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.log import InteractionLog

DAY = 86_400_000_000


def quiet(phase, done, total):
    pass


def fashions(users=300, items=200, days=600, seed=0):
    """Ten items are in fashion for a week, then the next ten; everybody likes four of them, a day apart."""
    random = np.random.default_rng(seed)
    owners, liked, times = [], [], []
    for user in range(users):
        first = random.integers(0, days - 4)
        for step in range(4):
            day = first + step
            liked.append((day // 7 * 10 + random.integers(10)) % items)
            owners.append(user)
            times.append(day * DAY + random.integers(DAY))
    return InteractionLog.of(owners, liked, np.ones(len(liked)), times)


def classics(users=300, items=200, seed=0):
    """The same items are liked most for ever, in 4,000 days, by a few people a month."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, items + 1)
    liked = np.concatenate([random.choice(items, 6, False, weights / weights.sum()) for _ in range(users)])
    first = np.repeat(random.integers(0, 4000, users), 6)
    return InteractionLog.of(
        np.repeat(range(users), 6), liked, np.ones(len(liked)), first * DAY + np.tile(np.arange(6), users)
    )


def asked_in(held):
    return np.flatnonzero(np.diff(held.targets.indptr))


def test_counts_are_those_of_the_likes_before_halved_by_age_but_for_a_factor():
    log = InteractionLog.of(
        [1, 1, 1, 2, 2], [10, 11, 10, 10, 12], [1, 1, 0.5, -1, 1], np.array([0, 1, 4, 4, 9]) * DAY
    )
    moments = np.array([0, 4, 6, 600, 9000]) * DAY
    days = (1.0, 2.0)
    for moment, counts in zip(moments, _popular_at(log, moments, np.array(days)), strict=True):
        for row, half_life in zip(counts, days, strict=True):
            expected = np.zeros(3)
            for item, weight, time in zip(log.items, log.weights, log.times, strict=True):
                if weight > 0 and time < moment:
                    expected[item] += weight * 2.0 ** ((time - 9 * DAY) / DAY / half_life)
            if expected.any():
                assert row / row.max() == pytest.approx(expected / expected.max(), rel=1e-6)
            else:
                assert not row.any()


def test_ndcg_is_that_of_a_list_without_what_was_seen():
    """Of four items by counts 3, 2, 2, 1 the first was seen; the two equals share the first two places."""
    users, items = [1, 1, 1, 2, 2, 2, 2, 3, 3, 9, 9], [1, 2, 3, 1, 2, 3, 4, 1, 9, 1, 2]
    log = InteractionLog.of(users, items, np.ones(11), np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) * DAY)
    held = hold_out(log, targets=1)
    place = int(np.flatnonzero(held.moments == 11 * DAY)[0])
    [[found]] = ndcg_by_age(log, held, np.array([place]), np.array([1e30]), quiet)
    assert found == pytest.approx(1 / np.log2(0.5 + 2), rel=1e-3)


def test_nobody_is_asked_with_what_came_later():
    """Everybody goes on to like what others come to after that, so that popularity knows nothing."""
    users = np.repeat(range(200), 2)
    places = np.tile([0, 1], 200)
    log = InteractionLog.of(users, users + places, np.ones(400), (2 * users + places) * DAY)
    held = hold_out(log, targets=1)
    asked = asked_in(held)
    assert len(asked) > 100
    assert ndcg_by_age(log, held, asked, np.array([30.0]), quiet).mean() < 0.02


def test_others_are_known_by_what_was_held_out_of_them_too():
    """Everybody likes two things of the day: the likes of others on that day are the latest of these."""
    users = np.repeat(range(200), 2)
    items = np.stack([np.arange(200) // 10 * 2, np.arange(200) // 10 * 2 + 1], axis=1).ravel()
    log = InteractionLog.of(users, items, np.ones(400), np.arange(400) // 20 * DAY + np.arange(400))
    held = hold_out(log, targets=1)
    [known] = ndcg_by_age(log, held, asked_in(held), np.array([1.0]), quiet)
    assert known.mean() > 0.5


@pytest.mark.parametrize("days", [600, 7300])
def test_what_passes_soon_halves_soon(days):
    log = fashions(days // 2, days=days)
    soon = choose_half_life(log, hold_out(log), 30.0, quiet)
    assert soon.days <= 14
    assert soon.ndcg > 1.5 * soon.ndcg_in_use


def test_what_lasts_halves_late():
    log = classics()
    late = choose_half_life(log, hold_out(log), 1.0, quiet)
    assert late.days >= 120
    assert late.ndcg > late.ndcg_in_use


def test_what_is_no_better_beyond_chance_leaves_the_setting():
    log = classics()
    held = hold_out(log)
    asked = asked_in(held)
    by_age = ndcg_by_age(log, held, asked, np.array([1000.0, 2000.0, 4000.0]), quiet).mean(axis=1)
    assert len(set(by_age.tolist())) == 3
    for days in (1000.0, 2000.0, 4000.0):
        assert choose_half_life(log, held, days, quiet).days == days


def test_without_an_order_of_times_or_of_few_users_nothing_is_chosen():
    log = InteractionLog.of(np.repeat(range(100), 4), np.arange(400) % 20, np.ones(400), np.zeros(400))
    assert choose_half_life(log, hold_out(log), 30.0, quiet) is None
    few = fashions(users=49)
    assert choose_half_life(few, hold_out(few), 30.0, quiet) is None

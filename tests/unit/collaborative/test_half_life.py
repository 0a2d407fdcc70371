"""How soon popularity halves: counted as it was when a user was asked."""

from types import SimpleNamespace

import numpy as np
import pytest

from recsys_pg.collaborative.half_life import _counts, _ndcg, choose_half_life
from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.log import InteractionLog

DAY = 86_400_000_000


class Settings:
    """A connection that knows the settings."""

    def __init__(self, days, chosen=None):
        self.rows = [("popularity.half_life_days", days)]
        if chosen is not None:
            self.rows.append(("popularity.chosen_half_life_days", chosen))

    def execute(self, *_):
        return SimpleNamespace(fetchall=lambda: self.rows)


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


def test_counts_are_those_of_the_likes_before_halved_by_age():
    log = InteractionLog.of(
        [1, 1, 1, 2, 2], [10, 11, 10, 10, 12], [1, 1, 0.5, -1, 1], np.array([0, 1, 4, 4, 9]) * DAY
    )
    moments = [0, 4 * DAY, 6 * DAY, 9000 * DAY]
    found = list(_counts(log, moments, np.array([1.0, 2.0])))
    for moment, counts in zip(moments, found, strict=True):
        for row, half_life in zip(counts, (1.0, 2.0), strict=True):
            expected = np.zeros(3)
            for item, weight, time in zip(log.items, log.weights, log.times, strict=True):
                if weight > 0 and time < moment:
                    expected[item] += weight * 2 ** (-(moment - time) / DAY / half_life)
            assert row == pytest.approx(expected, rel=1e-6, abs=1e-30)
    assert found[1][0].tolist() == pytest.approx([2**-4, 2**-3, 0])


def test_nobody_is_asked_with_what_came_later():
    """Everybody goes on to like what others come to after that, so that popularity knows nothing."""
    users = np.repeat(range(200), 2)
    places = np.tile([0, 1], 200)
    log = InteractionLog.of(users, users + places, np.ones(400), (2 * users + places) * DAY)
    held = hold_out(log, targets=1)
    asked = np.flatnonzero(np.diff(held.targets.indptr))
    assert len(asked) > 100
    [known] = _ndcg(np.array([30.0]), held, asked, quiet)
    assert known.mean() < 0.02


def test_what_passes_soon_halves_soon_and_what_lasts_late():
    soon = choose_half_life(Settings(30.0), hold_out(fashions()), quiet)
    assert soon.days <= 7
    assert soon.ndcg > 1.5 * soon.ndcg_in_use
    assert soon.is_free
    late = choose_half_life(Settings(1.0), hold_out(classics()), quiet)
    assert late.days >= 120
    assert not late.is_free


def test_what_is_no_better_beyond_chance_leaves_the_setting():
    held = hold_out(fashions())
    days = choose_half_life(Settings(30.0), held, quiet).days
    again = choose_half_life(Settings(days, chosen=days), held, quiet)
    assert (again.days, again.is_free) == (days, True)
    assert again.ndcg == again.ndcg_in_use


def test_without_an_order_of_times_nothing_is_chosen():
    log = InteractionLog.of(np.repeat(range(50), 4), np.arange(200) % 20, np.ones(200), np.zeros(200))
    assert choose_half_life(Settings(30.0), hold_out(log), quiet) is None

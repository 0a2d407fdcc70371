"""The intervals: they hold the truth about as often as they say, and pairing narrows them."""

import numpy as np
import pytest

from recsys_pg.collaborative.bootstrap import estimate


def test_the_interval_is_that_of_the_normal_approximation_for_many_users():
    values = np.random.default_rng(1).normal(0.3, 0.2, 4000)
    found = estimate(values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=half / 10
    )


def test_the_interval_holds_the_truth_in_about_95_of_100_samples():
    random = np.random.default_rng(2)
    inside = sum(
        found.low <= 0.5 <= found.high for found in (estimate(random.random(200), seed=n) for n in range(400))
    )
    assert 0.92 * 400 < inside < 0.98 * 400


def test_the_difference_of_the_same_users_is_surer_than_their_means():
    random = np.random.default_rng(3)
    worse = random.random(500)
    better = worse + random.normal(0.02, 0.05, 500)
    assert estimate(better - worse).sign == 1
    assert estimate(worse - better).sign == -1
    assert estimate(better).low < estimate(worse).high


def test_the_same_seed_draws_the_same_and_no_difference_is_none():
    values = np.random.default_rng(4).random(50)
    assert estimate(values, seed=5) == estimate(values, seed=5)
    nothing = estimate(np.zeros(20))
    assert (nothing.mean, nothing.low, nothing.high, nothing.sign) == (0, 0, 0, 0)

"""The time split: how much of each user is held out, and that the past never follows the future."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation import last_of_each_user

LOG = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=60)


@settings(deadline=None)
@given(LOG, st.sampled_from([0, 0.2, 0.29, 0.5, 0.9]))
def test_the_last_share_of_each_user_is_held_out_and_ties_keep_their_order(log, share):
    users = np.array([user for user, _ in log], dtype=np.int64)
    times = np.array([time for _, time in log], dtype=np.int64)
    held_out = last_of_each_user(users, times, share)
    for user in np.unique(users):
        mine = np.flatnonzero(users == user)
        expected = sorted(mine, key=lambda row: (times[row], row))
        count = int(np.floor(round(share * len(mine), 6)))
        assert set(mine[held_out[mine]]) == set(expected[len(mine) - count :])


def test_times_may_be_datetimes():
    times = np.array(["2026-01-02", "2026-01-01", "2026-01-03", "2026-01-05", "2026-01-04"], "datetime64[s]")
    assert last_of_each_user([1] * 5, times).tolist() == [False, False, False, True, False]


def test_no_interactions_are_no_error():
    assert last_of_each_user([], []).tolist() == []


@pytest.mark.parametrize("share", [-0.1, 1, float("nan")])
def test_a_share_out_of_its_range_is_refused(share):
    with pytest.raises(InvalidArgumentError, match="share is"):
        last_of_each_user([1], [1], share)


def test_a_time_too_many_is_refused():
    with pytest.raises(InvalidArgumentError, match="shape"):
        last_of_each_user([1, 2], [1, 2, 3])

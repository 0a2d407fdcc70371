"""The interactions as flat arrays."""

import numpy as np
import pytest

from recsys_pg.collaborative.log import InteractionLog


def test_it_is_sorted_by_user_and_time_and_equal_times_keep_their_order():
    log = InteractionLog.of([9, 5, 9, 5, 9], [70, 60, 80, 60, 90], [1, 0.5, 1, 1, -1], [3, 2, 1, 1, 3])
    assert log.user_ids.tolist() == [5, 9]
    assert log.item_ids.tolist() == [60, 70, 80, 90]
    assert log.users.tolist() == [0, 0, 1, 1, 1]
    assert log.items.tolist() == [0, 0, 2, 1, 3]
    assert log.weights.tolist() == [1, 0.5, 1, 1, -1]


def test_likes_are_summed_up_to_one_and_dislikes_are_left_out():
    log = InteractionLog.of([1, 1, 1, 2, 2, 2], [5, 5, 6, 5, 6, 6], [0.7, 0.7, 0.2, -1, 0.3, -0.3], range(6))
    assert log.likes.toarray() == pytest.approx(np.array([[1, 0.2], [0, 0]], dtype=np.float32))
    assert log.likes.nnz == 2


def test_sequences_hold_what_was_liked_and_no_repetition_in_a_row():
    log = InteractionLog.of([1, 1, 1, 1, 2, 2], [5, 5, 6, 5, 5, 7], [0.2, 1, -1, 1, 1, 1], range(6))
    assert log.sequences.items.tolist() == [0, 0, 2]
    assert log.sequences.users.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("times", "is_ordered"), [([1, 2, 3, 1, 2], True), ([7, 7, 7, 7, 7], False), ([1, 2, 3, 1, 1], True)]
)
def test_it_is_ordered_if_times_differ(times, is_ordered):
    assert InteractionLog.of([1, 1, 1, 2, 2], range(5), np.ones(5), times).is_ordered is is_ordered


def test_one_interaction_has_no_order():
    assert not InteractionLog.of([1], [2], [1], [3]).is_ordered
    assert not InteractionLog.of([1, 2], [2, 2], [1, 1], [3, 4]).is_ordered


def test_a_part_keeps_the_positions_of_users_and_items():
    log = InteractionLog.of([1, 2], [5, 6], [1, 1], [0, 0])
    part = log.part(np.array([False, True]))
    assert part.users.tolist() == [1]
    assert part.items.tolist() == [1]
    assert part.likes.shape == (2, 2)

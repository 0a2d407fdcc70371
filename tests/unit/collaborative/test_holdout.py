"""What is held out, and that nothing of it is learned from."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsys_pg.collaborative.holdout import LONGEST, hold_out
from recsys_pg.collaborative.log import InteractionLog

EVENTS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.sampled_from([-1, 0, 0.5, 1]), st.integers(0, 30)),
    min_size=2,
    max_size=60,
)


def pairs(matrix) -> set[tuple[int, int]]:
    rows, columns = matrix.nonzero()
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


@given(EVENTS, st.sampled_from([None, 1, 2]), st.booleans())
def test_targets_are_never_seen_nor_learned(events, targets, ordered):
    users, items, weights, times = zip(*events, strict=True)
    log = InteractionLog.of(users, items, weights, times if ordered else np.zeros(len(times)))
    liked = np.bincount(log.users[log.weights > 0], minlength=len(log.user_ids))
    assume(liked.max() > (targets or 1))
    held = hold_out(log, targets=targets)
    assert not pairs(held.targets) & pairs(held.seen)
    # nothing where everybody did everything at one time
    assert (len(held.learned) < len(log)) == (held.again.nnz > 0)
    learned = held.learned
    assert set(zip(learned.users.tolist(), learned.items.tolist(), strict=True)) <= set(
        zip(log.users.tolist(), log.items.tolist(), strict=True)
    )
    assert held.histories.n_users == held.targets.shape[0]


def test_the_latest_likes_are_held_out_and_all_that_came_after_the_first_of_them():
    log = InteractionLog.of([1] * 5, [10, 11, 12, 13, 14], [1, 1, 1, -1, 1], range(5))
    held = hold_out(log, targets=2)
    assert held.learned.items.tolist() == [0, 1]
    assert pairs(held.targets) == {(0, 2), (0, 4)}
    assert held.histories.items.tolist() == [1, 0]


def test_a_basket_is_held_out_whole():
    log = InteractionLog.of([1] * 6, [10, 11, 12, 13, 14, 15], [1, 1, 1, -1, 1, 1], [1, 1, 2, 2, 2, 3])
    held = hold_out(log, targets=2)
    assert held.learned.items.tolist() == [0, 1]
    assert pairs(held.targets) == {(0, 2), (0, 4), (0, 5)}
    assert pairs(held.seen) == {(0, 0), (0, 1)}


def test_who_did_everything_at_one_time_is_learned_from_and_not_asked():
    log = InteractionLog.of([1, 1, 1, 2, 2, 2], [10, 11, 12, 10, 11, 12], np.ones(6), [5, 5, 5, 6, 7, 8])
    held = hold_out(log, targets=1)
    assert held.learned.users.tolist() == [0, 0, 0, 1, 1]
    assert pairs(held.targets) == {(0, 2)}
    assert held.histories.n_users == 1


def test_without_an_order_likes_are_drawn():
    log = InteractionLog.of(np.repeat(range(100), 10), np.tile(range(10), 100), np.ones(1000), np.zeros(1000))
    held = hold_out(log, targets=2)
    assert (np.diff(held.targets.indptr) == 2).all()
    assert len(np.unique(held.targets.indices)) == 10
    assert len(held.learned) == 80 * 8


def test_a_tenth_is_held_out_of_each_user_and_no_more_than_ten():
    lengths = [1, 2, 10, 39, 400]
    users = np.repeat(range(5), lengths)
    log = InteractionLog.of(
        users, np.concatenate([range(n) for n in lengths]), np.ones(len(users)), range(len(users))
    )
    held = hold_out(log)
    assert np.diff(held.targets.indptr).tolist() == [1, 1, 3, LONGEST]
    assert len(held.learned) == sum(lengths) - 15


def test_no_more_users_than_wanted_are_asked():
    log = InteractionLog.of(np.repeat(range(50), 4), np.tile(range(4), 50), np.ones(200), range(200))
    held = hold_out(log, users=10, seed=3)
    assert held.targets.shape[0] == 10
    assert len(held.learned) == 190
    assert pairs(held.targets) == pairs(hold_out(log, users=10, seed=3).targets)


def test_a_target_that_was_seen_before_is_none():
    log = InteractionLog.of([1, 1, 1], [10, 11, 10], [1, 1, 1], [0, 1, 2])
    assert pairs(hold_out(log, targets=1).targets) == set()


@pytest.mark.parametrize("seed", [0, 1])
def test_users_are_numbered_alike_everywhere(seed):
    random = np.random.default_rng(seed)
    log = InteractionLog.of(
        random.integers(0, 30, 300), random.integers(0, 40, 300), np.ones(300), range(300)
    )
    held = hold_out(log, users=12, seed=seed)
    for user in range(held.histories.n_users):
        known = set(held.histories.items[held.histories.users == user].tolist())
        assert known == set(held.seen.indices[slice(*held.seen.indptr[user : user + 2])].tolist())


def held_out_of(*events):
    """Of a user who liked two items of another kind before: (item, weight, consumption) in their order."""
    events = [(98, 1, 9), (99, 1, 9), *events]
    items, weights, consumptions = zip(*events, strict=True)
    log = InteractionLog.of([1] * len(events), items, weights, range(len(events)), consumptions=consumptions)
    held = hold_out(log, targets=1)

    def ids(matrix):
        return log.item_ids[matrix.indices].tolist()

    return ids(held.targets), ids(held.again), ids(held.seen), log.item_ids[held.learned.items].tolist()


def test_what_led_to_a_purchase_is_held_out_with_it():
    targets, again, seen, learned = held_out_of((5, 0.1, 0), (6, 0.1, 0), (5, 0.2, 0), (5, 1, 1))
    assert targets == again == [5]
    assert seen == [6, 98, 99]
    assert learned == [98, 99, 6]


def test_what_is_bought_once_more_is_a_repeat():
    targets, again, seen, learned = held_out_of((5, 1, 1), (6, 1, 1), (5, 0.1, 0), (5, 1, 1))
    assert targets == []
    assert again == [5]
    assert learned == [98, 99, 5, 6, 5]
    assert seen == [5, 6, 98, 99]


def test_an_opinion_on_what_one_has_is_no_target():
    targets, again, seen, _ = held_out_of((5, 1, 1), (6, 1, 1), (5, 1, 2))
    assert targets == again == []
    assert seen == [5, 6, 98, 99]


def test_what_says_nothing_is_not_seen():
    targets, again, seen, _ = held_out_of((5, 0, 0), (6, 0, 0), (7, 0, 3), (5, 1, 1))
    assert targets == again == [5]
    assert seen == [7, 98, 99]


def test_of_whom_all_led_to_one_purchase_nothing_is_held_out():
    log = InteractionLog.of([1] * 3, [5, 5, 5], [0.1, 0.1, 1], range(3), consumptions=[0, 0, 1])
    held = hold_out(log, targets=1)
    assert len(held.learned) == 3
    assert held.again.nnz == 0

"""What is known of a user at a moment, against a plain reading of its definition."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_pg.collaborative.histories import (
    MeanQuery,
    histories,
    histories_at,
    sampled_histories,
    served,
    steps,
)
from recsys_pg.collaborative.log import InteractionLog

EVENTS = st.lists(
    st.tuples(
        st.integers(1, 4), st.integers(1, 6), st.sampled_from([-1, -0.5, 0, 0.2, 0.5, 1]), st.integers(0, 5)
    ),
    min_size=1,
    max_size=40,
)


def log_of(events) -> InteractionLog:
    return InteractionLog.of(*zip(*events, strict=True))


def expected(log: InteractionLog, moment: int, length: int) -> list[tuple[int, float]]:
    """The items of a history, latest first, and what each says."""
    of_user = [p for p in range(moment + 1) if log.users[p] == log.users[moment]][-length:]
    latest_first = []
    for position in reversed(of_user):
        if log.items[position] not in latest_first:
            latest_first.append(int(log.items[position]))
    sums = [
        np.clip(np.round(sum(float(log.weights[p]) for p in of_user if log.items[p] == item), 6), -1, 1)
        for item in latest_first
    ]
    return [(item, total) for item, total in zip(latest_first, sums, strict=True) if total != 0]


@given(EVENTS, st.integers(1, 8))
def test_every_moment_has_the_latest_items_with_the_sums_of_their_weights(events, length):
    log = InteractionLog.of(*zip(*events, strict=True), history_length=length)
    found = histories_at(log, np.arange(len(log)))
    for moment in range(len(log)):
        rows = np.flatnonzero(found.users == moment)
        assert found.ages[rows].tolist() == list(range(len(rows)))
        assert [
            (int(found.items[row]), pytest.approx(float(found.weights[row]), abs=1e-6)) for row in rows
        ] == expected(log, moment, length)


@given(EVENTS)
def test_the_history_of_a_user_is_that_after_the_last_interaction(events):
    log = log_of(events)
    last = [max(np.flatnonzero(log.users == user)) for user in range(len(log.user_ids))]
    of_users, at_moments = histories(log), histories_at(log, np.array(last))
    assert of_users.items.tolist() == at_moments.items.tolist()
    assert of_users.n_users == len(log.user_ids)


def test_what_cancels_out_is_not_in_the_history():
    found = histories(log_of([(1, 7, 0.1, 0), (1, 8, 1, 1), (1, 7, 0.2, 2), (1, 7, -0.3, 3)]))
    assert found.items.tolist() == [1]
    assert found.ages.tolist() == [0]


def test_weights_decay_by_steps_and_the_root_of_their_sum_divides_them():
    log = log_of([(1, item, 1 if item != 3 else -1, item) for item in range(1, 5)])
    decayed = histories(log).decayed(0.5).toarray()
    total = np.sqrt(1 + 0.5 + 0.25 + 0.125)
    assert decayed[0] == pytest.approx(np.array([0.125, 0.25, -0.5, 1]) / total)


def test_decaying_leaves_the_history_as_it_is():
    found = histories(log_of([(1, item, 1, item) for item in (5, 3, 9, 1)]))
    before = found.items.tolist()
    found.decayed(0.5)
    assert found.items.tolist() == before


def test_ages_count_in_27_steps_up_to_the_longest_history():
    counted = steps(np.arange(200))
    assert len(np.unique(counted)) == 27
    assert (counted <= np.arange(200)).all()
    assert (counted > np.arange(200) * 0.79 - 1).all()


def test_sampled_moments_are_the_same_for_a_seed():
    log = log_of([(user, item, 1, item) for user in range(20) for item in range(10)])
    first, second, other = (sampled_histories(log, 50, seed=seed) for seed in (1, 1, 2))
    assert first.n_users == 50
    assert first.items.tolist() == second.items.tolist()
    assert first.items.tolist() != other.items.tolist()
    assert sampled_histories(log, 1000).n_users == 200


def test_a_dislike_speaks_against_items_and_never_for_one():
    log = InteractionLog.of([1, 1, 1, 2, 2, 3], [0, 1, 2, 0, 3, 4], [1, -1, 0.5, 0.3, 1, -0.5], range(6))
    known = histories(log)
    graph = np.random.default_rng(0).normal(size=(5, 5))
    decayed = known.decayed(0.9).toarray()
    expected = np.maximum(decayed, 0) @ graph + np.minimum(0, np.minimum(decayed, 0) @ graph)
    found = served(lambda part: part.decayed(0.9) @ graph, known)
    assert found == pytest.approx(expected, abs=1e-6)
    # who dislikes nothing has the plain sum
    assert found[1] == pytest.approx(decayed[1] @ graph, abs=1e-6)
    assert (found[2] <= 0).all()
    mean = MeanQuery(np.ones(3, np.float32), 2.0)
    assert not mean.queries(replace(known, side=-1)).any()
    assert mean.queries(replace(known, side=1))[0].all()

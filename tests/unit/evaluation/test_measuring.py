"""From lists to results: against the metrics one by one."""

import numpy as np
import pytest

from recsys_pg.evaluation import ndcg, recall
from recsys_pg.evaluation.asking import Answers
from recsys_pg.evaluation.known import Known
from recsys_pg.evaluation.measuring import method_results, segment_result
from recsys_pg.evaluation.targets import Question, Segment, segments

LISTS = {1: (5, 6, 7, 8), 2: (6, 5, 9, 8), 3: (7, 6)}
POPULAR = dict.fromkeys(LISTS, (9, 8, 7, 6))
TARGETS = {1: frozenset({6, 9}), 2: frozenset({6}), 3: frozenset({1})}
KNOWN = Known(
    items=10,
    embedded_items=2,
    interactions=9,
    users=4,
    active_users=2,
    of_user={1: 7, 2: 2},
    by_users={5: 2, 6: 1, 9: 2},
)
ANSWERS = {"popular": Answers(POPULAR, 1.0), "hybrid": Answers(LISTS, 2.0)}
VECTORS = {5: np.array([1.0, 0.0], np.float32), 6: np.array([0.0, 1.0], np.float32)}


def test_the_numbers_are_means_over_the_users():
    popular, hybrid = method_results(ANSWERS, TARGETS, KNOWN, VECTORS, (2, 4))
    expected = [np.mean([ndcg(LISTS[user], TARGETS[user], k) for user in LISTS]) for k in (2, 4)]
    assert [each.ndcg for each in hybrid.accuracy] == pytest.approx(expected)
    assert hybrid.ndcg.mean == pytest.approx(expected[0])
    assert hybrid.recall_at == pytest.approx(
        [np.mean([recall(LISTS[user], TARGETS[user], k) for user in LISTS]) for k in (1, 2, 3, 4)]
    )
    assert hybrid.accuracy[1].recall == pytest.approx(hybrid.recall_at[-1])
    assert (hybrid.milliseconds, popular.milliseconds) == (2.0, 1.0)


def test_hybrid_is_what_the_others_are_compared_with_and_else_the_first():
    popular, hybrid = method_results(ANSWERS, TARGETS, KNOWN, VECTORS, (2,))
    assert hybrid.difference is None
    assert popular.difference is not None
    assert popular.difference.mean == pytest.approx(hybrid.ndcg.mean - popular.ndcg.mean)
    [alone] = method_results({"popular": ANSWERS["popular"]}, TARGETS, KNOWN, VECTORS, (2,))
    assert alone.difference is None


def test_exposure_is_that_of_the_first_places():
    _, hybrid = method_results(ANSWERS, TARGETS, KNOWN, VECTORS, (2, 4))
    assert hybrid.exposure.k == 2
    assert hybrid.exposure.coverage == 3 / 10
    assert hybrid.exposure.diversity == 1  # the two lists of 5 and 6; 7 has no vector
    assert hybrid.exposure.cold_share == pytest.approx((0 + 0 + 1 / 2) / 3)
    popular, _ = method_results(ANSWERS, TARGETS, KNOWN, VECTORS, (2, 4))
    assert popular.exposure.diversity is None


def test_segments_part_the_users_and_the_targets():
    asked = Question(TARGETS, {1: frozenset({9})}, 3)
    found = {each.name: each.targets for each in segments(asked, KNOWN, KNOWN.of_user, repeats=True)}
    assert found == {
        "known items": {1: {6, 9}, 2: {6}},
        "cold items": {3: {1}},
        "known users": {1: {6, 9}},
        "new users": {2: {6}},
        "unknown users": {3: {1}},
        "repeats": {1: {9}},
        "first times": {1: {6}, 2: {6}, 3: {1}},
    }
    without = segments(Question({2: frozenset({6})}, {}, 1), KNOWN, KNOWN.of_user)
    assert [each.name for each in without] == ["known items", "new users"]


def test_a_segment_is_measured_on_its_own_targets_in_the_same_lists():
    segment = Segment("repeats", "", {1: frozenset({9}), 2: frozenset({6})})
    found = segment_result(ANSWERS, segment, (4,))
    assert (found.users, found.targets) == (2, 2)
    assert found.accuracy["hybrid"][0].recall == 0.5
    assert found.accuracy["popular"][0].recall == 1

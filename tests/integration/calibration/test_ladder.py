"""The smallest value that reaches a recall."""

from recsys_pg.calibration.ladder import Ladder, climb
from recsys_pg.calibration.trial import Outcome

LADDER = Ladder("Phase", (40, 100, 400, 1000), 0.99, "do this")


def fitted(current, recalls, times=None):
    """The value and the reason for recalls by value; the times are the values unless given."""
    measured = []

    def measure(value):
        measured.append(value)
        return [Outcome("index_walk", recalls[value], (times or {}).get(value, value))] * 2

    value, reason = climb(LADDER, current, measure, lambda *_: None)
    assert len(measured) == len(set(measured))  # nothing is measured twice
    return value, reason


def test_the_first_value_that_reaches_the_recall_is_taken():
    value, reason = fitted(100, {40: 0.9, 100: 0.98, 400: 0.995})
    assert value == 400
    assert reason == "recall 0.9950 in 400.0 ms; recall 0.9800 in 100.0 ms with 100"


def test_a_value_that_is_slower_and_no_better_than_needed_is_lowered():
    assert fitted(1000, {40: 0.9, 100: 0.99, 1000: 1})[0] == 100


def test_a_greater_value_that_costs_no_more_is_kept():
    value, reason = fitted(250, {40: 1, 250: 1}, {40: 1, 250: 1.04})
    assert value == 250
    assert reason.endswith("with 40: kept")


def test_a_greater_value_that_costs_no_more_but_misses_the_recall_is_not_kept():
    assert fitted(250, {40: 0.99, 250: 0.98}, {40: 1, 250: 1})[0] == 40


def test_when_no_value_reaches_it_the_last_is_taken_with_the_remedy():
    value, reason = fitted(100, dict.fromkeys((40, 100, 400, 1000), 0.9))
    assert value == 1000
    assert "still below 0.99: do this" in reason


def test_what_no_search_shows_stays():
    assert climb(LADDER, 77, lambda value: [], lambda *_: None)[0] == 77

"""Where one way of searching gets faster than the other."""

import pytest

from recsys_pg.calibration.limits import Race, least_time

ROWS = (100, 300, 1_000, 3_000, 10_000, 30_000)


def races(milliseconds, milliseconds_else):
    return [Race(rows, milliseconds(rows), milliseconds_else(rows)) for rows in ROWS]


@pytest.mark.parametrize(
    ("fixed", "limit"),
    [(0.5, 300), (2, 1_000), (5, 3_000), (1_000, 30_000)],
)
def test_the_limit_is_the_last_size_at_which_the_way_below_is_faster(fixed, limit):
    found, why = least_time(races(lambda rows: rows / 1000, lambda rows: fixed), 100)
    assert found == limit
    assert "with 100" in why


def test_a_limit_that_saves_little_stays():
    found, why = least_time(races(lambda rows: 1.0, lambda rows: 0.99), 2_000)
    assert found == 2_000
    assert "kept" in why


def test_one_slow_search_does_not_move_the_limit():
    measured = races(lambda rows: rows / 1000, lambda rows: 5)
    measured[0] = Race(100, 6, 5)
    assert least_time(measured, 100)[0] == 3_000


def test_a_limit_has_two_digits():
    found, _ = least_time([Race(12_345, 1, 9), Race(98_765, 9, 1)], 1)
    assert found == 13_000
    assert least_time([Race(7, 1, 9)], 1)[0] == 7


def test_without_searches_the_limit_stays():
    found, why = least_time([], 777)
    assert found == 777
    assert "not measured" in why

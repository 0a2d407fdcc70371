"""Threads: results come in order, and the linear algebra within them takes one thread."""

import time

import pytest
from threadpoolctl import threadpool_info

from recsys_pg.collaborative.threads import in_threads, n_threads


def test_results_come_in_the_order_of_the_items():
    def slowest_first(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert list(in_threads(slowest_first, range(10), threads=4)) == [number**2 for number in range(10)]


def test_a_call_has_one_thread_for_linear_algebra_and_then_all_are_given_back():
    before = n_threads()
    assert max(in_threads(lambda _: n_threads(), range(4))) == 1
    assert n_threads() == before
    assert threadpool_info()


def test_an_error_of_a_call_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 / number, [1, 0]))

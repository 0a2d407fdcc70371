"""Threads that do steps: what they return, how they end, and what is not waited for."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recsys_pg.embedding.lanes import Bell, Lanes, Turns


def look() -> None:
    pass


def test_all_that_the_steps_return_is_yielded():
    numbers = iter(range(100))
    lock = threading.Lock()

    def step(is_stopped):
        with lock:
            return next(numbers, None)

    assert sorted(Lanes(step, 3, Bell()).run(threading.Event(), look)) == list(range(100))


def test_the_steps_run_at_the_same_time():
    barrier = threading.Barrier(3, timeout=30)

    def step(is_stopped):
        barrier.wait()

    assert list(Lanes(step, 3, Bell()).run(threading.Event(), look)) == []


def test_an_error_is_raised_after_the_other_steps_have_ended_and_what_they_return_is_kept():
    failed = threading.Event()
    turns = iter(["fail", "work"])

    def step(is_stopped):
        if next(turns) == "fail":
            failed.set()
            raise ValueError("no")
        failed.wait(30)
        time.sleep(0.2)
        return "done"

    lanes = Lanes(step, 2, Bell()).run(threading.Event(), look)
    assert next(lanes) == "done"
    with pytest.raises(ValueError, match="no"):
        next(lanes)


def test_a_stop_ends_the_threads_that_wait():
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    assert list(Lanes(lambda is_stopped: None, 2, Bell(), idle_seconds=60).run(stop, look)) == []
    assert time.monotonic() - started < 10


def test_a_step_sees_that_it_is_to_stop():
    stop = threading.Event()

    def step(is_stopped):
        stop.set()
        while not is_stopped():
            time.sleep(0.01)
        return "stopped"

    assert list(Lanes(step, 1, Bell()).run(stop, look)) == ["stopped"]


def test_an_error_of_the_look_does_not_wait_for_a_step_that_never_ends():
    hangs = threading.Event()

    def fail():
        if hangs.is_set():
            raise TimeoutError("hangs")

    def step(is_stopped):
        hangs.set()
        time.sleep(60)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        list(Lanes(step, 1, Bell()).run(threading.Event(), fail))
    assert time.monotonic() - started < 10


def test_a_bell_that_rings_between_a_look_and_the_wait_is_heard():
    bell = Bell()
    rings = bell.rings
    bell.ring()
    started = time.monotonic()
    bell.wait(rings, 60)
    assert time.monotonic() - started < 10


def test_who_needs_to_be_alone_waits_for_the_others_and_keeps_them_from_choosing():
    turns, begun, end, log = Turns(), threading.Event(), threading.Event(), []

    def work(name, alone):
        with turns.turn(lambda: log.append(f"{name} chooses") or name, lambda _: alone):
            log.append(f"{name} works")
            if name == "first":
                begun.set()
                end.wait(30)
            log.append(f"{name} ends")

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(work, "first", False)
        begun.wait(30)
        alone = pool.submit(work, "alone", True)
        while "alone chooses" not in log:
            time.sleep(0.01)
        last = pool.submit(work, "last", False)
        time.sleep(0.1)
        assert log == ["first chooses", "first works", "alone chooses"]
        end.set()
        for each in (first, alone, last):
            each.result()
    assert log[3:] == [
        "first ends",
        "alone works",
        "alone ends",
        "last chooses",
        "last works",
        "last ends",
    ]


def test_an_error_in_a_turn_ends_it():
    turns = Turns()
    for alone in (False, True, False):
        with pytest.raises(KeyError), turns.turn(lambda: 1, lambda _, alone=alone: alone):
            raise KeyError

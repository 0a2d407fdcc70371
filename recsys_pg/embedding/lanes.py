"""Threads that each do one step after another, watched by the thread that started them."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")
Chosen = TypeVar("Chosen")

_LOOK_SECONDS = 0.1
_JOIN_SECONDS = 600.0


class Bell:
    """Wakes whoever waits; a ring between a look and the wait for the next is not missed."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it rang."""
        return self._rings

    def ring(self) -> None:
        """Wake all that wait."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, rings: int, seconds: float) -> None:
        """Wait until it rings again after so many rings, no longer than some seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != rings, seconds)


class Turns:
    """Lets threads work side by side, or one of them alone."""

    def __init__(self) -> None:
        self._choosing = threading.Lock()
        self._changed = threading.Condition()
        self._busy = 0

    @contextmanager
    def turn(self, choose: Callable[[], Chosen], is_alone: Callable[[Chosen], bool]) -> Iterator[Chosen]:
        """Choose what to work at while nobody else does, and work at it in the block.

        What needs to be alone waits until the others have ended, and nobody chooses until it has ended.
        """
        with self._choosing:
            chosen = choose()
            if is_alone(chosen):
                with self._changed:
                    self._changed.wait_for(lambda: self._busy == 0)
                yield chosen
                return
            with self._changed:
                self._busy += 1
        try:
            yield chosen
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()


class Lanes(Generic[Outcome]):
    """Runs ``step`` in ``count`` threads, again and again.

    ``step`` gets a function that tells whether to stop, and returns None when it found nothing to do. Then
    its thread ends, or with ``idle_seconds`` waits so long, or until the bell rings, for the next step.
    """

    def __init__(
        self,
        step: Callable[[Callable[[], bool]], Outcome | None],
        count: int,
        bell: Bell,
        idle_seconds: float | None = None,
    ) -> None:
        self._step = step
        self._bell = bell
        self._idle_seconds = idle_seconds
        self._halt = threading.Event()
        self._outcomes: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
        # as daemons, so that a step that never returns does not keep the process from ending
        self._threads = [
            threading.Thread(target=self._run, name=f"recsys-pg-lane-{number}", daemon=True)
            for number in range(1, count + 1)
        ]
        self._is_stopped = self._halt.is_set

    def run(self, stop: threading.Event, look: Callable[[], object]) -> Iterator[Outcome]:
        """Yields what the steps return until all threads have ended, which they do once ``stop`` is set.

        The first error of a step ends all threads after the steps that are going on, and is raised then. An
        error of ``look``, which is called several times a second, is raised at once: it may be about a step
        that never ends.
        """
        # by themselves, so that none begins another step before this thread looks
        self._is_stopped = lambda: self._halt.is_set() or stop.is_set()
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        failure: BaseException | None = None
        patience = _JOIN_SECONDS
        try:
            while running:
                if stop.is_set():
                    self._end()
                try:
                    look()
                except BaseException:
                    patience = _LOOK_SECONDS
                    raise
                try:
                    outcome = self._outcomes.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    continue
                if isinstance(outcome, BaseException):
                    failure = failure or outcome
                    self._end()
                    running -= 1
                elif outcome is None:
                    running -= 1
                else:
                    yield outcome
            if failure is not None:
                raise failure
        finally:
            self._end()
            deadline = time.monotonic() + patience
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _end(self) -> None:
        self._halt.set()
        self._bell.ring()

    def _run(self) -> None:
        try:
            while not self._is_stopped():
                rings = self._bell.rings
                outcome = self._step(self._is_stopped)
                if outcome is not None:
                    self._outcomes.put(outcome)
                elif self._idle_seconds is None:
                    break
                elif not self._is_stopped():
                    self._bell.wait(rings, self._idle_seconds)
        except BaseException as error:
            self._outcomes.put(error)
        else:
            self._outcomes.put(None)

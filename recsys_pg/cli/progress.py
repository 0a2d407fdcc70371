"""Progress on stderr: bars for whoever sits in front of the terminal, lines for a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from recsys_pg.types import Progress

_QUIET_SECONDS = 10.0
_LINE_SECONDS = 60.0


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """What to pass as ``progress``: one bar a phase, or lines where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    tasks = {}

    def show(phase: str, done: int, total: int | None) -> None:
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=total)
        bars.update(tasks[phase], completed=done, total=total)

    with bars:
        yield show


class _Lines:
    """A line a phase and a line a minute, once the work has taken ten seconds; what is short says nothing."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._phase = ""
        self._shown = 0.0

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._started < _QUIET_SECONDS:
            return
        if phase == self._phase and now - self._shown < _LINE_SECONDS:
            return
        self._phase, self._shown = phase, now
        of_all = f" {done:,} of {total:,}" if total else ""
        # a log that nobody reads any more is no reason to give up the work
        with suppress(OSError):
            print(f"{now - self._started:6.0f} s  {phase}{of_all}", file=sys.stderr, flush=True)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show the text and a spinner while the block runs; nothing when stderr is no terminal."""
    with Console(stderr=True).status(text):
        yield

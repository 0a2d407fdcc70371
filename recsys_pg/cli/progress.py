"""Progress bars on stderr, for whoever sits in front of the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from recsys_pg.types import Progress


@contextmanager
def progress_bars() -> Iterator[Progress | None]:
    """What to pass as ``progress``: one bar a phase; None when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
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


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show the text and a spinner while the block runs; nothing when stderr is no terminal."""
    with Console(stderr=True).status(text):
        yield

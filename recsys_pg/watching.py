"""How far the server is with an index that takes minutes, asked over a second connection."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from recsys_pg.types import Progress

_PAUSE_SECONDS = 0.5
_PROGRESS = (
    "select case when phase like 'waiting%%' then phase end,"
    " case when phase like 'waiting%%' then lockers_done else blocks_done end,"
    " nullif(case when phase like 'waiting%%' then lockers_total else blocks_total end, 0)"
    " from pg_stat_progress_create_index where pid = %s"
)


def beside(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Another connection to the same database, in autocommit."""
    info = connection.info
    return psycopg.connect(make_conninfo(info.dsn, password=info.password or None), autocommit=True)


def watched(
    connection: psycopg.Connection[Any], phase: str, work: Callable[[], object], progress: Progress
) -> None:
    """Build indexes on the connection in a thread, and report from this one, which also gets Ctrl-C.

    What progress raises ends the work. Where there is no second connection to be had, it goes on unreported.

    Args:
        connection: what the work uses.
        phase: what progress is called with, and the blocks of the table that are indexed and all; while the
            build waits for transactions that are older, with that too, and how many ended.
        work: done in the thread.
    """
    progress(phase, 0, None)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            if wait([future], _PAUSE_SECONDS).not_done:
                _report(connection, phase, future, progress)
            future.result()
        except BaseException:
            connection.cancel_safe()
            raise


def _report(
    connection: psycopg.Connection[Any], phase: str, future: "Future[object]", progress: Progress
) -> None:
    with suppress(psycopg.OperationalError), beside(connection) as second:
        while not future.done():
            row = second.execute(_PROGRESS, [connection.info.backend_pid]).fetchone()
            if row is not None:
                waits_for, done, total = row
                progress(f"{phase}: {waits_for}" if waits_for else phase, done, total)
            wait([future], _PAUSE_SECONDS)

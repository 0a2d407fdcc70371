"""How far the server is with an index that takes minutes, asked over a second connection."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

_PAUSE_SECONDS = 1.0
_PROGRESS = (
    "select coalesce(sum(blocks_done), 0)::bigint, coalesce(sum(blocks_total), 0)::bigint"
    " from pg_stat_progress_create_index where pid = %s"
)


def beside(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Another connection to the same database, in autocommit."""
    info = connection.info
    return psycopg.connect(make_conninfo(info.dsn, password=info.password or None), autocommit=True)


def watched(
    connection: psycopg.Connection[Any], work: Callable[[], None], progress: Callable[[int, int | None], None]
) -> None:
    """Do work on the connection in a thread, and report the blocks of a table that its index has, and all.

    While it waits for others, there are 0 of None. The calls of progress are made in this thread; what one
    raises ends the work.
    """
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            if wait([future], _PAUSE_SECONDS).not_done:
                _report(connection, lambda: bool(wait([future], _PAUSE_SECONDS).done), progress)
            future.result()
        except BaseException:
            connection.cancel()
            raise


def _report(
    connection: psycopg.Connection[Any],
    has_ended: Callable[[], bool],
    progress: Callable[[int, int | None], None],
) -> None:
    with beside(connection) as second:
        while not has_ended():
            row = second.execute(_PROGRESS, [connection.info.backend_pid]).fetchone()
            if row is not None:
                progress(row[0], row[1] or None)

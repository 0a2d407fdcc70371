"""Connections of the index builder: outside transactions, and one builder at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa

from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.errors import DatabaseError
from recsys_pg.indexes.condition import Connection

_LOCK_KEY = 0x696E6478  # "indx"; recsys_report.search_indexes looks for it too
_GONE_SECONDS = 2
"""How often the server looks whether the builder is still there, while it builds."""
_PATIENCE_SECONDS = 3 * _GONE_SECONDS
"""How long who comes next waits for the server to notice that a builder was killed."""


@contextmanager
def connected(engine: sa.Engine) -> Iterator[Connection]:
    """A connection in autocommit mode, with the errors of recsys_pg."""
    with (
        translated_errors(),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        yield driver_connection(connection)


def try_lock(connection: Connection, key: int) -> bool:
    """Take an advisory lock for the session; False if another process has it.

    Killed, this process loses it within seconds, whatever the server does for it then.
    """
    connection.execute(f"set client_connection_check_interval = '{_GONE_SECONDS}s'".encode())
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        (is_ours,) = connection.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone() or (False,)
        if is_ours or time.monotonic() > until:
            return bool(is_ours)
        time.sleep(0.2)


@contextmanager
def connected_alone(engine: sa.Engine) -> Iterator[Connection]:
    """The same, which keeps other builders out while it lives; it ends with the process, however that ends.

    Raises:
        DatabaseError: another process builds or drops.
    """
    with (
        translated_errors(),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        driver = driver_connection(connection)
        try:
            if not try_lock(driver, _LOCK_KEY):
                holder = driver.execute(
                    "select l.pid from pg_locks l join pg_database d on d.oid = l.database"
                    " where l.locktype = 'advisory' and l.classid = 0 and l.objid = %s and l.granted"
                    " and d.datname = current_database()",
                    (_LOCK_KEY,),
                ).fetchone()
                process = f" (server process {holder[0]})" if holder else ""
                raise DatabaseError(
                    f"Search indexes of this database are being built or dropped{process}.",
                    "Try again when that has ended.",
                )
            # the predicates are meant under this path
            driver.execute("set search_path = pg_catalog")
            yield driver
        finally:
            # the server may notice a closed connection only after the next builder has asked
            with suppress(psycopg.Error):
                driver.execute("select pg_advisory_unlock_all()")
            # closed instead of given back to the pool, where it would keep the settings
            connection.invalidate()

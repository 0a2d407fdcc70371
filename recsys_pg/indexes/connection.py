"""Connections of the index builder: outside transactions, and one builder at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa

from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.errors import DatabaseError
from recsys_pg.indexes.condition import Connection

_LOCK_KEY = 0x696E6478  # "indx"; recsys_report.search_indexes looks for it too


@contextmanager
def connected(engine: sa.Engine) -> Iterator[Connection]:
    """A connection in autocommit mode, with the errors of recsys_pg."""
    with (
        translated_errors(),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        yield driver_connection(connection)


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
            (alone,) = driver.execute("select pg_try_advisory_lock(%s)", (_LOCK_KEY,)).fetchone() or (False,)
            if not alone:
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

"""A vector index that a large load drops at its start and builds in the end, much faster than keeping it.

What is dropped is written down in recsys.deferred_indexes, in the same transaction, with what builds it. So a
load that is killed leaves work for whoever comes next, and nobody has to remember it. Who loads holds a lock
in share mode; who builds needs it alone, so that of several loads the last one builds.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from recsys_pg.db import driver_connection
from recsys_pg.types import Progress, unheard
from recsys_pg.vector_index import VECTOR_BYTES, build_vector_index, memory_mb_for
from recsys_pg.watching import watched

INDEX = "items_embedding_idx"

_LOCK_KEY = 0x64656672
_LOCK_TIMEOUT = "2s"
_FEWEST = 5_000
_MOST_WITHOUT = 30_000
"""Embedded items up to which searches do without the index: scanning their codes takes as long as a walk."""

_EMBEDDED = "select count(*) from (select from recsys.searchable_items limit %s) s"
_DEFER = """
insert into recsys.deferred_indexes (index_name, definition)
select %(name)s, pg_get_indexdef(i.indexrelid)
from pg_index i where i.indexrelid = to_regclass('recsys.' || %(name)s) and i.indisvalid
on conflict (index_name) do nothing
"""
_DEFERRED = """
select d.definition, coalesce(i.indisvalid and i.indisready, false)
from recsys.deferred_indexes d
left join pg_index i on i.indexrelid = to_regclass('recsys.' || d.index_name)
where d.index_name = %s
"""
_FORGET = "delete from recsys.deferred_indexes where index_name = %s"


@contextmanager
def built_last(engine: sa.Engine, rows: int, progress: Progress = unheard) -> Iterator[bool]:
    """Load items with vectors in the block; yields whether their index waits until the end.

    It does where ``rows`` are at least 5,000 and as many as there are, which are few enough to be searched
    without it; or where it waits already. After an error in the block it is left to the next load or worker.
    ``progress`` is told the blocks of the table that are indexed.
    """
    with _lock(engine, "pg_advisory_xact_lock_shared"):
        with _connected(engine) as connection:
            is_deferred = _is_deferred(connection) or (_is_worth_it(connection, rows) and _defer(connection))
        yield is_deferred
    if is_deferred:
        build_deferred(engine, progress)


def build_deferred(engine: sa.Engine, progress: Progress = unheard) -> bool:
    """Build the index if it waits and nobody loads any more; returns whether it was built."""
    with _connected(engine) as connection:
        if not _is_deferred(connection):
            return False
        with _lock(engine, "pg_try_advisory_xact_lock") as is_alone:
            return is_alone and _build(connection, progress)


@contextmanager
def _lock(engine: sa.Engine, function: str) -> Iterator[bool]:
    """Hold the lock in a transaction, which a proxy that pools transactions keeps too; yields whether it is.

    The transaction has no snapshot, so nothing waits for it. A load may outlive its connection.
    """
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        connection.exec_driver_sql("set local idle_in_transaction_session_timeout = 0")
        found = connection.exec_driver_sql(f"select {function}({_LOCK_KEY})").scalar()
        try:
            yield found is not False
        finally:
            with suppress(DBAPIError):
                connection.rollback()


@contextmanager
def _connected(engine: sa.Engine) -> Iterator[psycopg.Connection[Any]]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield driver_connection(connection)


def _is_deferred(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute(_DEFERRED, (INDEX,)).fetchone() is not None


def _is_worth_it(connection: psycopg.Connection[Any], rows: int) -> bool:
    if rows < _FEWEST:
        return False
    (embedded,) = connection.execute(_EMBEDDED, (_MOST_WITHOUT + 1,)).fetchone() or (0,)
    return bool(embedded <= min(rows, _MOST_WITHOUT))


def _defer(connection: psycopg.Connection[Any]) -> bool:
    """Drop it and write down how to build it; not where somebody uses it for long or it is another's."""
    try:
        with connection.transaction():
            connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
            # so that the definition names every schema
            connection.execute("set local search_path = pg_catalog")
            if connection.execute(_DEFER, {"name": INDEX}).rowcount == 0:
                return _is_deferred(connection)
            connection.execute(sql.SQL("drop index {}").format(sql.Identifier("recsys", INDEX)))
    except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
        return False
    return True


def _build(connection: psycopg.Connection[Any], progress: Progress) -> bool:
    row = connection.execute(_DEFERRED, (INDEX,)).fetchone()
    if row is None:
        return False
    definition, is_there = row
    if not is_there:
        _drop(connection)
        (rows,) = connection.execute("select count(*) from recsys.searchable_items").fetchone() or (0,)
        create = definition.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)

        def build() -> None:
            build_vector_index(
                connection,
                lambda: connection.execute(create),
                memory_mb=memory_mb_for(connection, rows, VECTOR_BYTES),
                undo=lambda: _drop(connection),
            )

        watched(connection, "index", build, progress)
    connection.execute(_FORGET, (INDEX,))
    return True


def _drop(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        sql.SQL("drop index concurrently if exists {}").format(sql.Identifier("recsys", INDEX))
    )

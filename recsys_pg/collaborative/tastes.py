"""The taste vectors of all users and the index over them, after a training."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any

import psycopg
from psycopg import sql

from recsys_pg.db import vector_schema
from recsys_pg.types import Progress
from recsys_pg.vector_index import VECTOR_BYTES, build_vector_index, memory_mb_for
from recsys_pg.watching import beside, watched

MANY_NEW = 20_000
"""Users who get a vector at once, from which on an index that is built in the end is faster than one kept."""

_USERS_A_BATCH = 5000
_CONNECTIONS = 2

_COUNTS = "select count(*), count(u.embedding) from recsys.users u"
_IS_INDEXED = (
    "select i.indisvalid and i.indisready from pg_index i"
    " where i.indexrelid = to_regclass('recsys.users_embedding_idx')"
)
_DROP = "drop index concurrently if exists recsys.users_embedding_idx"
_LAST_OF_BATCH = (
    "select max(b.id) from (select u.id from recsys.users u where u.id >= %s order by u.id limit %s) b"
)
_REFRESH = (
    "select recsys_api._refresh_tastes("
    "array(select u.id from recsys.users u where u.id between %s and %s), is_standby => %s)"
)


def refresh_tastes(connection: psycopg.Connection[Any], progress: Progress) -> None:
    """Recompute the catalogue's center and everybody's taste, some thousand users a transaction.

    Where more users get their first vector than have one, and they are many, the index is dropped and built
    anew in the end: to insert a vector takes ten times as long as to build an index with it. Meanwhile
    similar_users and the method user_based compare all users. What was killed before the index was there is
    made good by the next call.

    Args:
        connection: of the owner, in autocommit.
        progress: called during "refresh tastes" and "index tastes".
    """
    with alone_at_tastes(connection):
        is_indexed = _refresh(connection, progress)
    # who waits for the lock is older than the build, and a concurrent build waits for who is older
    if not is_indexed:
        watched(connection, "index tastes", lambda: _index(connection), progress)


@contextmanager
def alone_at_tastes(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Let nobody else refresh tastes meanwhile, who would lock the same users in another order."""
    connection.execute("select pg_advisory_lock(hashtext('recsys_api.refresh_tastes'))")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(hashtext('recsys_api.refresh_tastes'))")


def _refresh(connection: psycopg.Connection[Any], progress: Progress) -> bool:
    """Refresh all tastes; whether they are still indexed."""
    users, known = connection.execute(_COUNTS).fetchone() or (0, 0)
    row = connection.execute(_IS_INDEXED).fetchone()
    is_indexed = row is not None and bool(row[0])
    if users - known > max(MANY_NEW, known):
        is_indexed = False
    if not is_indexed:
        connection.execute(_DROP)
    compute_tastes(connection, users, progress)
    return is_indexed


def compute_tastes(
    connection: psycopg.Connection[Any], users: int, progress: Progress, *, is_standby: bool = False
) -> None:
    """The center, then users by their ids, some thousand a transaction, on two connections at a time.

    With ``is_standby``, those among the vectors of the standby model.
    """
    connection.execute("select recsys_api._refresh_center(%s)", (is_standby,))
    with ExitStack() as stack, ThreadPoolExecutor(_CONNECTIONS) as pool:
        free: SimpleQueue[psycopg.Connection[Any]] = SimpleQueue()
        for _ in range(_CONNECTIONS):
            free.put(stack.enter_context(beside(connection)))

        def refresh(between: tuple[int, int]) -> None:
            other = free.get()
            try:
                other.execute(_REFRESH, (*between, is_standby))
            finally:
                free.put(other)

        progress("refresh tastes", 0, users)
        for batch, _ in enumerate(pool.map(refresh, list(_batches(connection))), start=1):
            progress("refresh tastes", min(users, batch * _USERS_A_BATCH), users)


def _batches(connection: psycopg.Connection[Any]) -> Iterator[tuple[int, int]]:
    """The first and the last id of some thousand users each."""
    first = -(2**63)
    while True:
        (last,) = connection.execute(_LAST_OF_BATCH, (first, _USERS_A_BATCH)).fetchone() or (None,)
        if last is None:
            return
        yield first, last
        first = last + 1


def _index(connection: psycopg.Connection[Any]) -> None:
    _, known = connection.execute(_COUNTS).fetchone() or (0, 0)
    create = sql.SQL(
        "create index concurrently users_embedding_idx on recsys.users"
        " using hnsw (embedding {}.vector_cosine_ops)"
    ).format(sql.SQL(vector_schema(connection)))
    build_vector_index(
        connection,
        lambda: connection.execute(create),
        memory_mb=memory_mb_for(connection, known, VECTOR_BYTES),
        undo=lambda: connection.execute(_DROP),
    )

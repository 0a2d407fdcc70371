"""The taste vectors of all users and the index over them, after a training."""

from typing import Any

import psycopg
from psycopg import sql

from recsys_pg.collaborative.watching import watched
from recsys_pg.db import vector_schema
from recsys_pg.types import Progress
from recsys_pg.vector_index import VECTOR_BYTES, build_vector_index, memory_mb_for

MANY_NEW = 20_000
"""Users who get a vector at once, from which on an index that is built in the end is faster than one kept."""

_USERS_A_BATCH = 5000

_COUNTS = "select count(*), count(u.embedding) from recsys.users u"
_IS_INDEXED = (
    "select i.indisvalid and i.indisready from pg_index i"
    " where i.indexrelid = to_regclass('recsys.users_embedding_idx')"
)
_DROP = "drop index concurrently if exists recsys.users_embedding_idx"
_LAST_OF_BATCH = (
    "select max(b.id) from (select u.id from recsys.users u where u.id >= %s order by u.id limit %s) b"
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
    users, known = connection.execute(_COUNTS).fetchone() or (0, 0)
    row = connection.execute(_IS_INDEXED).fetchone()
    is_indexed = row is not None and bool(row[0])
    if users - known > max(MANY_NEW, known):
        is_indexed = False
    if not is_indexed:
        connection.execute(_DROP)
    connection.execute("select recsys_api._refresh_center()")
    done, first = 0, -(2**63)
    while True:
        progress("refresh tastes", done, users)
        (last,) = connection.execute(_LAST_OF_BATCH, (first, _USERS_A_BATCH)).fetchone() or (None,)
        if last is None:
            break
        connection.execute("select recsys_api._refresh_tastes_between(%s, %s)", (first, last))
        done, first = min(users, done + _USERS_A_BATCH), last + 1
    if not is_indexed:
        progress("index tastes", 0, None)
        watched(
            connection,
            lambda: _index(connection, users),
            lambda blocks, total: progress("index tastes", blocks, total),
        )


def _index(connection: psycopg.Connection[Any], users: int) -> None:
    create = sql.SQL(
        "create index concurrently users_embedding_idx on recsys.users"
        " using hnsw (embedding {}.vector_cosine_ops)"
    ).format(sql.SQL(vector_schema(connection)))
    build_vector_index(
        connection,
        lambda: connection.execute(create),
        memory_mb=memory_mb_for(connection, users, VECTOR_BYTES),
        undo=lambda: connection.execute(_DROP),
    )

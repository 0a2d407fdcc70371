"""Whether the index over the standby vectors finds what is nearest, before searches depend on it."""

from typing import Any

import psycopg

from recsys_pg.types import Progress

N = 10
_SETTING = "select recsys_api._setting('search.ef_search')"
# half of the queries are items, which an index finds best, and half the mean of five that are near each other
_QUERIES = """
with sampled as materialized (
    select i.standby_embedding as embedding, row_number() over () as number
    from recsys.items i where i.standby_embedding is not null order by random() limit %s
)
select (case when s.number %% 2 = 0 then s.embedding else (
    select {vector}.avg(o.embedding) from (
        select o.embedding from sampled o order by o.embedding operator({vector}.<=>) s.embedding limit 5) o)
    end)::text
from sampled s order by s.number
"""
_NEAREST = """
select i.id, i.standby_embedding operator({vector}.<=>) %s::{vector}.vector
from recsys.items i where i.standby_embedding is not null
order by i.standby_embedding operator({vector}.<=>) %s::{vector}.vector limit %s
"""


def standby_recall(
    connection: psycopg.Connection[Any], vector_schema: str, searches: int, progress: Progress
) -> float | None:
    """recall@10 of the index over the standby vectors, 0 to 1; None where there is no vector.

    What the index finds at search.ef_search is held against a comparison of all vectors, whose equals count
    as found.

    Args:
        connection: of the owner, in autocommit.
        vector_schema: the quoted schema of pgvector.
        searches: how many; each reads all vectors once.
        progress: called with the searches done.
    """
    (ef_search,) = connection.execute(_SETTING).fetchone() or (40,)
    queries = [
        query for (query,) in connection.execute(_QUERIES.format(vector=vector_schema).encode(), (searches,))
    ]
    found = expected = 0
    for done, query in enumerate(queries, start=1):
        exact = _nearest(connection, vector_schema, query, "set local enable_indexscan = off")
        walked = _nearest(
            connection,
            vector_schema,
            query,
            f"set local hnsw.ef_search = {int(ef_search)}",
            "set local enable_seqscan = off",
        )
        furthest = max(distance for _, distance in exact)
        found += sum(distance <= furthest + 1e-9 for _, distance in walked)
        expected += len(exact)
        progress("check recall", done, len(queries))
    return found / expected if expected else None


def _nearest(
    connection: psycopg.Connection[Any], vector_schema: str, query: str, *settings: str
) -> list[tuple[int, float]]:
    with connection.transaction():
        for setting in settings:
            connection.execute(setting.encode())
        statement = _NEAREST.format(vector=vector_schema).encode()
        return connection.execute(statement, (query, query, N)).fetchall()

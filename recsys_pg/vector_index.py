"""Building a vector index with the memory that it needs, whether or not its workers can share so much."""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

VECTOR_BYTES, HALFVEC_BYTES = 2050, 1300
"""What a row of an HNSW index over 384 dimensions with m = 16 takes."""

_MOST_MEMORY_MB = 2048
_LEAST_MEMORY_MB = 16


def memory_mb_for(connection: psycopg.Connection[Any], rows: int, row_bytes: int) -> int:
    """maintenance_work_mem for an index: what it needs, up to 2 GB, or the setting if that is more.

    An index that does not fit is built several times slower from there on.
    """
    (setting,) = connection.execute(
        "select pg_size_bytes(current_setting('maintenance_work_mem')) / 1048576"
    ).fetchone() or (64,)
    needed = rows * row_bytes * 5 // 4 // 2**20 + _LEAST_MEMORY_MB
    return max(int(setting), min(needed, _MOST_MEMORY_MB))


def build_vector_index(
    connection: psycopg.Connection[Any],
    create: Callable[[], object],
    *,
    memory_mb: int,
    undo: Callable[[], object] | None = None,
) -> None:
    """Call create, which builds the index, and once more without parallel workers if these lack memory.

    Workers share the memory of a build through /dev/shm, of which a container has 64 MB by default. A build
    without them takes as much, but of its own. Settings of the session are put back in the end.

    Args:
        connection: in autocommit.
        create: builds the index, in this session.
        memory_mb: maintenance_work_mem of the build, in MB.
        undo: removes what the failed attempt has left behind.
    """
    connection.execute(sql.SQL("set maintenance_work_mem = {}").format(sql.Literal(f"{memory_mb}MB")))
    try:
        create()
    except psycopg.errors.DiskFull as error:
        if "shared memory" not in (error.diag.message_primary or ""):
            raise
        if undo:
            undo()
        connection.execute("set max_parallel_maintenance_workers = 0")
        create()
    finally:
        if not connection.closed:
            connection.execute("reset maintenance_work_mem")
            connection.execute("reset max_parallel_maintenance_workers")

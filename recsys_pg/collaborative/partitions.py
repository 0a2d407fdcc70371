"""The tables of one model: filled and indexed beside those in use, attached, and dropped in the end."""

import time
from functools import partial
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from recsys_pg.vector_index import HALFVEC_BYTES, build_vector_index, memory_mb_for

Connection: TypeAlias = psycopg.Connection[Any]

PARENTS = {"item_factors": "model_id, item_id", "item_residuals": "model_id, item_id, scale"}
"""The partitioned tables of recsys, with their primary keys."""

_IN_LINE = {"item_factors": 1024, "item_residuals": 8160}
"""Bytes of a row above which values are stored elsewhere: histories, out of the way of who scans targets."""
_INDEXES = """
    select a.amname, substring(pg_get_indexdef(i.indexrelid) from 'USING .*'),
        coalesce(pg_get_expr(i.indpred, i.indrelid), 'true')
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_am a on a.oid = c.relam
    where i.indrelid = %s::regclass and not i.indisprimary
    order by c.relname
"""
"""Of a table but for its primary key: the method, the definition but for names, and which rows it has."""

_LOCK_TIMEOUT = "500ms"
_PATIENCE_SECONDS = 3600.0
_PAUSE_SECONDS = 1.0


def partition(parent: str, model_id: int) -> sql.Identifier:
    """The name of the partition of a parent for a model."""
    return sql.Identifier("recsys", f"{parent}_{model_id}")


def create_partitions(connection: Connection, model_id: int) -> None:
    """Create the tables of a model, without indexes and attached to nothing."""
    for parent in PARENTS:
        connection.execute(
            sql.SQL(
                "create table {part} (like {parent} including defaults including constraints"
                " including storage including generated,"
                " constraint {check} check (model_id = {model_id})) with (toast_tuple_target = {length})"
            ).format(
                part=partition(parent, model_id),
                parent=sql.Identifier("recsys", parent),
                check=sql.Identifier(f"{parent}_{model_id}_model_id_check"),
                model_id=sql.Literal(model_id),
                length=sql.Literal(_IN_LINE[parent]),
            )
        )


def index_partitions(connection: Connection, model_id: int) -> None:
    """Build the indexes that the parents have. In autocommit: each is kept when it is built."""
    for parent, key in PARENTS.items():
        part = partition(parent, model_id)
        connection.execute(sql.SQL("alter table {} add primary key ({})").format(part, sql.SQL(key)))
        for method, definition, rows_of in connection.execute(_INDEXES, [f"recsys.{parent}"]).fetchall():
            create = sql.SQL("create index on {} {}").format(part, sql.SQL(definition))
            if method != "hnsw":
                connection.execute(create)
                continue
            count = sql.SQL("select count(*) from {} where {}").format(part, sql.SQL(rows_of))
            (rows,) = connection.execute(count).fetchone() or (0,)
            build_vector_index(
                connection,
                partial(connection.execute, create),
                memory_mb=memory_mb_for(connection, rows, HALFVEC_BYTES),
            )
        connection.execute(sql.SQL("analyze {}").format(part))


def attach_partitions(connection: Connection, model_id: int) -> None:
    """Make the tables partitions of their parents, and let rows go with their items from now on.

    Who writes items waits while the keys are checked, a second for a million rows; who reads waits for
    nothing. (A table that had foreign keys of its own before it is attached would be locked with all that it
    refers to.) The check on model_id spares reading the rows once more. In autocommit.
    """
    for parent in PARENTS:
        part = partition(parent, model_id)
        _patiently(
            connection,
            sql.SQL("lock table recsys.items in share row exclusive mode"),
            sql.SQL(
                "delete from {} p where not exists (select from recsys.items i where i.id = p.item_id)"
            ).format(part),
            sql.SQL("alter table {} attach partition {} for values in ({})").format(
                sql.Identifier("recsys", parent), part, sql.Literal(model_id)
            ),
        )


def drop_partitions(connection: Connection, model_id: int) -> None:
    """Drop the tables of a model that nobody uses any more. In autocommit."""
    for parent in PARENTS:
        _patiently(connection, sql.SQL("drop table if exists {}").format(partition(parent, model_id)))


def partitioned_models(connection: Connection) -> set[int]:
    """The models that have a table, attached or not."""
    rows = connection.execute(
        "select substring(c.relname from '[0-9]+$')::bigint from pg_class c"
        " where c.relnamespace = 'recsys'::regnamespace and c.relkind = 'r'"
        " and c.relname ~ '^item_(factors|residuals)_[0-9]+$'"
    ).fetchall()
    return {model_id for (model_id,) in rows}


def _patiently(connection: Connection, *statements: sql.SQL | sql.Composed) -> None:
    """Run statements in one transaction that waits half a second for a lock at most, again and again.

    Who waits for a lock keeps all who come after it waiting too, so it is better to come back; and who gives
    way before PostgreSQL looks for deadlocks is nobody's.

    Raises:
        psycopg.errors.LockNotAvailable: an hour was not enough.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
                for statement in statements:
                    connection.execute(statement)
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)

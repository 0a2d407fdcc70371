"""The indexes over the standby vectors: each index over the vectors in use has a twin."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from recsys_pg.model_switch.names import COLUMNS, of_twins, twin
from recsys_pg.types import Progress
from recsys_pg.vector_index import VECTOR_BYTES, build_vector_index, memory_mb_for
from recsys_pg.watching import watched

# those that read the column, be it in their predicate
_INDEXES = """
select c.relname, quote_ident(c.relname), pg_get_indexdef(i.indexrelid), t.relname, a.amname = 'hnsw'
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_am a on a.oid = c.relam
join pg_class t on t.oid = i.indrelid
where i.indrelid = any (array['recsys.items', 'recsys.users']::regclass[])
    and exists (
        select from pg_depend d
        join pg_attribute f on f.attrelid = d.refobjid and f.attnum = d.refobjsubid
        where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid and d.refobjid = i.indrelid
            and f.attname = any (%s))
order by t.relname, c.relname
"""
_TWIN = """
select i.indisvalid and i.indisready, pg_get_indexdef(i.indexrelid)
from pg_index i where i.indexrelid = to_regclass(%s)
"""
_ROWS = {
    "items": "select count(standby_embedding) from recsys.items",
    "users": "select count(standby_embedding) from recsys.users",
}


@dataclass(frozen=True)
class TwinIndex:
    """An index over the vectors in use, and the definition of its twin."""

    of: str
    table: str
    definition: str
    is_vector_index: bool

    @property
    def name(self) -> str:
        """The name of the twin."""
        return twin(self.of)


def twin_indexes(connection: psycopg.Connection[Any]) -> list[TwinIndex]:
    """The twins that a switch needs, whether or not they are there."""
    with connection.transaction():
        # so that the definitions name every schema
        connection.execute("set local search_path = pg_catalog")
        columns = sorted(set().union(*COLUMNS.values()))
        rows = connection.execute(_INDEXES, (columns,)).fetchall()
    return [
        TwinIndex(name, table, _renamed(of_twins(table, definition), quoted, twin(name)), is_vector_index)
        for name, quoted, definition, table, is_vector_index in rows
        if not name.startswith(twin(""))
    ]


def missing_twins(connection: psycopg.Connection[Any]) -> list[TwinIndex]:
    """Those that are not there, valid and as their index is."""
    return [index for index in twin_indexes(connection) if not _is_there(connection, index)]


def build_twins(connection: psycopg.Connection[Any], progress: Progress) -> None:
    """Build what is missing, one after the other, while all go on reading and writing.

    Args:
        connection: of the owner, in autocommit.
        progress: called with the blocks of the table that are indexed.
    """
    for index in missing_twins(connection):
        _drop(connection, index.name)
        create = index.definition.replace("INDEX", "INDEX CONCURRENTLY", 1)
        (rows,) = connection.execute(_ROWS[index.table]).fetchone() or (0,)

        def build(index: TwinIndex = index, create: str = create, rows: int = rows) -> None:
            if not index.is_vector_index:
                connection.execute(create.encode())
                return
            build_vector_index(
                connection,
                lambda: connection.execute(create.encode()),
                memory_mb=memory_mb_for(connection, rows, VECTOR_BYTES),
                undo=lambda: _drop(connection, index.name),
            )

        watched(connection, f"build {index.of}", build, progress)


def drop_twins(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Drop them all, those of indexes that are gone too; yields the name of each before."""
    rows = connection.execute(
        "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid"
        " where i.indrelid = any (array['recsys.items', 'recsys.users']::regclass[])"
        " and starts_with(c.relname, 'standby_') order by 1"
    ).fetchall()
    for (name,) in rows:
        yield name
        _drop(connection, name)


def _is_there(connection: psycopg.Connection[Any], index: TwinIndex) -> bool:
    with connection.transaction():
        connection.execute("set local search_path = pg_catalog")
        row = connection.execute(_TWIN, (f'recsys."{index.name}"',)).fetchone()
    return row is not None and bool(row[0]) and row[1] == index.definition


def _renamed(definition: str, quoted: str, name: str) -> str:
    new = f'"{name}"' if quoted.startswith('"') else name
    return re.sub(rf"^(CREATE (?:UNIQUE )?INDEX ){re.escape(quoted)} ", lambda m: f"{m[1]}{new} ", definition)


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("drop index concurrently if exists {}").format(sql.Identifier("recsys", name)))

"""Fills a scratch database: with what to recommend from, and apart from it with what is held out."""

from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from recsys_pg.collaborative import half_life
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.evaluation.split import Division
from recsys_pg.types import Progress
from recsys_pg.vector_index import VECTOR_BYTES, memory_mb_for


@dataclass(frozen=True)
class _Table:
    """A table of recsys, the columns that are copied, and which rows."""

    name: str
    columns: str
    which: str = ""

    def query(self) -> sql.Composed:
        return sql.SQL("select {} from {} {}").format(
            sql.SQL(self.columns), sql.Identifier("recsys", self.name), sql.SQL(self.which)
        )


# no names and attributes of people: nothing is recommended by them
_TABLES = (
    _Table(
        "models",
        "id, purpose, name, revision, parameters, metrics, center, is_active, created_at",
        "where purpose = 'embedding'",
    ),
    _Table("settings", "key, value, description"),
    _Table("interaction_kinds", "kind, weight, value_center, hides_item, is_consumption"),
    _Table("users", "id, created_at"),
    _Table(
        "items",
        "id, title, description, category, tags, price, in_stock, attributes, created_at, updated_at,"
        " embedding, embedding_model_id",
    ),
)
_INTERACTIONS = _Table("interactions", "id, user_id, item_id, kind, value, occurred_at")
_LATER = _Table("later_interactions", _INTERACTIONS.columns)
_OF_INTERACTION = sql.SQL(", ").join(sql.Identifier("a", name) for name in _INTERACTIONS.columns.split(", "))

_REPORTED = 10_000


def copy_parts(
    source: psycopg.Connection[Any], target: sa.Engine, division: Division, progress: Progress
) -> None:
    """Copy the catalogue, the people's ids, the settings and the interactions to train on.

    The others go into recsys.later_interactions, a table that only a scratch database has.

    Args:
        source: a database with the schema of this version; it is only read.
        target: a migrated database without items, users and interactions.
        division: of the source.
        progress: called with "copy items" and others.
    """
    with translated_errors(), target.begin() as connection:
        scratch = driver_connection(connection)
        # those that a new database comes with
        scratch.execute(
            "delete from recsys.models; delete from recsys.settings; delete from recsys.interaction_kinds"
        )
        definition = _without_vector_index(scratch)
        for table in _TABLES:
            items = _copy(source, scratch, table.query(), table, progress)
        # what training chose by all that happened is to be chosen by what happened until then
        half_life.reset(scratch)
        progress("index items", 0, None)
        memory = memory_mb_for(scratch, items, VECTOR_BYTES)
        scratch.execute(f"set local maintenance_work_mem = '{memory}MB'".encode())
        scratch.execute(definition.encode())
        _copy(source, scratch, division.training(_OF_INTERACTION), _INTERACTIONS, progress)
        scratch.execute("create unlogged table recsys.later_interactions (like recsys.interactions)")
        _copy(source, scratch, division.held_out(_OF_INTERACTION), _LATER, progress)
        scratch.execute(
            "create index on recsys.later_interactions (occurred_at);"
            " create index on recsys.later_interactions (user_id)"
        )
    with (
        translated_errors(),
        target.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        progress("refresh statistics of the copy", 0, None)
        connection.exec_driver_sql("vacuum analyze")


def _without_vector_index(scratch: psycopg.Connection[Any]) -> str:
    """Drop the items' vector index, since building it anew is quicker than adding to it; its definition."""
    row = scratch.execute("select pg_get_indexdef('recsys.items_embedding_idx'::regclass)").fetchone()
    assert row is not None  # noqa: S101
    scratch.execute("drop index recsys.items_embedding_idx")
    return str(row[0])


def _copy(
    source: psycopg.Connection[Any],
    scratch: psycopg.Connection[Any],
    query: sql.Composable,
    table: _Table,
    progress: Progress,
) -> int:
    """Stream the rows of a query from one database into a table of the other; returns how many."""
    phase, rows = f"copy {table.name.replace('_', ' ')}", 0
    reading = sql.SQL("copy ({}) to stdout (format binary)").format(query)
    writing = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier("recsys", table.name), sql.SQL(table.columns)
    )
    with (
        source.cursor().copy(reading) as rows_out,
        scratch.cursor().copy(writing) as rows_in,
    ):
        for rows, block in enumerate(rows_out):  # a block a row, and one for the end
            rows_in.write(block)
            if rows % _REPORTED == 0:
                progress(phase, rows, None)
    progress(phase, rows, rows)
    return rows

"""Bulk loading by binary COPY, for rows by the ten thousand."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import psycopg
from pgvector.psycopg.vector import register_vector_info
from psycopg import sql
from psycopg.types import TypeInfo

from recsys_pg.db import translate, translated_errors, vector_schema
from recsys_pg.errors import InvalidArgumentError

_UNFIT = (
    psycopg.DataError,
    psycopg.ProgrammingError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What psycopg and pgvector raise for a value that they cannot write as the column's type."""


def copy_rows(
    connection: psycopg.Connection[Any],
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    """Append rows to a table through ``COPY … FROM STDIN (FORMAT BINARY)``; returns how many.

    ``table`` may be qualified (``recsys.items``); ``types`` are PostgreSQL's names of the columns' types,
    such as ``int8``, ``text``, ``timestamptz``, ``text[]``, ``vector``. Rows are streamed: an iterator of
    any length takes constant memory. Vectors are numpy arrays or sequences of shape (384,). Constraints and
    triggers apply as to any insert. All happens in the transaction of ``connection``, which for a SQLAlchemy
    session is ``db.driver_connection(session.connection())``; a row that is refused fails them all.

    Raises:
        InvalidArgumentError: columns and types differ in number, a row has another number of values, a
            value does not fit its type, or a constraint is violated.
        InvalidVectorError: a vector is zero.
        PermissionDeniedError, ReadOnlyDatabaseError, SchemaNotReadyError: as their names say.
    """
    if len(columns) != len(types):
        raise InvalidArgumentError(
            f"copy_rows got {len(columns)} columns and {len(types)} types.", "Pass one type for every column."
        )
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    arrays = [position for position, type_ in enumerate(types) if type_.endswith("[]")]
    count = 0
    with translated_errors(), connection.cursor() as cursor:
        if "vector" in types:
            _register_vector(connection, cursor)
        try:
            with cursor.copy(statement) as copy:
                _set_types(copy, types)
                for count, row in enumerate(rows, start=1):
                    try:
                        copy.write_row(_with_lists(row, arrays) if arrays else row)
                    except _UNFIT as error:
                        raise InvalidArgumentError(
                            f"Row {count} does not fit {table} ({', '.join(columns)}): {error}.",
                            "Pass one value for every column, of the column's type.",
                        ) from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise translate(error) or InvalidArgumentError(
                f"{table} ({', '.join(columns)}) cannot be filled: {error}.", "Pass names that exist."
            ) from error
    return count


def _set_types(copy: psycopg.Copy, types: Sequence[str]) -> None:
    try:
        copy.set_types(types)
    except KeyError as error:
        raise InvalidArgumentError(
            f"The types are {', '.join(types)}: psycopg {error.args[0]}.",
            "Pass PostgreSQL's names, such as int8, text, timestamptz, text[], vector.",
        ) from error


def _with_lists(row: Sequence[object], arrays: Sequence[int]) -> list[object]:
    # psycopg takes a tuple for a composite value, not for an array
    values = list(row)
    for position in arrays:
        value = values[position]
        if isinstance(value, tuple):
            values[position] = list(value)
    return values


def _register_vector(connection: psycopg.Connection[Any], cursor: psycopg.Cursor[Any]) -> None:
    # by its schema, which need not be on the search_path; for this cursor only, so that the caller's own
    # queries go on reading vectors the way they did
    info = TypeInfo.fetch(connection, f"{vector_schema(connection)}.vector")
    register_vector_info(cast(Any, cursor), info)

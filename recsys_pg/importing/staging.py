"""Records on their way in: temporary tables of them, filled by binary COPY, gone with the connection."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from recsys_pg.db import vector_schema
from recsys_pg.errors import InvalidRecordError
from recsys_pg.importing.source import InvalidLine, Source
from recsys_pg.repositories.bulk import copy_rows
from recsys_pg.types import Progress

LISTED = 100
"""How many of the refused lines are listed; the others are counted."""

_PROGRESS_ROWS = 10_000
_COPY_ROWS = 50_000
"""Rows of a COPY, and so of a transaction: as long as one lasts, vacuum removes nothing newer."""


@dataclass
class Staging:
    """The connection of an import, and the lines that it refused: an error, unless ``skip_invalid``."""

    connection: psycopg.Connection[Any]
    skip_invalid: bool
    progress: Progress
    refused: list[InvalidLine] = field(default_factory=list)
    refused_count: int = 0

    def fill(self, table: str, columns: Mapping[str, LiteralString], source: Source[Any]) -> int:
        """Fill a new temporary table with the records of a source; returns how many there are.

        ``columns`` maps fields of the record to their types; before them comes the number of the line.

        Raises:
            InvalidRecordError: a line holds no valid record.
        """
        vector = sql.SQL(vector_schema(self.connection)) + sql.SQL(".vector")
        self.connection.execute(
            sql.SQL("create temporary table {} (line int8 primary key, {})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(
                        sql.Identifier(name), vector if kind == "vector" else sql.SQL(kind)
                    )
                    for name, kind in columns.items()
                ),
            )
        )
        names, types = ("line", *columns), ("int8", *columns.values())
        rows, count, copied = self._rows(source, attrgetter(*columns)), 0, _COPY_ROWS
        while copied == _COPY_ROWS:
            copied = copy_rows(self.connection, table, names, types, islice(rows, _COPY_ROWS))
            count += copied
        self.connection.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))
        return count

    def refuse_rows(
        self, table: str, query: sql.Composed, source: Source[Any], explain: Callable[..., tuple[str, str]]
    ) -> int:
        """Delete the rows of a temporary table that a query finds; returns how many.

        The query yields the line, and what ``explain`` takes to return message and hint.

        Raises:
            InvalidRecordError: there is one.
        """
        found = self.connection.execute(
            sql.SQL(
                "with refused as materialized ({query}), deleted as ("
                " delete from {table} t using refused where t.line = refused.line returning refused.*"
                ") select count(*) over (), deleted.* from deleted order by line limit {limit}"
            ).format(query=query, table=sql.Identifier(table), limit=LISTED)
        ).fetchall()
        if not found:
            return 0
        self._refuse([InvalidLine(source.file, line, *explain(*row)) for _, line, *row in found], found[0][0])
        return int(found[0][0])

    def report(self, phase: str, done: int, total: int | None) -> None:
        """Tell whoever shows the progress."""
        self.progress(phase, done, total)

    def _rows(
        self, source: Source[Any], values: Callable[[Any], tuple[object, ...]]
    ) -> Iterator[tuple[object, ...]]:
        records = source.records(lambda invalid: self._refuse([invalid], 1))
        for count, (line, record) in enumerate(records):
            if count % _PROGRESS_ROWS == 0:
                self.report(f"reading {source.file}", count, None)
            yield (line, *values(record))

    def _refuse(self, first: list[InvalidLine], count: int) -> None:
        if not self.skip_invalid:
            error = first[0].error()
            others = f" {count - 1} more lines are refused." if count > 1 else ""
            raise InvalidRecordError(
                f"{error.message}{others}",
                f"{error.hint} Nothing was imported; skip_invalid (--skip-invalid) leaves such lines out.",
                line=error.line,
            )
        self.refused.extend(first[: LISTED - len(self.refused)])
        self.refused_count += count

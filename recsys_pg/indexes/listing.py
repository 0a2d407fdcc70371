"""The partial indexes that exist, and whether each is worth keeping."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from psycopg.rows import dict_row

from recsys_pg.indexes.condition import Connection, IndexCondition
from recsys_pg.indexes.connection import connected

State: TypeAlias = Literal["ready", "building", "unfinished", "gone", "outdated"]
Verdict: TypeAlias = Literal["keep", "drop", "build", "wait"]

UNUSED_AFTER = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class SearchIndex:
    """A row of recsys_report.search_indexes, and what to do about it.

    Attributes:
        rows: items in it; None before its first build has ended.
        scans, last_used_at: how often this server walked it. Replicas count for themselves.
        build_seconds: time of its last build that ended.
        verdict, reason: what to do with it, and why.
    """

    index_name: str
    condition: IndexCondition
    state: State
    rows: int | None
    size_bytes: int
    scans: int
    last_used_at: datetime | None
    built_at: datetime | None
    build_seconds: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Limits:
    """Between how many items a partial index is worth having."""

    scanned: int
    """Of a filter that at most this many items pass, the codes are scanned, which is as fast."""
    half: int
    """Of a filter that more items pass, the walk through the index of all items finds enough."""


def listing(engine: sa.Engine) -> list[SearchIndex]:
    """The partial indexes that were asked for, by name, those whose build did not end included."""
    with connected(engine) as connection:
        return read_indexes(connection)


def read_indexes(connection: Connection) -> list[SearchIndex]:
    """The same over a connection."""
    limits = read_limits(connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("select * from recsys_report.search_indexes order by index_name").fetchall()
    return [_search_index(row, limits) for row in rows]


def read_limits(connection: Connection) -> Limits:
    """The limits in this database, now."""
    scanned, half = connection.execute(
        "select (recsys_api._setting('search.scan_limit')"
        " * recsys_api._setting('search.ef_search') / 1000)::bigint,"
        " (select count(*) / 2 from recsys.searchable_items)"
    ).fetchone() or (0, 0)
    return Limits(scanned, half)


def foreign_invalid_indexes(engine: sa.Engine) -> Sequence[str]:
    """Invalid indexes on recsys.items that are not of recsys-pg indexes, which leaves them alone."""
    with connected(engine) as connection:
        rows = connection.execute(
            "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indexrelid"
            " where i.indrelid = 'recsys.items'::regclass and not (i.indisvalid and i.indisready)"
            " and c.relname not in (select s.index_name from recsys.search_indexes s) order by 1"
        ).fetchall()
    return [name for (name,) in rows]


def _search_index(row: dict[str, Any], limits: Limits) -> SearchIndex:
    parts = (row.pop(column) for column in ("category", "tags", "attributes", "rule"))
    condition = IndexCondition.of_columns(*parts)
    verdict, reason = _judge(condition, row, limits)
    return SearchIndex(condition=condition, verdict=verdict, reason=reason, **row)


def _judge(condition: IndexCondition, row: dict[str, Any], limits: Limits) -> tuple[Verdict, str]:
    """What to do with an index, and why."""
    unfit: dict[State, tuple[Verdict, str]] = {
        "building": ("wait", "it is being built"),
        "unfinished": ("build", "its build was interrupted"),
        "gone": ("build", "the index was dropped by hand: build it anew, or drop its record"),
        "outdated": ("drop", f"the rule {condition.rule} has changed or is gone, so no search uses it"),
    }
    if row["state"] != "ready":
        return unfit[row["state"]]
    if row["rows"] <= limits.scanned:
        return "drop", f"a scan of {row['rows']:,} codes is as fast (up to {limits.scanned:,})"
    if row["rows"] > limits.half:
        return "drop", "more than half of all items: the index of all serves as well"
    if row["scans"]:
        return "keep", f"used {row['scans']:,} times, the latest on {row['last_used_at']:%Y-%m-%d}"
    if datetime.now(UTC) - row["built_at"] > UNUSED_AFTER:
        return "drop", f"not used here since it was built on {row['built_at']:%Y-%m-%d}"
    return "keep", "new: not used yet"

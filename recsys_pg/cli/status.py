"""The command status."""

from typing import TYPE_CHECKING

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table

if TYPE_CHECKING:
    from recsys_pg.cli.overview import Overview

_LARGE = 100_000  # tables smaller than this many bytes are not listed for people


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what is in the database and how far embedding and training are.

    \b
    Examples:
      recsys-pg status
      recsys-pg status --json | jq '.embedding[0].pending'
    """
    from recsys_pg.cli.overview import read_overview

    with connected_to_schema(context) as engine:
        overview = read_overview(engine)
    if as_json:
        print_json(overview)
    else:
        _print(overview)


def _print(overview: "Overview") -> None:
    counts, coverage, freshness = overview.counts, overview.coverage, overview.freshness
    print_line(
        f"PostgreSQL {overview.versions.postgresql}, pgvector {overview.versions.pgvector},"
        f" schema {overview.revision}, {_size(overview.database_bytes)}"
    )
    print_line()
    latest = freshness.latest_interaction_at
    print_table(
        [
            Column("", ["items", "users", "interactions"]),
            Column("", [f"{n:,}" for n in (counts.items, counts.users, counts.interactions)], right=True),
            Column(
                "",
                [
                    f"{coverage.items_with_embedding:,} with a vector,"
                    f" {coverage.items_with_neighbors:,} with neighbors",
                    f"{counts.users_with_taste:,} with a taste vector",
                    f"the latest {latest:%Y-%m-%d %H:%M}" if latest else "",
                ],
            ),
        ]
    )
    print_line()
    for model in overview.embedding:
        waiting = (
            f", the oldest for {_duration(model.oldest_pending_seconds)}"
            if model.oldest_pending_seconds
            else ""
        )
        state = "" if model.is_active else " (standby)" if model.is_standby else " (not active)"
        print_line(
            f"embedding  {model.model}{state}: {model.embedded:,} done, {model.pending:,} waiting{waiting},"
            f" {model.failed:,} failed"
        )
        if model.is_active and model.pending:
            print_line("           run recsys-pg worker, or worker --once, to embed what waits")
    graph = next((model for model in overview.models if model.purpose == "collaborative"), None)
    if graph is None:
        print_line("training   never: run recsys-pg train")
    else:
        print_line(
            f"training   {graph.name}, {graph.created_at:%Y-%m-%d %H:%M},"
            f" {freshness.interactions_since_training or 0:,} interactions since"
        )
    large = [table for table in overview.tables if table.bytes >= _LARGE]
    if large:
        print_line()
        print_table(
            [
                Column("table", [table.table for table in large]),
                Column("size", [_size(table.bytes) for table in large], right=True),
                Column("of it indexes", [_size(table.index_bytes) for table in large], right=True),
            ]
        )
    updated = [table for table in overview.updates if table.updates]
    if updated:
        print_line()
        print_table(
            [
                Column("table", [table.table for table in updated]),
                Column("updates", [f"{table.updates:,}" for table in updated], right=True),
                Column("of it HOT", [_percent(table.hot_share) for table in updated], right=True),
                Column("dead rows", [f"{table.dead_rows:,}" for table in updated], right=True),
                Column("bloat", [_percent(table.bloat) for table in updated], right=True),
            ]
        )
    for spoiler in overview.spoilers:
        print_line(f"{spoiler.what} {spoiler.remedy}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"

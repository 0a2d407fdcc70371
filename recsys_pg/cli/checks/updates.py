"""Check of what makes updates dear or lets tables bloat."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.cli.checks.check import Finding
from recsys_pg.cli.table_health import find_spoilers, read_health


def updates(connection: sa.Connection) -> Iterator[Finding]:
    """Prices and stock can change all day: no index is in the way, and dead rows go."""
    spoilers = find_spoilers(connection, read_health(connection))
    for spoiler in spoilers:
        yield Finding("warn", spoiler.what, spoiler.remedy)
    if not spoilers:
        yield Finding("ok", "No index slows price and stock updates down, and dead rows go.")

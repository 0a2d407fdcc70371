"""Checks of the server: versions, settings, what else runs on it."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.cli.checks.check import Finding
from recsys_pg.cli.vacuum_holders import LONG_MINUTES, find_holders
from recsys_pg.schema import MINIMUM_PGVECTOR, MINIMUM_POSTGRES

_SMALL_SHARED_BUFFERS = 128 * 2**20
_SMALL_MAINTENANCE_MEMORY = 256 * 2**20


def connection(connected: sa.Connection) -> Iterator[Finding]:
    """Who is connected to what."""
    row = connected.execute(
        sa.text(
            "select current_database(), current_user, pg_is_in_recovery(),"
            " current_setting('default_transaction_read_only')::boolean"
        )
    ).one()
    database, user, replica, read_only = row
    yield Finding("ok", f"Database {database} as role {user}.")
    if replica or read_only:
        yield Finding(
            "info",
            f"{'A replica' if replica else 'Read-only'}: recommendations work, writing does not.",
        )


def postgresql(connection: sa.Connection) -> Iterator[Finding]:
    """The server is new enough."""
    version, number = connection.execute(
        sa.text("select current_setting('server_version'), current_setting('server_version_num')::integer")
    ).one()
    if number < MINIMUM_POSTGRES * 10_000:
        yield Finding(
            "fail",
            f"PostgreSQL {version} is too old.",
            f"Upgrade to {MINIMUM_POSTGRES} or later.",
        )
    else:
        yield Finding("ok", f"PostgreSQL {version}.")


def pgvector(connection: sa.Connection) -> Iterator[Finding]:
    """The extension is there and new enough."""
    minimum = ".".join(map(str, MINIMUM_PGVECTOR))
    installed, current, available = connection.execute(
        sa.text(
            "select e.extversion,"
            " string_to_array(e.extversion, '.')::integer[] >= cast(:minimum as integer[]),"
            " a.default_version"
            " from (values (1)) one (n)"
            " left join pg_extension e on e.extname = 'vector'"
            " left join pg_available_extensions a on a.name = 'vector'"
        ),
        {"minimum": list(MINIMUM_PGVECTOR)},
    ).one()
    if installed is None and available is None:
        yield Finding("fail", "The server has no pgvector.", f"Install pgvector {minimum} or later on it.")
    elif installed is None:
        yield Finding("fail", "pgvector is not installed in this database.", "Run: recsys-pg init.")
    elif not current:
        yield Finding(
            "fail",
            f"pgvector {installed} has a known vulnerability or corrupts indexes on vacuum.",
            f"Install {minimum} or later on the server, then: alter extension vector update.",
        )
    elif available is not None and available != installed:
        yield Finding(
            "info",
            f"pgvector {installed}; the server has {available}.",
            "Run: alter extension vector update.",
        )
    else:
        yield Finding("ok", f"pgvector {installed}.")


def memory(connection: sa.Connection) -> Iterator[Finding]:
    """The settings that decide how fast vectors are found and their indexes built."""
    shared, maintenance = connection.execute(
        sa.text(
            "select pg_size_bytes(current_setting('shared_buffers')),"
            " pg_size_bytes(current_setting('maintenance_work_mem'))"
        )
    ).one()
    if shared <= _SMALL_SHARED_BUFFERS:
        yield Finding(
            "info",
            f"shared_buffers is {shared // 2**20} MB.",
            "For 100,000 items and more, set it to a quarter of the machine's memory.",
        )
    if maintenance < _SMALL_MAINTENANCE_MEMORY:
        yield Finding(
            "info",
            f"maintenance_work_mem is {maintenance // 2**20} MB.",
            "Set it to 1 GB before a vector index of 100,000 items and more is built.",
        )


def transactions(connection: sa.Connection) -> Iterator[Finding]:
    """Nobody keeps vacuum from cleaning up."""
    holders = find_holders(connection)
    for holder in holders:
        yield Finding("warn", f"Dead rows cannot go while {holder.who} may need them.", holder.remedy)
    if not holders:
        yield Finding("ok", f"None that keeps dead rows is older than {LONG_MINUTES} minutes.")

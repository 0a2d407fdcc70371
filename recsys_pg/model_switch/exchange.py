"""The exchange: the vectors in use and those beside change names, in one transaction that writes no row."""

import random
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from recsys_pg.errors import DatabaseError
from recsys_pg.model_switch.dependants import find_followers
from recsys_pg.model_switch.indexes import missing_twins
from recsys_pg.model_switch.names import COLUMNS, COPY, FLAG, STANDBY_FLAG, TABLES, twin
from recsys_pg.model_switch.privileges import privileges_of_names
from recsys_pg.types import Progress

PATIENCE_SECONDS = 300.0
"""How long transactions that hold a table are waited for."""

_FIRST_LOCK_TIMEOUT = "5s"
_LOCK_TIMEOUT = "50ms"
_PAUSE_SECONDS = 0.3

# what it is, where it is, its name; where the twin is, its name
_PAIRS = """
select 'constraint' as kind, a.conrelid::regclass::text as owner, a.conname::text as name,
    b.conrelid::regclass::text as twin_owner, b.conname::text as twin
from pg_constraint a
join pg_constraint b on b.connamespace = a.connamespace and b.conname = (%(prefix)s || a.conname)::name
where a.conrelid = any (%(tables)s::regclass[])
union all
select 'policy', a.polrelid::regclass::text, a.polname, b.polrelid::regclass::text, b.polname
from pg_policy a
join pg_policy b on b.polname = (%(prefix)s || a.polname)::name and b.polrelid = any (%(tables)s::regclass[])
where a.polrelid = any (%(tables)s::regclass[])
union all
-- that of a constraint has its name
select 'index', null, a.relname, null, b.relname
from pg_index i
join pg_class a on a.oid = i.indexrelid
join pg_class b on b.relnamespace = a.relnamespace and b.relname = (%(prefix)s || a.relname)::name
where i.indrelid = any (%(tables)s::regclass[])
    and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
order by 1, 2, 3
"""
# what another role does is told to members of pg_read_all_stats only; a prepared transaction has no process
_HOLDERS = """
select distinct
    case when l.pid is null then 'a prepared transaction' else 'server process ' || l.pid end
    || coalesce(' (' || concat_ws(', ', nullif(a.application_name, ''),
        'for ' || extract(epoch from clock_timestamp() - a.xact_start)::integer || ' s') || ')', '')
from pg_locks l
left join pg_stat_activity a on a.pid = l.pid
where l.granted and l.locktype = 'relation' and l.relation = any (%(tables)s::regclass[])
    and l.pid is distinct from pg_backend_pid()
order by 1 limit 3
"""
_AGAIN = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def exchange(
    connection: psycopg.Connection[Any], progress: Progress, patience_seconds: float = PATIENCE_SECONDS
) -> float:
    """Exchange the names, as soon as no transaction holds a table; returns the seconds that it held them.

    Readers and writers wait for that long, and for 50 ms at a time while it tries.

    Args:
        connection: the owner's, in autocommit.
        progress: called while it waits.
        patience_seconds: how long it tries.

    Raises:
        UpgradeBlockedError: something that was built on the columns cannot follow.
        DatabaseError: transactions hold the tables for longer, or an index has changed meanwhile.
    """
    until = time.monotonic() + patience_seconds
    while True:
        try:
            return _exchange(connection, _Wait(progress, until))
        except _AGAIN:
            # somebody came between who reads what follows
            if time.monotonic() > until:
                raise
        progress("wait for transactions that hold a table", 0, None)
        time.sleep(_PAUSE_SECONDS * random.uniform(0.3, 1))  # noqa: S311 - jitter, not a secret


def _exchange(connection: psycopg.Connection[Any], wait: "_Wait") -> float:
    with connection.transaction():
        connection.execute("set transaction isolation level read committed")
        connection.execute("set local search_path = pg_catalog")
        # other changes of the tables wait from here on, and an autovacuum gives way, which takes a second
        _lock(connection, [_lock_tables(TABLES, "share update exclusive")], _FIRST_LOCK_TIMEOUT, wait)
        renames = _renames(connection)
        privileges = privileges_of_names(connection)
        followers = find_followers(connection)
        wait.progress("exchange names", 0, None)
        locks = [*followers.locks, _lock_tables(TABLES, "access exclusive")]
        _lock(connection, locks, _LOCK_TIMEOUT, wait)
        started = time.monotonic()
        if missing := missing_twins(connection):
            raise DatabaseError(
                f"The index {missing[0].of} has changed while the switch was prepared.",
                "Run the switch again: it goes on from here.",
            )
        for rename in renames:
            connection.execute(rename)
        for statement in _storage() + followers.anew + privileges:
            connection.execute(statement.encode())
    return time.monotonic() - started


def check_followers(connection: psycopg.Connection[Any]) -> None:
    """See that all that was built on the columns can follow a switch; ``connection`` is in autocommit.

    Raises:
        UpgradeBlockedError: something cannot.
    """
    with connection.transaction():
        connection.execute("set local search_path = pg_catalog")
        find_followers(connection)


def empty_copy(connection: psycopg.Connection[Any], progress: Progress) -> None:
    """Remove all rows of the standby copy, which nobody reads; waits as `exchange` does."""
    wait = _Wait(progress, time.monotonic() + PATIENCE_SECONDS)
    with connection.transaction():
        _lock(connection, [_lock_tables((twin(COPY),), "access exclusive")], _LOCK_TIMEOUT, wait)
        connection.execute(f"truncate recsys.{twin(COPY)}".encode())


@dataclass(frozen=True)
class _Wait:
    """Whom to tell that it waits for transactions, and until when it does, by time.monotonic."""

    progress: Progress
    until: float


def _lock_tables(names: tuple[str, ...], mode: str) -> str:
    return f"lock table {', '.join(f'recsys.{name}' for name in names)} in {mode} mode"


def _lock(connection: psycopg.Connection[Any], locks: list[str], timeout: str, wait: _Wait) -> None:
    """Take all locks or none; who comes meanwhile waits no longer than the timeout for each."""
    connection.execute(f"set local lock_timeout = '{timeout}'".encode())
    while True:
        try:
            with connection.transaction():
                for lock in locks:
                    connection.execute(lock.encode())
                return
        except _AGAIN as error:
            wait.progress("wait for transactions that hold a table", 0, None)
            if time.monotonic() > wait.until:
                rows = connection.execute(_HOLDERS, {"tables": [f"recsys.{table}" for table in TABLES]})
                raise DatabaseError(
                    f"Transactions hold the tables all the while: {', '.join(name for (name,) in rows)}.",
                    "End them, or wait for longer (--wait). Run again, the command goes on from here.",
                ) from error
        time.sleep(_PAUSE_SECONDS * random.uniform(0.3, 1))  # noqa: S311 - jitter, not a secret


def _renames(connection: psycopg.Connection[Any]) -> list[sql.Composed]:
    """Statements that give each thing the name of its twin, and the twin its name."""
    tables = [f"recsys.{table}" for table in TABLES]
    pairs = connection.execute(_PAIRS, {"tables": tables, "prefix": twin("")}).fetchall()
    pairs.append(("index", None, "models_active_purpose_idx", None, "models_standby_purpose_idx"))
    pairs.append(("column", "recsys.models", FLAG, "recsys.models", STANDBY_FLAG))
    for table, columns in COLUMNS.items():
        owner = f"recsys.{table}"
        pairs += [("column", owner, column, owner, twin(column)) for column in columns]
    # in the end, as the others name it
    pairs.append(("table", None, COPY, None, twin(COPY)))
    between = "standby_exchange"
    return [
        _rename(kind, owner, old, new)
        for kind, owner, name, other_owner, other in pairs
        for owner, old, new in ((owner, name, between), (other_owner, other, name), (owner, between, other))
    ]


def _rename(kind: str, owner: str | None, name: str, new: str) -> sql.Composed:
    old_name, new_name = sql.Identifier(name), sql.Identifier(new)
    if owner is None:
        statement = sql.SQL("alter {} recsys.{} rename to {}")
        return statement.format(sql.SQL(kind), old_name, new_name)
    table = sql.SQL(owner)
    if kind == "policy":
        return sql.SQL("alter policy {} on {} rename to {}").format(old_name, table, new_name)
    return sql.SQL("alter table {} rename {} {} to {}").format(
        table,
        sql.SQL(kind),
        old_name,
        new_name,
    )


def _storage() -> list[str]:
    """A new vector lies in its row; the one beside it does not."""
    return [
        f"alter table recsys.{table} alter column {column} set storage {storage}"
        for table in COLUMNS
        for column, storage in (("embedding", "plain"), (twin("embedding"), "external"))
    ]

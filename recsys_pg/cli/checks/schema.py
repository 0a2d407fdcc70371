"""Checks of the schema: complete, indexed, analyzed, with its roles."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.cli.checks.check import Finding
from recsys_pg.schema import head_revision, schema_problems


def complete(connection: sa.Connection) -> Iterator[Finding]:
    """All tables, functions and views of this version are there."""
    problems = schema_problems(connection)
    for problem in problems:
        yield Finding("fail", problem, "Run: recsys-pg migrate.")
    if not problems:
        yield Finding("ok", f"Complete, at revision {head_revision()}.")


def indexes(connection: sa.Connection) -> Iterator[Finding]:
    """No index was left unfinished."""
    names = connection.scalars(
        sa.text(
            "select i.indexrelid::regclass::text"
            " from pg_index i join pg_class c on c.oid = i.indrelid"
            " where c.relnamespace = 'recsys'::regnamespace and not (i.indisvalid and i.indisready)"
            # of a switch of the embedding model, which builds them anew
            " and i.indexrelid::regclass::text not like 'recsys.standby%'"
            # those have a check of their own
            " and not exists (select from recsys.search_indexes s"
            "     where to_regclass('recsys.' || s.index_name) = i.indexrelid)"
            " order by 1"
        )
    ).all()
    for name in names:
        yield Finding(
            "fail",
            f"Index {name} is invalid and not used.",
            f"Run: reindex index concurrently {name}.",
        )
    if not names:
        yield Finding("ok", "All are valid.")


def roles(connection: sa.Connection) -> Iterator[Finding]:
    """The roles for applications and BI tools exist."""
    missing = connection.scalars(
        sa.text(
            "select r.name from (values ('recsys_app'), ('recsys_reporter')) r (name)"
            " where not exists (select from pg_roles where rolname = r.name) order by 1"
        )
    ).all()
    for name in missing:
        yield Finding(
            "warn",
            f"Role {name} does not exist.",
            f"As a role that may: create role {name} login; then run recsys-pg migrate.",
        )
    if not missing:
        yield Finding("ok", "recsys_app and recsys_reporter exist.")


def statistics(connection: sa.Connection) -> Iterator[Finding]:
    """The planner knows the tables."""
    names = connection.scalars(
        sa.text(
            "select relname::text from pg_stat_user_tables where schemaname = 'recsys' and n_live_tup > 1000"
            " and last_analyze is null and last_autoanalyze is null order by 1"
        )
    ).all()
    for name in names:
        yield Finding("warn", f"Table recsys.{name} was never analyzed.", f"Run: analyze recsys.{name}.")
    if not names:
        yield Finding("ok", "All tables with rows were analyzed.")

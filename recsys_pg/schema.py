"""The database schema: where its SQL lives, how it is installed, upgraded and checked.

State (schema recsys) changes by Alembic migrations; the functions and views (recsys_api, recsys_report) are
rebuilt from sql/ each time. `migrate` does both in one transaction.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql

from recsys_pg.db import driver_connection, translated_errors, vector_schema
from recsys_pg.errors import SchemaNotReadyError, UnsupportedDatabaseError, UpgradeBlockedError
from recsys_pg.models import Base

STATE_SCHEMA = "recsys"
API_SCHEMA = "recsys_api"
REPORT_SCHEMA = "recsys_report"
SCHEMAS = (STATE_SCHEMA, API_SCHEMA, REPORT_SCHEMA)

MINIMUM_POSTGRES = 16
MINIMUM_PGVECTOR = (0, 8, 4)

_PACKAGE = Path(__file__).resolve().parent
_LOCK_KEY = 0x72656373  # "recs": one migration at a time on a database
_OBJECT = re.compile(r"^\s*create (?:or replace )?(function|view|type) (recsys_(?:api|report)\.\w+)", re.M)
_DEPENDENT = re.compile(r"^(.+?) depends on ", re.M)


def sql_directory() -> Path:
    """The folder of sql/: inside an installed package, or beside it in a checkout."""
    return _existing("_sql", "sql")


def migrations_directory() -> Path:
    """The folder of migrations/: inside an installed package, or beside it in a checkout."""
    return _existing("_migrations", "migrations")


def _existing(packaged: str, checkout: str) -> Path:
    inside = _PACKAGE / packaged
    return inside if inside.is_dir() else _PACKAGE.parent / checkout


@dataclass(frozen=True)
class SqlFile:
    """One file of sql/: the object that it creates, and its header comment.

    kind is function, view, type or, when it creates none, script, whose name is that of the file.
    """

    path: Path
    text: str
    kind: str
    name: str

    @property
    def header(self) -> str:
        """The leading comment lines without their dashes; it is the object's comment in the database."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line[2:].removeprefix(" "))
        return "\n".join(lines).strip()


def sql_files() -> list[SqlFile]:
    """The files of sql/ in dependency order."""
    files = []
    for path in sorted(sql_directory().glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        match = _OBJECT.search(text)
        kind, name = match.groups() if match else ("script", path.stem)
        files.append(SqlFile(path, text, kind, name))
    return files


@dataclass(frozen=True)
class Migrated:
    """What `migrate` did: the revision before and after (equal when there was nothing to do)."""

    before: str | None
    after: str
    objects: int


def alembic_config() -> Config:
    """Alembic's configuration for the migrations of this package."""
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(engine: sa.Engine) -> Migrated:
    """Install or upgrade the schema, in one transaction; safe to repeat and to run from two machines at once.

    Raises:
        UnsupportedDatabaseError: PostgreSQL or pgvector is too old or missing.
        UpgradeBlockedError: something built on an object that has to change is in the way.
        SchemaNotReadyError: the database was migrated by a newer version of recsys_pg.
        DatabaseUnavailableError, PermissionDeniedError, ReadOnlyDatabaseError: as their names say.
    """
    with translated_errors(), engine.begin() as connection:
        hold_migration_lock(connection)
        prepare_database(connection)
        before = _current_revision(connection)
        _require_known_revision(before)
        _require_tables(connection, before)
        config = alembic_config()
        config.attributes["connection"] = connection
        # a report that runs for long must not make all later ones queue behind this
        connection.execute(sa.text("set local lock_timeout = '10s'"))
        command.upgrade(config, "head")
        objects = rebuild(connection)
        return Migrated(before, head_revision(), objects)


def head_revision() -> str:
    """The newest revision of this package's migrations."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise SchemaNotReadyError(f"No migrations in {migrations_directory()}.", "Reinstall recsys-pg.")
    return head


def hold_migration_lock(connection: sa.Connection) -> None:
    """Wait until no other migration runs on this database; the lock ends with the transaction."""
    connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def prepare_database(connection: sa.Connection) -> None:
    """Check PostgreSQL and pgvector, create the extension where it is missing, and the three schemas.

    Raises:
        UnsupportedDatabaseError: PostgreSQL is older than 16, or pgvector is missing or older than 0.8.4.
    """
    version = connection.scalar(sa.text("show server_version"))
    number = int(connection.scalar(sa.text("show server_version_num")) or 0)
    if number < MINIMUM_POSTGRES * 10_000:
        raise UnsupportedDatabaseError(
            f"The server is PostgreSQL {version}.", f"recsys_pg needs PostgreSQL {MINIMUM_POSTGRES} or later."
        )
    installed = connection.scalar(sa.text("select extversion from pg_extension where extname = 'vector'"))
    available = connection.scalar(
        sa.text("select default_version from pg_available_extensions where name = 'vector'")
    )
    minimum = ".".join(map(str, MINIMUM_PGVECTOR))
    if installed is None and available is None:
        raise UnsupportedDatabaseError(
            "The server has no pgvector.",
            f"Install pgvector {minimum} or later on it (package postgresql-{number // 10_000}-pgvector, "
            "or the image pgvector/pgvector).",
        )
    if _version_tuple(installed or available) < MINIMUM_PGVECTOR:
        raise UnsupportedDatabaseError(
            f"pgvector {installed or available} is older than {minimum}: it has a known vulnerability or"
            " corrupts HNSW indexes on vacuum.",
            f"Install pgvector {minimum} or later on the server"
            + (", then run: alter extension vector update." if installed else "."),
        )
    if installed is None:
        connection.execute(sa.text("create extension vector"))
    for schema in SCHEMAS:
        # "create schema if not exists" asks for a right on the database even when the schema exists
        if connection.scalar(sa.text("select to_regnamespace(:schema)"), {"schema": schema}) is None:
            connection.execute(sa.text(f"create schema {schema}"))


def rebuild(connection: sa.Connection) -> int:
    """Replace every object of sql/ in place, drop what is gone, then run its scripts; returns their number.

    Raises:
        UpgradeBlockedError: an object has to be dropped that something else was built on.
    """
    driver = driver_connection(connection)
    files = sql_files()
    wanted = {file.name for file in files}
    with driver.cursor() as cursor:
        # a report that runs for long must not make all later ones queue behind this
        cursor.execute("set local lock_timeout = '10s'")
        # what "set search_path from current" in the files records: only pgvector's operators need it
        cursor.execute(f"set local search_path = pg_catalog, {vector_schema(driver)}, pg_temp")
        cursor.execute(
            f"select name, kind, identity from {STATE_SCHEMA}.api_objects"
            " order by kind = 'type', kind = 'function'"
        )
        existing = {name: (kind, identity) for name, kind, identity in cursor.fetchall()}
        for name, (kind, identity) in existing.items():
            if name not in wanted:
                _drop(driver, kind, identity)
        created = []
        for file in files:
            if file.kind != "script":
                _, before = existing.get(file.name, (None, None))
                created.append((file.name, file.kind, _create(driver, file, before)))
        cursor.execute(f"delete from {STATE_SCHEMA}.api_objects")
        cursor.executemany(
            f"insert into {STATE_SCHEMA}.api_objects (name, kind, identity) values (%s, %s, %s)", created
        )
        for file in files:
            if file.kind == "script":
                cursor.execute(file.text.encode())
        cursor.execute("reset search_path")
    return len(created)


def _create(driver: psycopg.Connection[Any], file: SqlFile, before: str | None) -> str:
    """Create or replace the object of a file; returns its identity, which for a function has the arguments.

    ``before`` is the identity that the object had. A function of the same name with other arguments may be a
    user's own, so only that one is dropped when the arguments change.
    """
    try:
        with driver.transaction():
            identity = _execute(driver, file)
    except (psycopg.errors.InvalidFunctionDefinition, psycopg.errors.InvalidTableDefinition):
        # the result or the columns changed, which "create or replace" cannot do
        if before is None:
            raise
        _drop(driver, file.kind, before)
        before = None
        identity = _execute(driver, file)
    if before not in (None, identity):
        _drop(driver, file.kind, str(before))
    if file.kind != "type":
        driver.execute(
            sql.SQL("comment on {} {} is {}").format(
                sql.SQL(file.kind), sql.SQL(identity), sql.Literal(file.header)
            )
        )
    return identity


def _execute(driver: psycopg.Connection[Any], file: SqlFile) -> str:
    """Run a file; returns the identity of the object that it wrote."""
    before = _functions(driver, file.name)
    driver.execute(file.text.encode())
    if file.kind != "function":
        return file.name
    (written,) = _functions(driver, file.name) - before
    return written[1]


def _functions(driver: psycopg.Connection[Any], name: str) -> set[tuple[str, str]]:
    """All functions of a name: where the row lies, which changes when one is replaced, and the identity."""
    rows = driver.execute(
        "select p.ctid::text, (pg_identify_object('pg_proc'::regclass, p.oid, 0)).identity"
        " from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname || '.' || p.proname = %s",
        (name,),
    )
    return set(rows.fetchall())


def _drop(driver: psycopg.Connection[Any], kind: str, identity: str) -> None:
    try:
        with driver.transaction():
            driver.execute(f"drop {kind} if exists {identity} restrict".encode())
    except psycopg.errors.DependentObjectsStillExist as error:
        detail = error.diag.message_detail or ""
        dependents = tuple(dict.fromkeys(_DEPENDENT.findall(detail))) or (detail,)
        raise UpgradeBlockedError(
            f"{identity} has to change, but {', '.join(dependents)} was built on it; nothing was changed.",
            "Drop what was built on it, run recsys-pg migrate again, and create it anew.",
            dependents=dependents,
        ) from error


def _version_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _current_revision(connection: sa.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": STATE_SCHEMA})
    return context.get_current_revision()


def _require_known_revision(revision: str | None) -> None:
    if revision is None:
        return
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision not in known:
        raise SchemaNotReadyError(
            f"The database is at revision {revision}, which this version of recsys_pg does not know.",
            "Install the version of recsys-pg that migrated it, or a newer one.",
        )


def _require_tables(connection: sa.Connection, revision: str | None) -> None:
    missing = _missing_tables(connection) if revision == head_revision() else []
    if missing:
        raise SchemaNotReadyError(
            f"The schema is at revision {revision}, but tables are missing: {', '.join(missing)}.",
            "Restore the tables from a backup: migrating brings no data back.",
        )


def _missing_tables(connection: sa.Connection) -> list[str]:
    found = set(
        connection.scalars(sa.text("select tablename::text from pg_tables where schemaname = 'recsys'"))
    )
    return sorted(table.name for table in Base.metadata.tables.values() if table.name not in found)


def schema_problems(connection: sa.Connection) -> list[str]:
    """What keeps the schema from being usable, one sentence each; empty when it is complete and current."""
    found = set(
        connection.scalars(
            sa.text(
                "select nspname::text from pg_namespace"
                " where nspname in ('recsys', 'recsys_api', 'recsys_report')"
            )
        )
    )
    missing_schemas = [schema for schema in SCHEMAS if schema not in found]
    if missing_schemas:
        return [f"Schema {', '.join(missing_schemas)} is missing."]
    problems = []
    missing = _missing_tables(connection)
    if missing:
        problems.append(f"Tables are missing in schema recsys: {', '.join(missing)}.")
    revision = _current_revision(connection)
    if revision != head_revision():
        problems.append(
            f"The schema is at revision {revision or 'none'}, this package needs {head_revision()}."
        )
    objects = set(
        connection.scalars(
            sa.text(
                "select n.nspname || '.' || p.proname from pg_proc p"
                " join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'recsys_api'"
                " union select schemaname || '.' || viewname from pg_views where schemaname = 'recsys_report'"
            )
        )
    )
    gone = sorted(
        file.name for file in sql_files() if file.kind in ("function", "view") and file.name not in objects
    )
    if gone:
        problems.append(f"Functions or views are missing: {', '.join(gone)}.")
    return problems


def require_schema(connection: sa.Connection) -> None:
    """Refuse a database whose schema is missing, incomplete or of another version.

    Raises:
        SchemaNotReadyError: with what is wrong and the remedy.
    """
    _require_tables(connection, _current_revision(connection))
    problems = schema_problems(connection)
    if problems:
        raise SchemaNotReadyError(" ".join(problems), "Run: recsys-pg migrate.")

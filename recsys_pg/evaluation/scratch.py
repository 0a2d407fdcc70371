"""A database that exists only while something is tried in it."""

import logging
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import make_conninfo

from recsys_pg import db, embedded
from recsys_pg.errors import PermissionDeniedError, ReadOnlyDatabaseError

_logger = logging.getLogger(__name__)

EMBEDDED = "embedded"
"""Stands for a server of the extra of this name, which is started and deleted again."""

_PREFIX = "recsys_pg_evaluation_"
_ELSEWHERE = "name another server, --server URL; or start one for this, --server embedded"


@contextmanager
def scratch_server(engine: sa.Engine, server: str | None = None) -> Iterator[Mapping[str, Any]]:
    """The libpq parameters of the server for a scratch database.

    Args:
        engine: whose server it is if server is left out.
        server: a database URL, to whose server the role must be able to add a database; or `EMBEDDED`.

    Raises:
        InvalidArgumentError: the URL cannot be read.
        MissingDependencyError, DatabaseUnavailableError: the embedded server does not start.
    """
    if server == EMBEDDED:
        with tempfile.TemporaryDirectory(prefix="recsys_pg_evaluation_") as folder:
            running = embedded.start(Path(folder) / "data", on_exit="stop")
            try:
                yield db.connection_parameters(running.url)
            finally:
                running.stop()
    elif server is not None:
        yield db.connection_parameters(server)
    else:
        with db.translated_errors(), engine.connect() as connection:
            info = db.driver_connection(connection).info
            password = {"password": info.password} if info.password else {}
            parameters = info.get_parameters() | password
        yield parameters


@contextmanager
def scratch_database(server: Mapping[str, Any]) -> Iterator[sa.Engine]:
    """An engine on a new database of a server, which is dropped when the block ends, however it ends.

    Only a killed process or a server that went away leaves it behind, by the name recsys_pg_evaluation_…; the
    next one drops it.

    Raises:
        PermissionDeniedError, ReadOnlyDatabaseError: the server lets the role create no database.
        DatabaseUnavailableError: there is no connection.
    """
    name = f"{_PREFIX}{uuid.uuid4().hex[:12]}"
    engine = db.create_engine(make_conninfo(**dict(server) | {"dbname": name}))
    with _connect(server, application_name=name) as owner:
        try:
            with db.translated_errors():
                _drop_left_behind(owner)
                _create(owner, name)  # a signal may end it with the database there
            yield engine
        finally:
            engine.dispose()
            with db.translated_errors(), _connect(server) as connection:  # the other may have been cut off
                _drop(connection, name)


def _connect(server: Mapping[str, Any], **more: str) -> psycopg.Connection[Any]:
    with db.translated_errors():
        return psycopg.connect(**dict(server) | more, autocommit=True)


def _drop_left_behind(connection: psycopg.Connection[Any]) -> None:
    """Drop the role's scratch databases whose owner, a session of the same name, is gone."""
    names = connection.execute(
        "select d.datname from pg_database d join pg_roles r on r.oid = d.datdba"
        " where d.datname ~ %s and r.rolname = current_user"
        " and not exists (select from pg_stat_activity a where a.application_name = d.datname)",
        (f"^{_PREFIX}[0-9a-f]{{12}}$",),
    ).fetchall()
    for (name,) in names:
        with suppress(psycopg.Error):  # somebody looks at it, or has dropped it, or the server is read-only
            connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
            _logger.info("dropped %s, which an evaluation that was killed left behind", name)


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    # not "if exists", which a read-only server refuses as well
    if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _create(connection: psycopg.Connection[Any], name: str) -> None:
    try:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise PermissionDeniedError(
            f"The role {connection.info.user} may not create the scratch database of an evaluation.",
            f"Let it: alter role … createdb; or {_ELSEWHERE}.",
        ) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise ReadOnlyDatabaseError(
            "The server is read-only, so that it takes no scratch database.",
            f"{_ELSEWHERE[0].upper()}{_ELSEWHERE[1:]}.",
        ) from error

"""Engines and connections: database URLs in every usual form, and errors with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg.types.datetime import TimestamptzLoader
from sqlalchemy.exc import DBAPIError

from recsys_pg import errors
from recsys_pg.config import DIMENSIONS

LARGEST_COMPONENT = 3.4e38
"""What a component of a vector, a float of 4 bytes, can hold."""

_BY_SQLSTATE: dict[str, type[errors.RecsysError]] = {
    "RS001": errors.UnknownUserError,
    "RS002": errors.UnknownItemError,
    "RS003": errors.UnknownInteractionKindError,
    "RS010": errors.InvalidArgumentError,
    "RS011": errors.InvalidVectorError,
    "RS012": errors.EventConflictError,
    "RS013": errors.RuleError,
    "RS014": errors.UnknownScenarioError,
}

# a day off, so that they exist in every time zone
_FIRST_TIME, _LAST_TIME = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

_UNREACHABLE = ("08", "28", "3D", "57P")  # connection, log-in, database name, shutdown or start-up
_SCHEMA_MISSING = {"42P01", "42883", "3F000"}  # undefined table, function, schema
_CHECK_VIOLATION, _INVALID_TEXT = "23514", "22P02"

_KEY = "a key has 1 to 255 characters."
_OBJECT = "attributes are an object, of names and values."
_VALUES = {
    "items_external_id_check": _KEY,
    "items_category_check": "a category has 1 to 255 characters.",
    "items_tags_check": "a tag has 1 to 255 characters.",
    "items_price_check": "a price is 0 or more, and finite.",
    "items_attributes_check": _OBJECT,
    "users_external_id_check": _KEY,
    "users_attributes_check": _OBJECT,
    "interaction_kinds_kind_check": "a kind has lower-case letters, digits and underscores, a letter first.",
    "interaction_kinds_weight_check": "a weight is between -1000 and 1000.",
    "interaction_kinds_value_center_check": "the middle of the values is between -1e9 and 1e9.",
    "interactions_value_check": "a value is between -1e9 and 1e9.",
    "interactions_event_id_check": _KEY,
    "interactions_occurred_at_check": "a time is finite.",
    "settings_value_check": "a setting is a number from 0 to 1e9; docs/operations.md lists them.",
}
"""What the constraints allow on what applications write."""


def connection_parameters(url: str) -> dict[str, Any]:
    """The libpq parameters of a database URL or keyword string.

    Accepts ``postgres://``, ``postgresql://``, ``postgresql+psycopg://``, a unix socket as
    ``?host=/path``, a service as ``?service=name``, and libpq keywords such as ``host=db dbname=shop``.

    Raises:
        InvalidArgumentError: libpq cannot read it. The password is not repeated.
    """
    scheme, separator, rest = url.strip().partition("://")
    dsn = url.strip()
    if separator:
        dialect = scheme.partition("+")[0]
        if dialect not in ("postgres", "postgresql"):
            raise errors.InvalidArgumentError(
                f"The database URL starts with {scheme}://, which is not PostgreSQL.",
                "Use postgresql://user@host/database.",
            )
        dsn = f"postgresql://{rest}"
    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise errors.InvalidArgumentError(
            "The database URL cannot be read.",
            "Use postgresql://user@host/database, with special characters of the password percent-encoded.",
        ) from None  # libpq's error repeats the URL, password and all
    if not parameters:
        raise errors.InvalidArgumentError(
            "The database URL is empty.", "Use postgresql://user@host/database."
        )
    return dict(parameters)


def create_engine(url: str, **options: Any) -> sa.Engine:
    """A SQLAlchemy engine for a database URL in any form that `connection_parameters` reads.

    ``options`` go to `sqlalchemy.create_engine`.
    """
    parameters = connection_parameters(url) | {"application_name": "recsys_pg"}
    engine = sa.create_engine("postgresql+psycopg://", connect_args=parameters, **options)
    sa.event.listen(engine, "connect", _read_all_times)
    return engine


class _AnyTime(TimestamptzLoader):
    """Reads a time that Python cannot hold, before year 1 or after 9999, as the first or last that it can."""

    def load(self, data: Any) -> datetime:
        try:
            return super().load(data)
        except psycopg.DataError:
            return _FIRST_TIME if bytes(data).startswith(b"-") or b"BC" in bytes(data) else _LAST_TIME


def _read_all_times(connection: psycopg.Connection[Any], record: object) -> None:  # noqa: ARG001
    connection.adapters.register_loader("timestamptz", _AnyTime)


def driver_connection(connection: sa.Connection) -> psycopg.Connection[Any]:
    """The psycopg connection under a SQLAlchemy connection, in the same transaction.

    Raises:
        InvalidArgumentError: the engine uses another driver.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise errors.InvalidArgumentError(
            f"The engine's driver is {type(driver).__module__}, not psycopg 3.",
            "Create the engine with postgresql+psycopg:// or recsys_pg.db.create_engine.",
        )
    return driver


def vector_text(embedding: Any) -> str:
    """A vector as pgvector reads it, for a sequence or array of numbers of shape (384,).

    Raises:
        InvalidVectorError: not 384 finite numbers.
    """
    remedy = f"Pass one vector of {DIMENSIONS} finite numbers."
    try:
        if isinstance(embedding, str | bytes):
            raise TypeError
        values = [float(value) for value in embedding]
    except (TypeError, ValueError) as error:
        raise errors.InvalidVectorError(
            f"The embedding is {type(embedding).__name__}, not a flat sequence of numbers.", remedy
        ) from error
    if len(values) != DIMENSIONS:
        raise errors.InvalidVectorError(f"The embedding has {len(values)} dimensions.", remedy)
    unfit = [value for value in values if not abs(value) <= LARGEST_COMPONENT]
    if unfit:
        raise errors.InvalidVectorError(f"The embedding contains {unfit[0]}.", remedy)
    return "[" + ",".join(map(repr, values)) + "]"


def translate(error: BaseException) -> errors.RecsysError | None:
    """The error of recsys_pg that a database error stands for, or None when it is none of ours."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, psycopg.Error):
        return None
    state = original.sqlstate or ""
    message = _sentence(original.diag.message_primary or str(original))
    hint = _sentence(original.diag.message_hint or "")
    known: errors.RecsysError | None = None
    if state in _BY_SQLSTATE:
        known = _BY_SQLSTATE[state](message, hint)
    elif state == "25006":
        known = errors.ReadOnlyDatabaseError(
            message, "The database is read-only or a replica: write to the primary."
        )
    elif state == "42501":
        known = errors.PermissionDeniedError(
            message, "Connect as a role with that right, or grant it: see docs/operations.md."
        )
    elif state in _SCHEMA_MISSING and "recsys" in message:
        known = errors.SchemaNotReadyError(message, "Run: recsys-pg migrate.")
    elif state == "55P03":
        known = errors.DatabaseError(message, "Somebody holds a lock on it: try again later.")
    elif isinstance(original, psycopg.DataError) or state.startswith(("22", "23")):
        known = errors.InvalidArgumentError(_named(original, message), _remedy(original, hint))
    elif isinstance(original, psycopg.OperationalError) and (not state or state.startswith(_UNREACHABLE)):
        reason = " ".join(str(original).split())
        remedy = "Check RECSYS_PG_DATABASE_URL, the password and that the server runs."
        if "Is the server running locally" in reason:
            remedy += " The embedded one: recsys-pg server start."
        known = errors.DatabaseUnavailableError(
            _sentence(f"The database cannot be reached: {reason}"), remedy
        )
    return known


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn database errors that `translate` knows into errors of recsys_pg; let others through."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error


def _named(error: psycopg.Error, message: str) -> str:
    """What was wrong, with the constraint that it broke and, where that is one of values, the row."""
    constraint = error.diag.constraint_name
    if error.sqlstate == _CHECK_VIOLATION and error.diag.table_name != "users":  # rows of people are not told
        return _sentence(f"{message} {error.diag.message_detail or ''}")
    return f"{message[:-1]} (constraint {constraint})." if constraint else message


def _remedy(error: psycopg.Error, hint: str) -> str:
    constraint = error.diag.constraint_name
    if constraint in ("items_pkey", "users_pkey"):
        table = constraint.removesuffix("_pkey")
        return (
            "Generated ids have run into given ones: select setval(pg_get_serial_sequence"
            f"('recsys.{table}', 'id'), (select max(id) from recsys.{table}));"
        )
    if constraint and error.sqlstate == _CHECK_VIOLATION:
        known = _VALUES.get(constraint, f"\\d {error.diag.schema_name}.{error.diag.table_name} says which.")
        return f"Correct the value: {known}"
    if error.sqlstate == _INVALID_TEXT:
        return hint or (
            "An id is a whole number; by_external_id finds it by the application's own key."
            if "bigint" in str(error)
            else "Pass a value of that type."
        )
    return hint or _sentence(error.diag.message_detail or "")


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def vector_schema(connection: psycopg.Connection[Any]) -> str:
    """The quoted name of the schema that holds pgvector, which need not be on the search_path."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "select quote_ident(n.nspname) from pg_extension e"
            " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
        ).fetchone()
    return str(row[0]) if row else "public"

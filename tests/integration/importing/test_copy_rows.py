"""Bulk loading by binary COPY, as applications use it."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import db
from recsys_pg.errors import (
    InvalidArgumentError,
    InvalidVectorError,
    PermissionDeniedError,
    ReadOnlyDatabaseError,
    SchemaNotReadyError,
)
from recsys_pg.models import Item
from recsys_pg.repositories.bulk import copy_rows

VECTOR = np.eye(384, dtype=np.float32)


@pytest.fixture
def connection(url):
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        yield connection


def test_rows_of_every_type_arrive_as_they_were(connection):
    created = datetime(2026, 1, 2, tzinfo=UTC)
    columns = ("id", "external_id", "title", "tags", "price", "in_stock", "attributes", "created_at")
    types = ("int8", "text", "text", "text[]", "numeric", "bool", "jsonb", "timestamptz")
    rows = [
        (1, "a", "'quoted'; 🎬\n\t\\", ("x", "y"), Decimal("19.90"), False, {"k": [1, None]}, created),
        (2, None, "b", [], None, True, {}, created),
    ]
    assert copy_rows(connection, "recsys.items", columns, types, iter(rows)) == 2
    read = connection.execute(f"select {', '.join(columns)} from recsys.items order by id").fetchall()
    assert read == [(*rows[0][:3], ["x", "y"], *rows[0][4:]), rows[1]]


def test_no_rows_are_no_error(connection):
    assert copy_rows(connection, "recsys.users", ("id",), ("int8",), []) == 0


@pytest.mark.parametrize("vector", [VECTOR[0], VECTOR[0].tolist()])
def test_vectors_are_written_with_their_triggers(connection, vector):
    columns, types = ("id", "title", "embedding"), ("int8", "text", "vector")
    assert copy_rows(connection, "recsys.items", columns, types, [(1, "a", vector), (2, "b", None)]) == 2
    read = connection.execute(
        "select embedding::text, embedding_content_hash = content_hash from recsys.items order by id"
    ).fetchall()
    assert read == [("[1" + ",0" * 383 + "]", True), (None, None)]
    [(untouched,)] = connection.execute("select embedding from recsys.items where id = 1")
    assert isinstance(untouched, str), "the caller's connection still reads vectors the way it did"


def test_the_transaction_of_a_session_is_used(engine):
    with Session(engine) as session:
        columns, types = ("title", "embedding"), ("text", "vector")
        connection = db.driver_connection(session.connection())
        copy_rows(connection, "recsys.items", columns, types, [("a", VECTOR[3])])
        assert session.scalars(sa.select(Item.embedding)).one()[3] == 1
        session.rollback()
        assert session.scalar(sa.select(sa.func.count()).select_from(Item)) == 0


def test_pgvector_may_live_in_a_schema_off_the_search_path(create_database):
    with psycopg.connect(**db.connection_parameters(create_database())) as connection:
        connection.execute("create schema extensions; create extension vector schema extensions")
        connection.execute("create table plain (embedding extensions.vector(384))")
        assert copy_rows(connection, "public.plain", ("embedding",), ("vector",), [(VECTOR[0],)]) == 1


@pytest.mark.parametrize(
    ("columns", "types", "rows", "error", "message"),
    [
        (("id", "title"), ("int8",), [], InvalidArgumentError, "2 columns and 1 types"),
        (("id",), ("number",), [(1,)], InvalidArgumentError, "couldn't find the type 'number'"),
        (("id", "title"), ("int8", "text"), [(1, "a"), (2,)], InvalidArgumentError, "Row 2 does not fit"),
        (("id", "title"), ("int8", "text"), [(1, "a", 2)], InvalidArgumentError, "Row 1 does not fit"),
        (
            ("id", "title"),
            ("int8", "text"),
            [(1, "a"), ("b", "b")],
            InvalidArgumentError,
            "Row 2 does not fit",
        ),
        (("id", "title"), ("int8", "text"), [(2**63, "a")], InvalidArgumentError, "Row 1 does not fit"),
        (("id", "title"), ("int8", "text"), [(1, "nul \0")], InvalidArgumentError, "0x00"),
        (("id", "title"), ("int8", "text"), [(1, "a"), (1, "b")], InvalidArgumentError, "items_pkey"),
        (("id", "title"), ("int8", "text"), [(1, None)], InvalidArgumentError, "null value"),
        (("title", "price"), ("text", "numeric"), [("a", -1)], InvalidArgumentError, "items_price_check"),
        (
            ("title", "tags"),
            ("text", "text[]"),
            [("a", [["b"], "c"])],
            InvalidArgumentError,
            "Row 1 does not",
        ),
        (
            ("title", "embedding"),
            ("text", "vector"),
            [("a", VECTOR[0] * 0)],
            InvalidVectorError,
            "zero vector",
        ),
        (("title", "embedding"), ("text", "vector"), [("a", [1.0])], InvalidArgumentError, "384 dimensions"),
        (("title", "colour"), ("text", "text"), [("a", "b")], InvalidArgumentError, '"colour"'),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(url, *, columns, types, rows, error, message):
    with (
        psycopg.connect(**db.connection_parameters(url)) as connection,
        pytest.raises(error, match=message),
    ):
        copy_rows(connection, "recsys.items", columns, types, rows)
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        assert connection.execute("select count(*) from recsys.items").fetchone() == (0,)


def test_table_and_column_names_are_not_sql(connection):
    with pytest.raises(InvalidArgumentError, match=r"does not exist"):
        copy_rows(connection, 'items" from stdin; drop table items; --', ("id",), ("int8",), [])


def test_a_missing_schema_is_named(create_database):
    with (
        psycopg.connect(**db.connection_parameters(create_database())) as connection,
        pytest.raises(SchemaNotReadyError, match="recsys-pg migrate"),
    ):
        copy_rows(connection, "recsys.items", ("title",), ("text",), [("a",)])


def test_missing_rights_are_named(url):
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        connection.execute("set role recsys_app")
        with pytest.raises(PermissionDeniedError, match="items"):
            copy_rows(connection, "recsys.items", ("title",), ("text",), [("a",)])


def test_a_read_only_database_is_named(url):
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        connection.read_only = True
        with pytest.raises(ReadOnlyDatabaseError):
            copy_rows(connection, "recsys.items", ("title",), ("text",), [("a",)])

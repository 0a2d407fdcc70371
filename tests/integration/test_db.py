"""Engines, and what becomes of the database's errors."""

from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.exc import DBAPIError

from recsys_pg import db, errors

RAISED = {
    "RS001": errors.UnknownUserError,
    "RS002": errors.UnknownItemError,
    "RS003": errors.UnknownInteractionKindError,
    "RS010": errors.InvalidArgumentError,
    "RS011": errors.InvalidVectorError,
    "RS012": errors.EventConflictError,
    "RS013": errors.RuleError,
    "25006": errors.ReadOnlyDatabaseError,
    "55P03": errors.DatabaseError,
    "42501": errors.PermissionDeniedError,
    "23514": errors.InvalidArgumentError,
    "22003": errors.InvalidArgumentError,
    "57P01": errors.DatabaseUnavailableError,
}
RAISE = (
    "do $$ begin raise exception using errcode = '{}', message = 'what happened', hint = 'what to do'; end $$"
)


def test_times_that_python_cannot_hold_are_the_first_or_last_it_can(shared_engine):
    query = (
        "select '55840-11-08'::timestamptz, '0044-03-15 BC'::timestamptz, '2026-01-01 00:00Z'::timestamptz"
    )
    with shared_engine.connect() as connection:
        driver = db.driver_connection(connection)
        late, early, usual = driver.execute(query).fetchone()
    assert (late.year, early.year, usual) == (9999, 1, datetime(2026, 1, 1, tzinfo=UTC))
    assert early < usual < late


@pytest.mark.parametrize("state", RAISED)
def test_each_sqlstate_becomes_its_exception(shared_engine, state):
    with (
        shared_engine.connect() as connection,
        pytest.raises(errors.RecsysError, match=r"[Ww]hat happened") as raised,
        db.translated_errors(),
    ):
        connection.exec_driver_sql(RAISE.format(state))
    assert type(raised.value) is RAISED[state]
    assert isinstance(raised.value.__cause__, DBAPIError)


def test_message_and_hint_are_sentences(shared_engine):
    with (
        pytest.raises(errors.UnknownUserError) as raised,
        db.translated_errors(),
        shared_engine.connect() as connection,
    ):
        connection.exec_driver_sql(RAISE.format("RS001"))
    assert (raised.value.message, raised.value.hint) == ("what happened.", "what to do.")
    assert str(raised.value) == "what happened. what to do."


def test_an_error_of_the_driver_itself_is_translated_too(url):
    with (
        psycopg.connect(url) as connection,
        pytest.raises(errors.UnknownUserError),
        db.translated_errors(),
    ):
        connection.execute(RAISE.format("RS001"))


@pytest.mark.parametrize(
    "statement", ["select 1 / 0 from nothing", "selct", "select no_such_column from pg_class"]
)
def test_errors_of_other_peoples_sql_are_left_alone(shared_engine, statement):
    with pytest.raises(DBAPIError), db.translated_errors(), shared_engine.connect() as connection:
        connection.exec_driver_sql(statement)


def test_other_exceptions_are_left_alone():
    with pytest.raises(ZeroDivisionError), db.translated_errors():
        raise ZeroDivisionError
    assert db.translate(ZeroDivisionError()) is None


def test_a_violated_constraint_is_named_with_the_row(shared_engine):
    with (
        shared_engine.connect() as connection,
        pytest.raises(errors.InvalidArgumentError) as raised,
        db.translated_errors(),
    ):
        connection.exec_driver_sql("insert into recsys.items (title, price) values ('x', -1)")
    assert "items_price_check" in raised.value.message
    assert "Failing row contains" in raised.value.message
    assert ", -1, " in raised.value.message
    assert raised.value.hint == "Correct the value: a price is 0 or more, and finite."


def test_a_row_of_a_person_is_not_told(shared_engine):
    with (
        shared_engine.connect() as connection,
        pytest.raises(errors.InvalidArgumentError, match="users_external_id_check") as raised,
        db.translated_errors(),
    ):
        connection.exec_driver_sql(
            "insert into recsys.users (external_id, attributes) values ('', '{\"email\": \"a@b.example\"}')"
        )
    assert "a@b" not in str(raised.value)


def test_what_each_constraint_on_values_allows_is_told(shared_engine):
    with shared_engine.connect() as connection:
        names = connection.scalars(
            sa.text(
                "select conname from pg_constraint where contype = 'c' and conrelid in ("
                "'recsys.items'::regclass, 'recsys.users'::regclass, 'recsys.interactions'::regclass,"
                " 'recsys.interaction_kinds'::regclass, 'recsys.settings'::regclass)"
                " and conname not like '%embedding%'"
            )
        )
        assert set(names) == set(db._VALUES)


def test_what_is_no_id_is_told_how_to_find_one(shared_engine):
    with (
        shared_engine.connect() as connection,
        pytest.raises(errors.InvalidArgumentError, match='"c1"') as raised,
        db.translated_errors(),
    ):
        connection.execute(sa.text("select cast(:id as bigint)"), {"id": "c1"})
    assert "by_external_id" in raised.value.hint


def test_a_lost_connection_is_an_unavailable_database(shared_engine):
    with shared_engine.connect() as connection:
        pid = connection.scalar(sa.text("select pg_backend_pid()"))
        with shared_engine.connect() as other:
            other.scalar(sa.text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with (
            pytest.raises(errors.DatabaseUnavailableError, match=r"terminating connection|server closed"),
            db.translated_errors(),
        ):
            connection.execute(sa.text("select 1"))
        connection.invalidate()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dbname": "no_such_database"}, "no_such_database"),
        ({"user": "no_such_role", "password": "secret"}, "no_such_role"),
        ({"host": "127.0.0.1", "port": "1"}, r"127\.0\.0\.1"),
        ({"host": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_no_connection_is_an_unavailable_database_and_no_password_is_shown(server_url, parameters, message):
    engine = db.create_engine(make_conninfo(server_url, **parameters))
    with pytest.raises(errors.DatabaseUnavailableError, match=message) as raised, db.translated_errors():
        engine.connect()
    assert "RECSYS_PG_DATABASE_URL" in raised.value.hint
    assert ("recsys-pg server start" in raised.value.hint) == (parameters.get("host") == "/no/such/folder")
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_engine_names_itself_to_the_server(shared_engine):
    with shared_engine.connect() as connection:
        assert connection.scalar(sa.text("show application_name")) == "recsys_pg"


def test_an_engine_takes_sqlalchemys_options(url):
    engine = db.create_engine(url, poolclass=sa.NullPool, isolation_level="SERIALIZABLE")
    assert isinstance(engine.pool, sa.NullPool)
    with engine.connect() as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"


def test_a_read_only_database_still_recommends_but_records_nothing(url):
    from sqlalchemy.orm import Session

    from recsys_pg.recommender import Recommender
    from recsys_pg.repositories import UserRepository

    engine = db.create_engine(make_conninfo(url, options="-c default_transaction_read_only=on"))
    with Session(engine) as session:
        assert Recommender(session).popular() == []
        with pytest.raises(errors.ReadOnlyDatabaseError, match="primary"):
            UserRepository(session).ensure("somebody")
    engine.dispose()

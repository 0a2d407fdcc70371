"""The scratch database: there while it is needed, gone afterwards, and refused with a remedy."""

import psycopg
import pytest
import sqlalchemy as sa

from recsys_pg import db
from recsys_pg.errors import DatabaseUnavailableError, PermissionDeniedError, ReadOnlyDatabaseError
from recsys_pg.evaluation.scratch import scratch_database, scratch_server


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_is_dropped_however_the_block_ends(server_url, scratch_databases, end):
    before = scratch_databases()

    def use_it():
        with scratch_database(db.connection_parameters(server_url)) as engine, engine.connect() as left_open:
            assert left_open.scalar(sa.text("select current_database()")) in scratch_databases() - before
            raise end

    with pytest.raises(end):
        use_it()
    assert scratch_databases() == before


def test_a_signal_as_soon_as_it_is_created_leaves_nothing(server_url, scratch_databases, monkeypatch):
    before = scratch_databases()
    execute = psycopg.Connection.execute

    def interrupted(connection, query, *arguments, **more):
        cursor = execute(connection, query, *arguments, **more)
        if "create database" in str(query):
            assert scratch_databases() != before
            raise SystemExit(143)
        return cursor

    monkeypatch.setattr(psycopg.Connection, "execute", interrupted)
    with pytest.raises(SystemExit), scratch_database(db.connection_parameters(server_url)):
        pytest.fail("it was created")
    assert scratch_databases() == before


def test_what_a_killed_evaluation_left_behind_is_dropped_by_the_next(server_url, scratch_databases):
    parameters = db.connection_parameters(server_url)
    left, looked_at = "recsys_pg_evaluation_0123456789ab", "recsys_pg_evaluation_0123456789cd"
    somebody_s = "recsys_pg_evaluation_results"
    with psycopg.connect(**parameters, autocommit=True) as connection:
        for name in (left, looked_at, somebody_s):
            connection.execute(f"create database {name}")
    with psycopg.connect(**parameters | {"dbname": looked_at}), scratch_database(parameters) as first:
        assert left not in scratch_databases()
        with scratch_database(parameters) as second, first.connect(), second.connect():
            assert looked_at in scratch_databases()
    with scratch_database(parameters):
        assert looked_at not in scratch_databases()
        assert somebody_s in scratch_databases()
    with psycopg.connect(**parameters, autocommit=True) as connection:
        connection.execute(f"drop database {somebody_s}")


def test_a_read_only_server_is_named_with_the_remedy(server_url, scratch_databases):
    read_only = db.connection_parameters(server_url) | {"options": "-c default_transaction_read_only=on"}
    with pytest.raises(ReadOnlyDatabaseError, match="--server embedded"), scratch_database(read_only):
        pytest.fail("it was created")


def test_the_server_is_that_of_the_engine_unless_another_is_named(engine, server_url):
    with scratch_server(engine) as own, psycopg.connect(**own) as connection:
        assert connection.execute("select current_database()").fetchone() == (engine_database(engine),)
    with scratch_server(engine, server_url) as named:
        assert dict(named) == db.connection_parameters(server_url)
    with (
        scratch_server(engine, "embedded") as embedded,
        scratch_database(embedded) as scratch,
        scratch.connect() as connection,
    ):
        count = "select count(*) from pg_database where datname like 'recsys_test%'"
        assert connection.scalar(sa.text(count)) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**embedded)


def engine_database(engine):
    with engine.connect() as connection:
        return connection.scalar(sa.text("select current_database()"))


def test_without_the_right_to_create_databases_the_remedies_are_named(engine, url, scratch_databases):
    before = scratch_databases()
    with engine.begin() as connection:
        connection.execute(sa.text("create role evaluating_clerk login password 'x'"))
    parameters = db.connection_parameters(url) | {"user": "evaluating_clerk", "password": "x"}
    try:
        with (
            pytest.raises(
                PermissionDeniedError, match=r"evaluating_clerk may not.*createdb.*--server embedded"
            ),
            scratch_database(parameters),
        ):
            pytest.fail("it was created")
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("drop role evaluating_clerk"))
    assert scratch_databases() == before


def test_a_server_that_is_not_there_is_named(engine):
    with (
        scratch_server(engine, "postgresql://localhost:1/nowhere") as parameters,
        pytest.raises(DatabaseUnavailableError),
        scratch_database(parameters),
    ):
        pytest.fail("it was created")

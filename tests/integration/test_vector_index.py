"""The memory of an index build, also where parallel workers cannot share it."""

import psycopg
import pytest

from recsys_pg.vector_index import HALFVEC_BYTES, VECTOR_BYTES, build_vector_index, memory_mb_for

SETTINGS = (
    "select current_setting('maintenance_work_mem'), current_setting('max_parallel_maintenance_workers')"
)
NO_SPACE = (
    "do $$ begin raise exception using errcode = '53100',"
    " message = 'could not resize {} segment \"/PostgreSQL.1\" to 67240352 bytes'; end $$"
)


@pytest.fixture
def connection(url):
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def settings(connection):
    return connection.execute(SETTINGS).fetchone()


def test_memory_is_what_the_index_needs(connection):
    connection.execute("set maintenance_work_mem = '64MB'")
    assert memory_mb_for(connection, 1000, VECTOR_BYTES) == 64
    assert 1_300 < memory_mb_for(connection, 1_000_000, HALFVEC_BYTES) < 2_048
    assert memory_mb_for(connection, 100_000_000, VECTOR_BYTES) == 2_048
    connection.execute("set maintenance_work_mem = '5GB'")
    assert memory_mb_for(connection, 1000, VECTOR_BYTES) == 5 * 1024


def test_without_enough_shared_memory_it_is_built_without_workers(connection):
    before, seen, undone = settings(connection), [], []

    def create():
        seen.append(settings(connection))
        if len(seen) == 1:
            connection.execute(NO_SPACE.format("shared memory"))

    build_vector_index(connection, create, memory_mb=100, undo=lambda: undone.append(True))
    assert [row[0] for row in seen] == ["100MB", "100MB"]
    assert seen[0][1] == before[1]
    assert seen[1][1] == "0"
    assert undone == [True]
    assert settings(connection) == before


def test_a_full_disk_is_an_error(connection):
    before, undone = settings(connection), []
    with pytest.raises(psycopg.errors.DiskFull):
        build_vector_index(
            connection,
            lambda: connection.execute(NO_SPACE.format("relation")),
            memory_mb=100,
            undo=lambda: undone.append(True),
        )
    assert undone == []
    assert settings(connection) == before

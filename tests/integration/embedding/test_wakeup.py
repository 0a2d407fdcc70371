"""Items that come into an empty queue are embedded at once, not at the next look."""

import psycopg
import pytest

from recsys_pg import db
from recsys_pg.embedding import Worker
from recsys_pg.embedding.wakeup import CHANNEL

LISTENERS = "select pid from pg_stat_activity where query ilike 'listen %' and datname = current_database()"


def test_a_sleeping_worker_is_woken(engine, catalogue, embedder, wait_until, running):
    catalogue.add("zero")
    with running(Worker(engine, embedder, poll_seconds=3_600)):
        wait_until(lambda: catalogue.jobs() == 0 and catalogue.sql(LISTENERS))
        for title in ("one", "two", "three"):
            catalogue.add(title)
            wait_until(lambda: catalogue.jobs() == 0)
        catalogue.sql("update recsys.items set title = title || ' again'")
        wait_until(lambda: catalogue.jobs() == 0)
    assert catalogue.stale(embedder) == []
    assert catalogue.titles_without_vector() == []


def test_a_listener_that_is_cut_off_listens_again(
    engine, catalogue, embedder, monkeypatch, *, wait_until, running
):
    monkeypatch.setattr("recsys_pg.embedding.wakeup._RETRY_SECONDS", 0.2)
    with running(Worker(engine, embedder, poll_seconds=3_600)):
        wait_until(lambda: catalogue.sql(LISTENERS))
        [(first,)] = catalogue.sql(LISTENERS)
        catalogue.sql("select pg_terminate_backend(:pid)", pid=first)
        wait_until(lambda: [row.pid for row in catalogue.sql(LISTENERS)] not in ([], [first]))
        catalogue.add("one")
        wait_until(lambda: catalogue.jobs() == 0)


def test_where_nobody_can_listen_the_queue_is_polled(
    engine, catalogue, embedder, monkeypatch, *, wait_until, running
):
    monkeypatch.setattr("recsys_pg.embedding.wakeup.Listener._listen", lambda listener: None)
    with running(Worker(engine, embedder, poll_seconds=0.1)):
        wait_until(lambda: catalogue.sql("select center from recsys.models") == [(None,)])
        catalogue.add("one")
        wait_until(lambda: catalogue.jobs() == 0)


@pytest.fixture
def heard(url):
    """The notifications that arrived since the last call."""
    with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
        connection.execute(f"listen {CHANNEL}")
        yield lambda: len(list(connection.notifies(timeout=0.2)))


def test_only_an_empty_queue_is_worth_a_notification(catalogue, heard):
    catalogue.add("one", "two")
    assert heard() == 1
    catalogue.add("three")
    catalogue.sql("update recsys.items set title = title || ' again'")
    assert heard() == 0
    catalogue.sql("update recsys.embedding_jobs set available_at = now() + interval '1 hour'")
    catalogue.sql("update recsys.items set title = title || ' again'")
    assert heard() == 1
    catalogue.sql("delete from recsys.embedding_jobs")
    catalogue.sql("update recsys.items set price = 3, in_stock = false")
    assert heard() == 0


def test_what_needs_no_vector_wakes_nobody(catalogue, heard):
    catalogue.sql(
        "insert into recsys.items (title, embedding) values ('x', array_fill(1::real, array[384])::vector)"
    )
    assert heard() == 0


def test_a_setting_allows_two_phase_commit(catalogue, heard):
    catalogue.sql("update recsys.settings set value = '0' where key = 'worker.notify'")
    catalogue.add("one")
    assert heard() == 0
    assert catalogue.jobs() == 1

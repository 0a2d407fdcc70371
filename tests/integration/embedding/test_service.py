"""The worker as a service: it polls, keeps what depends on vectors fresh, and ends when told to."""

import pytest

from recsys_pg.embedding import Worker
from recsys_pg.embedding.upkeep import Upkeep
from recsys_pg.errors import ModelError


def test_items_are_embedded_as_they_come(engine, catalogue, embedder, wait_until, running):
    with running(Worker(engine, embedder, poll_seconds=0.05)) as future:
        catalogue.add("one")
        wait_until(lambda: embedder.texts == ["one"])
        catalogue.add("two", "")
        wait_until(lambda: catalogue.jobs() == 0)
    report = future.result()
    assert (report.embedded, report.emptied) == (2, 1)
    assert report.seconds > 0


def tastes(catalogue) -> int:
    [(users,)] = catalogue.sql("select count(embedding) from recsys.users")
    return users


def test_new_vectors_refresh_popularity_and_tastes(engine, catalogue, embedder, wait_until, running):
    items = catalogue.add("one", "two")
    catalogue.sql("insert into recsys.users (id) values (1)")
    catalogue.sql(
        "insert into recsys.interactions (user_id, item_id, kind) values (1, :item, 'like')", item=items[0]
    )
    with running(Worker(engine, embedder, poll_seconds=0.05)):
        wait_until(lambda: tastes(catalogue) == 1)
    assert catalogue.sql("select item_id from recsys.item_popularity") == [(items[0],)]


def test_a_refresh_that_fails_stops_nothing(engine, catalogue, embedder, caplog, *, wait_until, running):
    catalogue.sql(
        "create or replace function recsys_api.refresh_popularity() returns bigint language plpgsql as"
        " $$ begin raise exception 'no'; end $$"
    )
    with running(Worker(engine, embedder, poll_seconds=0.05)):
        catalogue.add("one")
        wait_until(lambda: "could not be refreshed: no" in caplog.text)
        catalogue.add("two")
        wait_until(lambda: embedder.texts == ["one", "two"])


def test_the_catalogues_center_is_computed_once_and_popularity_each_time(engine, catalogue, embedder):
    catalogue.add("one")
    Worker(engine, embedder).run_once()
    center = "select center::text from recsys.models where is_active"
    first = catalogue.sql(center)
    assert first != [(None,)]
    catalogue.add("two")
    catalogue.sql("insert into recsys.users (id) values (7)")
    catalogue.sql(
        "insert into recsys.interactions (user_id, item_id, kind) select 7, min(id), 'like' from recsys.items"
    )
    Worker(engine, embedder).run_once()
    assert catalogue.sql(center) == first
    assert catalogue.sql("select count(*) from recsys.item_popularity") == [(1,)]
    catalogue.sql("update recsys.models set center = null")
    Upkeep(engine, embedder).refresh()
    assert catalogue.sql(center) not in (first, [(None,)])


def test_a_worker_ends_when_the_database_is_switched_to_another_model(
    engine, catalogue, embedder, wait_until, running
):
    catalogue.add("one")
    with running(Worker(engine, embedder, poll_seconds=0.05)) as future:
        wait_until(lambda: catalogue.jobs() == 0)
        catalogue.sql("update recsys.models set revision = '2' where is_active")
        with pytest.raises(ModelError, match=r"The vectors in the database belong to hash \(2\)"):
            future.result(timeout=30)

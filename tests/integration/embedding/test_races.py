"""Writers and other workers while a batch is in the model: no vector is stale, none is lost or made twice."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from recsys_pg.embedding import Worker


@pytest.fixture
def during(make_embedder):
    """An embedder that runs an action once, while its first batch is in the model."""

    def embedder(action):
        actions = [action]
        return make_embedder(lambda texts: actions.pop()() if actions else None)

    return embedder


def test_a_text_that_changes_while_it_is_embedded_never_gets_the_old_vector(engine, catalogue, during):
    changed, _ = catalogue.add("old", "kept")
    seen = []

    def change():
        catalogue.sql("update recsys.items set title = 'new' where id = :id", id=changed)
        seen.append(catalogue.job(changed).lease_token)

    embedder = during(change)
    report = Worker(engine, embedder).run_once()
    assert seen == [None]
    assert (report.embedded, report.lost, report.retried) == (2, 1, 0)
    assert embedder.texts.count("new") == 1
    assert catalogue.stale(embedder) == []
    assert catalogue.titles_without_vector() == []
    assert catalogue.jobs() == 0


def test_a_change_that_passed_by_the_triggers_is_noticed_as_well(engine, catalogue, during):
    """As when a claim reads the item before the writer commits, and gets its job after that."""
    item, _ = catalogue.add("old", "kept")

    def change():
        catalogue.sql(
            "set local session_replication_role = replica;"
            f"update recsys.items set title = 'new' where id = {item}"
        )

    embedder = during(change)
    report = Worker(engine, embedder).run_once()
    assert (report.embedded, report.retried) == (1, 1)
    assert catalogue.titles_without_vector() == ["new"]
    assert catalogue.job(item).attempts == 0
    catalogue.make_due()
    assert Worker(engine, embedder).run_once().embedded == 1
    assert catalogue.stale(embedder) == []


def test_a_text_that_becomes_empty_while_it_is_embedded_has_no_vector(engine, catalogue, during):
    item, _ = catalogue.add("old", "kept")
    embedder = during(lambda: catalogue.sql("update recsys.items set title = '' where id = :id", id=item))
    report = Worker(engine, embedder).run_once()
    assert (report.embedded, report.lost, report.emptied) == (1, 1, 1)
    assert catalogue.titles_without_vector() == [""]
    assert catalogue.jobs() == 0


def test_a_vector_that_the_application_writes_meanwhile_is_kept(engine, catalogue, during):
    item, _ = catalogue.add("old", "kept")
    embedder = during(
        lambda: catalogue.sql(
            "update recsys.items set title = 'new', embedding = array_fill(1::real, array[384])"
            " where id = :id",
            id=item,
        )
    )
    report = Worker(engine, embedder).run_once()
    assert report.embedded == 1
    assert catalogue.stale(embedder) == [item]
    catalogue.make_due()
    Worker(engine, embedder).run_once()
    assert catalogue.stale(embedder) == [item]
    assert catalogue.jobs() == 0


def test_an_item_that_is_deleted_while_it_is_embedded_is_lost_alone(engine, catalogue, during):
    gone, _ = catalogue.add("gone", "kept")
    embedder = during(lambda: catalogue.sql("delete from recsys.items where id = :id", id=gone))
    report = Worker(engine, embedder).run_once()
    assert (report.embedded, report.lost) == (1, 1)
    assert catalogue.jobs() == 0
    assert catalogue.stale(embedder) == []


@contextmanager
def open_update(engine: sa.Engine, statement: str, **parameters):
    """A transaction of an application that has run a statement and not ended yet."""
    with engine.connect() as connection:
        connection.execute(sa.text(statement), parameters)
        yield connection
        connection.rollback()


def test_the_worker_does_not_wait_for_an_application_that_writes_an_item(engine, catalogue, embedder):
    busy, _ = catalogue.add("busy", "free")
    with open_update(engine, "update recsys.items set price = 1 where id = :id", id=busy):
        report = Worker(engine, embedder).run_once()
        assert (report.embedded, report.retried) == (1, 1)
        assert catalogue.job(busy).attempts == 0
    catalogue.make_due()
    assert Worker(engine, embedder).run_once().embedded == 1


def test_a_text_that_is_being_rewritten_is_left_for_later(engine, catalogue, embedder):
    busy, _ = catalogue.add("old", "free")
    with open_update(engine, "update recsys.items set title = 'new' where id = :id", id=busy) as connection:
        assert Worker(engine, embedder).run_once().embedded == 1
        connection.commit()
    assert embedder.texts == ["free"]
    assert Worker(engine, embedder).run_once().embedded == 1
    assert embedder.texts == ["free", "new"]


def test_two_workers_share_the_queue_and_embed_nothing_twice(engine, catalogue, make_embedder):
    catalogue.add(*(f"film {number}" for number in range(500)))
    barrier = threading.Barrier(2, timeout=30)
    met = []

    def meet(texts):
        if len(met) < 2:
            met.append(barrier.wait())

    embedders = [make_embedder(meet), make_embedder(meet)]
    with ThreadPoolExecutor(2) as pool:
        reports = list(
            pool.map(
                lambda embedder: Worker(engine, embedder, batch_size=20, concurrency=1).run_once(),
                embedders,
            )
        )
    assert sum(report.embedded for report in reports) == 500
    assert min(report.embedded for report in reports) > 0
    assert sum(report.lost + report.retried + report.failed for report in reports) == 0
    texts = Counter(embedders[0].texts) + Counter(embedders[1].texts)
    assert len(texts) == 500
    assert set(texts.values()) == {1}
    assert catalogue.stale(embedders[0]) == []
    assert catalogue.jobs() == 0


def test_a_worker_that_comes_back_after_its_lease_writes_nothing_over(engine, catalogue, make_embedder):
    catalogue.add(*map(str, range(10)))
    other = make_embedder()

    def take_over(texts):
        catalogue.make_due()  # the lease runs out
        assert Worker(engine, other).run_once().embedded == 10

    slow = make_embedder(take_over)
    assert Worker(engine, slow, concurrency=1).run_once().lost == 10
    assert catalogue.stale(other) == []
    assert catalogue.jobs() == 0


def test_a_model_that_is_switched_meanwhile_gets_no_vector_of_the_old_one(engine, catalogue, during):
    catalogue.add(*map(str, range(10)))
    embedder = during(
        lambda: catalogue.sql(
            "update recsys.models set is_active = false;"
            "insert into recsys.models (purpose, name, revision, is_active)"
            " values ('embedding', 'other', '1', true)"
        )
    )
    assert Worker(engine, embedder, batch_size=5, concurrency=1).run_once().lost == 5
    assert len(embedder.texts) == 5
    assert len(catalogue.titles_without_vector()) == 10


def test_texts_rewritten_all_the_while_end_with_the_vector_of_the_last_one(engine, catalogue, make_embedder):
    items = catalogue.add(*(f"film {number}" for number in range(40)))
    stop = threading.Event()
    embedders = [make_embedder(), make_embedder()]

    def rewrite(offset):
        for turn in range(10):
            # in opposite orders, several rows a transaction: what deadlocks are made of
            with engine.begin() as connection:
                for item in (items if offset else items[::-1])[turn::10]:
                    connection.execute(
                        sa.text("update recsys.items set description = :text where id = :id"),
                        {"text": f"version {turn}", "id": item},
                    )

    with ThreadPoolExecutor(3) as pool:
        workers = [
            pool.submit(Worker(engine, embedder, batch_size=7, poll_seconds=0.01).run, stop)
            for embedder in embedders
        ]
        pool.submit(rewrite, 0).result()
        pool.submit(rewrite, 1).result()
        stop.set()
        reports = [worker.result() for worker in workers]
    assert sum(report.failed for report in reports) == 0
    catalogue.make_due()
    Worker(engine, embedders[0]).run_once()
    assert catalogue.titles_without_vector() == []
    assert catalogue.stale(embedders[0]) == []
    assert catalogue.jobs() == 0

"""What the worker does when nothing goes wrong."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from recsys_pg.embedding import Worker, WorkerReport, requeue_failed
from recsys_pg.errors import InvalidArgumentError, ModelError, SchemaNotReadyError


def counts(report: WorkerReport) -> dict[str, int]:
    """What is not zero, without the time."""
    return {name: value for name, value in vars(report).items() if value and name != "seconds"}


def test_every_item_gets_the_vector_of_its_text(engine, catalogue, embedder):
    catalogue.add(*(f"film {number}" for number in range(150)))
    catalogue.sql(
        "insert into recsys.items (title, description, category, tags)"
        " values ('The Matrix', 'A hacker learns what the world is.', 'Film', '{Action,Sci-Fi}')"
    )
    report = Worker(engine, embedder, batch_size=64).run_once()
    assert counts(report) == {"embedded": 151}
    assert report.seconds > 0
    assert catalogue.titles_without_vector() == []
    assert catalogue.stale(embedder) == []
    assert catalogue.jobs() == 0
    assert "The Matrix. Film, Action, Sci-Fi. A hacker learns what the world is." in embedder.texts


def test_the_first_pass_sets_the_center_of_the_catalogue(engine, catalogue, embedder):
    catalogue.add("one", "two")
    Worker(engine, embedder).run_once()
    [row] = catalogue.sql(
        "select m.center = (select avg(embedding) from recsys.items) as is_mean"
        " from recsys.models m where m.purpose = 'embedding' and m.is_active"
    )
    assert row.is_mean


def test_an_item_without_text_has_no_vector_and_no_job(engine, catalogue, embedder):
    blank, filled = catalogue.add("  ", "film")
    report = Worker(engine, embedder).run_once()
    assert counts(report) == {"embedded": 1, "emptied": 1}
    assert catalogue.titles_without_vector() == ["  "]
    assert catalogue.jobs() == 0

    catalogue.sql("update recsys.items set title = '' where id = :id", id=filled)
    assert counts(Worker(engine, embedder).run_once()) == {"emptied": 1}
    assert len(catalogue.titles_without_vector()) == 2
    catalogue.sql("update recsys.items set title = 'film again' where id = :id", id=blank)
    assert counts(Worker(engine, embedder).run_once()) == {"embedded": 1}


def test_a_change_of_price_or_stock_asks_for_nothing(engine, catalogue, embedder):
    catalogue.add("one", "two")
    Worker(engine, embedder).run_once()
    catalogue.sql("update recsys.items set price = 9.99, in_stock = false, attributes = '{\"size\": 1}'")
    assert catalogue.jobs() == 0
    assert catalogue.titles_without_vector() == []


def test_a_changed_text_is_embedded_anew(engine, catalogue, embedder):
    item, _ = catalogue.add("one", "two")
    Worker(engine, embedder).run_once()
    catalogue.sql("update recsys.items set description = 'new' where id = :id", id=item)
    assert catalogue.titles_without_vector() == ["one"]
    assert counts(Worker(engine, embedder).run_once()) == {"embedded": 1}
    assert catalogue.stale(embedder) == []


def test_a_vector_that_the_application_wrote_is_kept(engine, catalogue, embedder):
    item, _ = catalogue.add("one", "two")
    catalogue.sql(
        "update recsys.items set embedding = array_fill(1::real, array[384]) where id = :id", id=item
    )
    report = Worker(engine, embedder).run_once()
    assert counts(report) == {"embedded": 1, "lost": 1}
    assert catalogue.stale(embedder) == [item]
    assert catalogue.jobs() == 0


def test_progress_counts_towards_what_is_due(engine, catalogue, embedder):
    catalogue.add(*map(str, range(10)))
    calls = []
    Worker(engine, embedder, batch_size=4, concurrency=1).run_once(lambda *call: calls.append(call))
    assert calls == [("embed", 4, 10), ("embed", 8, 10), ("embed", 10, 10)]


def test_an_empty_queue_is_a_report_of_nothing(engine, embedder):
    assert counts(Worker(engine, embedder).run_once()) == {}


def test_the_worker_takes_over_an_unused_database_for_its_model(engine, catalogue, make_embedder):
    catalogue.add("one", "two")
    catalogue.sql("update recsys.embedding_jobs set failed_at = now(), attempts = 5")
    assert counts(Worker(engine, make_embedder(revision="2")).run_once()) == {"embedded": 2}
    rows = catalogue.sql("select name, revision, is_active from recsys.models order by id")
    assert [tuple(row) for row in rows] == [("hash", "1", False), ("hash", "2", True)]
    assert catalogue.jobs() == 0


def test_a_model_can_come_back_before_anything_is_embedded(engine, catalogue, make_embedder):
    catalogue.add("  ")
    Worker(engine, make_embedder(revision="2")).run_once()
    Worker(engine, make_embedder(revision="1")).run_once()
    rows = catalogue.sql("select name, revision, is_active from recsys.models order by id")
    assert [tuple(row) for row in rows] == [("hash", "1", True), ("hash", "2", False)]


def test_workers_that_start_together_agree_on_the_model(engine, catalogue, make_embedder):
    catalogue.add(*map(str, range(20)))
    with ThreadPoolExecutor(4) as pool:
        reports = pool.map(
            lambda _: Worker(engine, make_embedder(revision="2"), batch_size=3).run_once(), range(4)
        )
    assert sum(report.embedded for report in reports) == 20
    assert len(catalogue.sql("select from recsys.models where purpose = 'embedding'")) == 2


def test_a_worker_with_another_model_than_the_vectors_is_refused(engine, catalogue, embedder, make_embedder):
    catalogue.add("one")
    Worker(engine, embedder).run_once()
    catalogue.add("two")
    with pytest.raises(ModelError) as refusal:
        Worker(engine, make_embedder(revision="2")).run_once()
    assert str(refusal.value) == (
        "The vectors in the database belong to hash (1); the loaded model is hash (2)."
        " Load the database's model: set RECSYS_PG_EMBEDDING_MODEL to hash, or to its folder."
        " To change the database's: recsys-pg model switch hash."
    )
    assert catalogue.titles_without_vector() == ["two"]


def test_a_model_of_another_length_is_refused(engine, embedder):
    embedder.dimensions = 768
    with pytest.raises(
        ModelError, match="The model hash gives vectors of 768 dimensions, the database holds 384"
    ):
        Worker(engine, embedder)


@pytest.mark.parametrize(
    "argument", ["batch_size", "concurrency", "lease_seconds", "max_attempts", "poll_seconds"]
)
def test_numbers_must_be_above_zero(engine, embedder, argument):
    with pytest.raises(InvalidArgumentError, match=f"{argument} is 0"):
        Worker(engine, embedder, **{argument: 0})


def test_a_database_without_the_schema_is_refused(create_database, embedder):
    from recsys_pg import db

    engine = db.create_engine(create_database())
    with pytest.raises(SchemaNotReadyError, match="recsys-pg migrate"):
        Worker(engine, embedder).run_once()
    with pytest.raises(SchemaNotReadyError, match="recsys-pg migrate"):
        requeue_failed(engine)
    engine.dispose()


def test_an_error_is_logged_with_its_item(engine, catalogue, make_embedder, caplog):
    def refuse(texts):
        if "bad" in texts:
            raise ValueError("no such\0 word")

    item, _ = catalogue.add("bad", "good")
    with caplog.at_level(logging.WARNING, logger="recsys_pg.embedding"):
        Worker(engine, make_embedder(refuse)).run_once()
    [record] = caplog.records
    assert (record.item_id, record.attempt) == (item, 1)
    assert record.getMessage() == (
        f"Item {item} could not be embedded in attempt 1: ValueError: no such word"
    )

"""Changing the embedding model while people read and write."""

import threading
import time

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa

from recsys_pg import db
from recsys_pg.embedding import Worker
from recsys_pg.errors import (
    DatabaseError,
    InvalidArgumentError,
    ModelError,
)
from recsys_pg.model_switch import finish_switch, switch_model


def embeddings(shop, column: str = "embedding"):
    rows = shop.sql(
        "select recsys.item_content(title, description, category, tags) as content,"
        f" {column}::text as embedding from recsys.items where {column} is not null order by id"
    )
    return {row.content: np.fromstring(row.embedding.strip("[]"), sep=",") for row in rows}


def assert_belongs(found, embedder):
    for content, vector in found.items():
        assert np.allclose(vector, embedder.vector(content), atol=1e-6), content


def assert_in_step(shop):
    for _, missing, wrong, superfluous, *_ in shop.sql(
        "select * from recsys_api.refresh_copies(dry_run => true)"
    ):
        assert (missing, wrong, superfluous) == (0, 0, 0)


def test_all_that_depends_on_the_model_follows(engine, shop, other):
    before = embeddings(shop)
    report = switch_model(engine, other, searches=5)
    assert (report.model, report.before, report.items, report.uncovered) == ("other", "hash", 60, 0)
    assert report.recall == 1.0
    assert 0 < report.held_seconds < 2
    assert len(embeddings(shop)) == 60
    assert_belongs(embeddings(shop), other)
    assert embeddings(shop, "standby_embedding").keys() == before.keys()
    assert_in_step(shop)
    [models] = shop.sql(
        "select (select name from recsys.models where purpose = 'embedding' and is_active) as active,"
        " (select name from recsys.models where purpose = 'embedding' and is_standby) as standby,"
        " (select count(distinct embedding_model_id) from recsys.items) as kinds"
    )
    assert models == ("other", "hash", 1)
    # tastes are among the new vectors
    assert shop.sql("select recsys_api._refresh_tastes(array(select id from recsys.users))") == [(0,)]
    assert shop.sql("select count(embedding) from recsys.users") == [(20,)]


def test_searches_use_the_new_indexes(engine, shop, other):
    switch_model(engine, other, searches=5)
    with engine.connect() as connection:
        connection.execute(sa.text("set enable_seqscan = off"))
        vector = db.vector_text(other.vector("film 3. odd"))
        plan = connection.execute(
            sa.text(
                "explain (costs off) select id from recsys.items where embedding is not null"
                f" order by embedding <=> '{vector}' limit 3"
            )
        ).all()
        assert "items_embedding_idx" in str(plan)
        assert "standby" not in str(plan)


def test_new_and_changed_texts_reach_both_models(engine, shop, embedder, other):
    switch_model(engine, other, searches=5)
    [new] = shop.add("new film")
    shop.sql("update recsys.items set title = 'changed film' where title = 'film 3'")
    assert_in_step(shop)
    assert Worker(engine, other).run_once().embedded == 2
    assert Worker(engine, embedder).run_once().embedded == 2
    assert_belongs(embeddings(shop), other)
    assert_belongs(embeddings(shop, "standby_embedding"), embedder)
    assert len(embeddings(shop, "standby_embedding")) == 61
    assert_in_step(shop)
    shop.sql("update recsys.items set price = 5, in_stock = false where id = :id", id=new)
    assert_in_step(shop)
    assert shop.sql(
        "select count(*) from recsys.standby_searchable_items where price = 5 and not in_stock"
    ) != [(0,)]


def test_back_and_forth(engine, shop, embedder, other):
    switch_model(engine, other, searches=5)
    shop.sql("update recsys.items set title = 'changed film' where title = 'film 3'")
    Worker(engine, other).run_once()
    other.texts.clear()
    back = switch_model(engine, embedder, searches=5)
    assert (back.model, back.before, back.uncovered) == ("hash", "other", 0)
    assert_belongs(embeddings(shop), embedder)
    again = switch_model(engine, other, searches=5)
    assert again.model == "other"
    assert other.texts == []
    assert_belongs(embeddings(shop), other)
    assert_in_step(shop)


def test_finish_gives_the_way_back_up(engine, shop, embedder, other):
    switch_model(engine, other, searches=5)
    shop.sql("update recsys.items set title = 'changed film' where title = 'film 3'")
    assert finish_switch(engine) == "hash"
    assert embeddings(shop, "standby_embedding") == {}
    assert shop.sql("select count(*) from recsys.standby_searchable_items") == [(0,)]
    assert shop.sql("select count(standby_embedding) from recsys.users") == [(0,)]
    assert shop.jobs() == 1
    with pytest.raises(ModelError, match=r"The vectors in the database belong to other"):
        Worker(engine, embedder).run_once()
    assert Worker(engine, other).run_once().embedded == 1
    assert finish_switch(engine) is None
    assert_in_step(shop)


def test_refusals(engine, shop, embedder, other, monkeypatch):
    assert switch_model(engine, embedder) is None
    with pytest.raises(InvalidArgumentError, match=r"min_coverage is 2"):
        switch_model(engine, other, min_coverage=2)
    with pytest.raises(InvalidArgumentError, match=r"searches is 0"):
        switch_model(engine, other, searches=0)
    monkeypatch.setattr("recsys_pg.model_switch.switch.standby_recall", lambda *_: 0.9)
    with pytest.raises(ModelError, match=r"finds 0.900 of what is nearest, less than 0.95"):
        switch_model(engine, other, searches=5)
    assert shop.sql("select name from recsys.models where purpose = 'embedding' and is_active") == [("hash",)]


def test_a_third_model_waits_for_the_end_of_a_switch(engine, shop, other):
    switch_model(engine, other, searches=5)
    third = type(other)()
    third.revision = "3"
    with pytest.raises(ModelError, match=r"hash \(1\) is the standby model"):
        switch_model(engine, third)
    finish_switch(engine)
    assert switch_model(engine, third, searches=5).before == "other"


def test_too_few_vectors_stop_a_switch_which_goes_on_later(engine, shop, other):
    def fail(texts):
        if any("film 1" in text for text in texts):
            raise ValueError("poison")

    other.before = fail
    # the other ten are texts that this model cannot take
    shop.sql("alter table recsys.embedding_jobs alter column attempts set default 4")
    with pytest.raises(
        ModelError, match=r"Only 49 of 60 items with a vector have one of the new model: 11 failed"
    ):
        switch_model(engine, other, searches=5)
    assert shop.sql("select name from recsys.models where purpose = 'embedding' and is_active") == [("hash",)]
    other.before = len
    shop.sql("update recsys.embedding_jobs set failed_at = null, attempts = 0, available_at = now()")
    other.texts.clear()
    assert switch_model(engine, other, searches=5).uncovered == 0
    assert len(other.texts) == 11


def test_what_changes_while_the_indexes_are_built_is_embedded_before_the_switch(engine, shop, other):
    def progress(phase, _done, _total):
        if phase == "build items_embedding_idx":
            shop.sql("update recsys.items set title = title || ' now' where id % 3 = 0")

    report = switch_model(engine, other, searches=5, progress=progress)
    assert report.uncovered == 0
    assert_belongs(embeddings(shop), other)
    assert shop.sql("select count(*) from recsys.items where title like '% now' and embedding is null") == [
        (0,)
    ]


def test_a_clearing_that_was_killed_leaves_nothing_to_the_next_switch(engine, shop, other, monkeypatch):
    switch_model(engine, other, searches=5)
    monkeypatch.setattr("recsys_pg.model_switch.standby.clear", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        finish_switch(engine)
    monkeypatch.undo()
    third = type(other)()
    third.name = "third"
    assert switch_model(engine, third, searches=5).items == 60
    assert shop.sql(
        "select count(*) from recsys.items i join recsys.models m on m.id = i.embedding_model_id"
        " where m.name = 'third' and m.is_active"
    ) == [(60,)]
    assert_in_step(shop)
    assert shop.sql("select count(*) from recsys.searchable_items") == [(60,)]


def test_a_view_that_is_read_all_the_while_keeps_nobody_from_switching(engine, url, shop, other):
    shop.sql("create view public.products as select id, title, embedding from recsys.items")
    stop = threading.Event()
    failures = []

    def read():
        with psycopg.connect(**db.connection_parameters(url), autocommit=True) as connection:
            while not stop.is_set():
                try:
                    connection.execute("select count(embedding) from public.products").fetchone()
                except psycopg.Error as error:
                    failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        report = switch_model(engine, other, searches=5, patience_seconds=60)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert report.model == "other"


def test_while_a_load_does_without_the_index_there_is_no_switch(engine, shop, other):
    shop.sql(
        "insert into recsys.deferred_indexes select 'items_embedding_idx', indexdef from pg_indexes"
        " where indexname = 'items_embedding_idx'; drop index recsys.items_embedding_idx"
    )
    with engine.begin() as loader:
        loader.exec_driver_sql("select pg_advisory_xact_lock_shared(x'64656672'::int)")
        with pytest.raises(DatabaseError, match="A load goes on"):
            switch_model(engine, other, searches=5)
    assert switch_model(engine, other, searches=5).model == "other"


def test_one_switch_at_a_time(engine, shop, other, monkeypatch):
    monkeypatch.setattr("recsys_pg.indexes.connection._PATIENCE_SECONDS", 0.5)
    with engine.connect() as connection:
        connection.execute(sa.text("select pg_advisory_lock(cast(x'73776974' as int))"))
        with pytest.raises(DatabaseError, match=r"is being switched by another process"):
            switch_model(engine, other)
        with pytest.raises(DatabaseError, match=r"is being switched by another process"):
            finish_switch(engine)


def test_a_long_transaction_is_named_and_nothing_has_happened(engine, shop, other):
    with engine.connect() as connection:
        connection.execute(sa.text("select count(*) from recsys.items"))
        pid = connection.connection.driver_connection.info.backend_pid
        with pytest.raises(DatabaseError, match=rf"all the while: server process {pid} \(recsys_pg, for"):
            switch_model(engine, other, searches=5, patience_seconds=1)
    assert shop.sql("select name from recsys.models where purpose = 'embedding' and is_active") == [("hash",)]
    assert switch_model(engine, other, searches=5).model == "other"


def test_no_read_mixes_two_models(engine, url, shop, embedder, other):
    """An item is at distance 0 of its own text by either model, and far from the text by the other one."""
    contents = list(embeddings(shop))
    with engine.begin() as connection:
        for content in contents:
            connection.execute(
                sa.text("select recsys_api.remember_query(:query, cast(:vector as vector))"),
                {"query": content, "vector": db.vector_text(embedder.vector(content))},
            )
    stop = threading.Event()
    distances, failures = [], []

    def read(number: int) -> None:
        parameters = db.connection_parameters(url)
        random = np.random.default_rng(number)
        with psycopg.connect(**parameters, autocommit=True) as connection:
            while not stop.is_set():
                content = contents[random.integers(len(contents))]
                try:
                    rows = connection.execute(
                        "select n.distance from recsys_api._nearest_items("
                        "recsys_api._query_embedding(%s), 1, null) n",
                        (content,),
                    ).fetchall()
                    distances.append(rows[0][0])
                except (psycopg.Error, IndexError) as error:
                    failures.append(error)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(3):
            switch_model(engine, other, searches=2)
            switch_model(engine, embedder, searches=2)
            time.sleep(0.2)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert len(distances) > 200
    assert max(distances) < 0.01

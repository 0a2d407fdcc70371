"""The tastes of all users after a training, and the index over them."""

import threading
import time

import numpy as np
import pytest

from recsys_pg.collaborative import tastes, train
from recsys_pg.collaborative.tastes import refresh_tastes

IS_VALID = (
    "select i.indisvalid from pg_index i where i.indexrelid = to_regclass('recsys.users_embedding_idx')"
)


@pytest.fixture
def embedded_shop(shop):
    shop.fill()
    random = np.random.default_rng(1)
    shop.sql(
        "insert into recsys.models (purpose, name, revision, is_active)"
        " select 'embedding', 'test', '1', true"
        " where not exists (select from recsys.models where purpose = 'embedding' and is_active)"
    )
    for item in range(1, 21):
        shop.sql(
            "update recsys.items set embedding = cast(:vector as real[]),"
            " embedding_model_id = (select id from recsys.models where purpose = 'embedding' and is_active)"
            " where id = :item",
            vector=random.normal(size=384).tolist(),
            item=item,
        )
    return shop


def phases_of(engine, monkeypatch, many_new):
    monkeypatch.setattr(tastes, "MANY_NEW", many_new)
    phases = []
    train(engine, progress=lambda phase, _done, _total: phases.append(phase))
    return set(phases)


def counted(shop):
    return shop.sql("select count(embedding) as n from recsys.users")[0].n


def test_many_first_tastes_are_indexed_at_the_end_and_few_one_by_one(engine, embedded_shop, monkeypatch):
    assert "index tastes" in phases_of(engine, monkeypatch, many_new=10)
    assert counted(embedded_shop) == 60
    assert embedded_shop.sql(IS_VALID)[0].indisvalid
    assert "index tastes" not in phases_of(engine, monkeypatch, many_new=10)
    assert embedded_shop.sql(IS_VALID)[0].indisvalid


def test_an_index_that_was_lost_on_the_way_is_built_by_the_next_training(engine, embedded_shop, monkeypatch):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("drop index recsys.users_embedding_idx")
    assert "index tastes" in phases_of(engine, monkeypatch, many_new=1000)
    assert embedded_shop.sql(IS_VALID)[0].indisvalid


def test_batches_reach_everybody_whatever_the_ids(engine, embedded_shop, monkeypatch):
    embedded_shop.sql("insert into recsys.users (id) values (9223372036854775807)")
    embedded_shop.record([(9223372036854775807, 3, "like", None)])
    monkeypatch.setattr(tastes, "_USERS_A_BATCH", 7)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        refresh_tastes(connection.connection.driver_connection, lambda *_: None)
    assert counted(embedded_shop) == 61


def test_who_waits_to_refresh_too_does_not_stop_the_index(engine, embedded_shop, monkeypatch):
    monkeypatch.setattr(tastes, "MANY_NEW", 10)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("drop index recsys.users_embedding_idx")
    other = []

    def refresh() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("select recsys_api.refresh_tastes()")

    def progress(phase: str, _done: int, _total: int | None) -> None:
        if phase == "refresh tastes" and not other:
            other.append(threading.Thread(target=refresh))
            other[0].start()
            waiting = "select from pg_locks where locktype = 'advisory' and not granted"
            deadline = time.monotonic() + 30
            while not embedded_shop.sql(waiting) and time.monotonic() < deadline:
                time.sleep(0.01)

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        refresh_tastes(connection.connection.driver_connection, progress)
    other[0].join(30)
    assert not other[0].is_alive()
    assert counted(embedded_shop) == 60
    assert embedded_shop.sql(IS_VALID)[0].indisvalid

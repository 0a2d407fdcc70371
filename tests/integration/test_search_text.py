"""Recommender.search_text: the embedder is asked once for a text, and only if it is the database's model."""

from collections.abc import Sequence

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import errors
from recsys_pg.recommender import Recommender
from recsys_pg.types import ItemFilter, ItemRecord, TextMatch
from recsys_pg.unit_of_work import UnitOfWork


class Embedder:
    """Of the database's model; any text with "warm" means the second axis, others the first."""

    def __init__(self, engine: sa.Engine) -> None:
        with engine.connect() as connection:
            self.name, self.revision = connection.execute(
                sa.text("select name, revision from recsys.models where purpose = 'embedding' and is_active")
            ).one()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.eye(384, dtype=np.float32)[[1 if "warm" in text else 0 for text in texts]]


@pytest.fixture
def shop(engine: sa.Engine) -> sa.Engine:
    with UnitOfWork(engine) as work:
        for item_id, title in ((1, "Wooden train"), (2, "Scarf"), (3, "Woollen hat")):
            work.items.save(ItemRecord(id=item_id, title=title, price=item_id))
        for item_id, axis in ((1, 0), (2, 1)):
            vector = str(np.eye(384)[axis].tolist())
            work.session.execute(
                sa.text(f"update recsys.items set embedding = '{vector}' where id = {item_id}")
            )
    return engine


def kept(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(sa.text("select query from recsys.query_embeddings order by 1")))


def test_a_text_is_embedded_once_and_then_known_to_sql(shop):
    embedder = Embedder(shop)
    for text in ("Something WARM", " something  warm "):
        with UnitOfWork(shop) as work:
            rows = work.recommender.search_text(text, 1, embedder=embedder)
            assert [(row.item_id, row.searched_by_meaning) for row in rows] == [(2, True)]
    assert embedder.asked == ["something warm"]
    with Session(shop) as session:
        (row,) = Recommender(session).search_text("something warm", 1)
        assert row == TextMatch(
            1, 2, None, "Scarf", None, row.price, True, pytest.approx(1 / 61), "meaning", None, 1, True
        )


def test_without_an_embedder_a_new_text_is_searched_by_words(shop):
    with Session(shop) as session:
        recommender = Recommender(session)
        assert not recommender.remembers("trains")
        (row,) = recommender.search_text("trains")
    assert (row.item_id, row.reason, row.words_rank, row.meaning_rank) == (1, "words", 1, None)
    assert row.searched_by_meaning is False
    assert kept(shop) == []


def test_the_filter_holds_for_all_ways_to_match(shop):
    with UnitOfWork(shop) as work:
        rows = work.recommender.search_text(
            "warm train", filter=ItemFilter(min_price=2), embedder=Embedder(shop)
        )
    assert [row.item_id for row in rows] == [2]


def test_what_is_rolled_back_is_not_kept(shop):
    with Session(shop) as session:
        assert Recommender(session).search_text("warm", embedder=Embedder(shop))
    assert kept(shop) == []


def test_a_read_only_transaction_searches_by_meaning_and_keeps_nothing(shop):
    embedder = Embedder(shop)
    read_only = shop.execution_options(postgresql_readonly=True)
    for _ in range(2):
        with UnitOfWork(read_only) as work:
            (row, *_) = work.recommender.search_text("warm", embedder=embedder)
            assert (row.item_id, row.meaning_rank) == (2, 1)
    assert embedder.asked == ["warm", "warm"]
    assert kept(shop) == []


def test_in_stricter_isolation_nothing_is_kept_that_could_fail(shop):
    strict = shop.execution_options(isolation_level="SERIALIZABLE")
    with UnitOfWork(strict) as work:
        assert work.recommender.search_text("warm", embedder=Embedder(shop))[0].item_id == 2
    assert kept(shop) == []


def test_an_embedder_of_another_model_is_refused(shop):
    embedder = Embedder(shop)
    embedder.revision = "another"
    with Session(shop) as session, pytest.raises(errors.ModelError, match=r"belong to .*; the embedder is"):
        Recommender(session).search_text("warm", embedder=embedder)
    assert embedder.asked == []


@pytest.mark.parametrize(
    ("vectors", "error"),
    [
        (np.zeros((1, 384)), errors.InvalidVectorError),
        (np.full((1, 384), np.nan), errors.InvalidVectorError),
        (np.ones((1, 3)), errors.InvalidVectorError),
        (np.ones((2, 384)), errors.ModelError),
        (np.ones((0, 384)), errors.ModelError),
    ],
)
def test_what_a_broken_model_returns_is_refused(shop, vectors, error):
    embedder = Embedder(shop)
    embedder.embed = lambda texts: vectors
    with Session(shop) as session, pytest.raises(error):
        Recommender(session).search_text("warm", embedder=embedder)
    assert kept(shop) == []


@pytest.mark.parametrize("query", ["", "  ", "x" * 102_400, "nul\0byte", "-warm"])
def test_a_text_that_asks_for_nothing_is_refused(shop, query):
    embedder = Embedder(shop)
    with Session(shop) as session, pytest.raises(errors.InvalidArgumentError) as raised:
        Recommender(session).search_text(query, embedder=embedder)
    assert raised.value.message
    assert kept(shop) == []


def test_two_that_search_for_the_same_text_do_not_wait_for_each_other(shop):
    with Session(shop) as first, Session(shop) as second:
        second.execute(sa.text("set local lock_timeout = '2s'"))
        for session in (first, second):
            assert Recommender(session).search_text("warm", embedder=Embedder(shop))[0].item_id == 2
        first.commit()
        second.commit()
    assert kept(shop) == ["warm"]


def test_the_applications_role_searches_and_keeps(shop):
    with shop.connect() as connection:
        connection.execute(sa.text("set role recsys_app"))
        rows = Recommender(Session(connection)).search_text("warm", embedder=Embedder(shop))
        assert rows[0].item_id == 2
        connection.commit()
    assert kept(shop) == ["warm"]

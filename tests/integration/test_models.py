"""The models map what the migrations create, and join with an application's own."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from recsys_pg import models
from recsys_pg.repositories import ItemRepository, UserRepository
from recsys_pg.types import ItemRecord


@pytest.fixture
def session(shared_session: Session) -> Session:
    return shared_session


class ShopBase(DeclarativeBase):
    """What an application has."""


class OrderLine(ShopBase):
    __tablename__ = "order_lines"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey(models.Item.id))
    quantity: Mapped[int]
    item: Mapped[models.Item] = relationship(models.Item)


@pytest.mark.parametrize(
    "model",
    # a set by nature, and every process of pytest-xdist must see the same order
    sorted((mapper.class_ for mapper in models.Base.registry.mappers), key=lambda model: model.__name__),
)
def test_every_model_can_be_selected(session, model):
    assert session.scalars(sa.select(model).limit(1)).all() is not None


def test_an_applications_own_model_references_and_joins_items(session):
    item_id = ItemRepository(session).save(ItemRecord(title="Mug", price=Decimal("9.90")))
    ShopBase.metadata.create_all(session.connection())
    session.add(OrderLine(item_id=item_id, quantity=3))
    session.flush()
    statement = sa.select(models.Item.title, OrderLine.quantity * models.Item.price).join(
        OrderLine, OrderLine.item_id == models.Item.id
    )
    assert session.execute(statement).all() == [("Mug", Decimal("29.70"))]
    assert session.scalars(sa.select(OrderLine)).one().item.title == "Mug"


def test_creating_an_applications_tables_does_not_touch_ours():
    assert {table.schema for table in ShopBase.metadata.tables.values()} == {None}
    assert {table.schema for table in models.Base.metadata.tables.values()} == {"recsys"}


def test_values_come_back_in_the_declared_types(session):
    item_id = ItemRepository(session).save(ItemRecord(title="Mug", tags=("a",), attributes={"n": [1, None]}))
    ItemRepository(session).set_embedding(item_id, np.arange(1, 385))
    user = session.get(models.User, UserRepository(session).ensure("somebody"))
    session.expire_all()
    item = session.get(models.Item, item_id)
    assert item.attributes == {"n": [1, None]}
    assert item.tags == ["a"]
    assert isinstance(item.embedding, np.ndarray)
    assert (item.embedding.dtype, item.embedding.shape) == (np.dtype(np.float32), (384,))
    assert item.created_at.tzinfo is not None
    assert dt.datetime.now(dt.UTC) - item.created_at < dt.timedelta(minutes=5)
    assert user.embedding is None


def test_vectors_are_compared_in_queries(session):
    repository = ItemRepository(session)
    for position in (0, 1):
        vector = np.zeros(384)
        vector[position] = 1
        repository.set_embedding(repository.save(ItemRecord(title=str(position))), vector)
    nearest = sa.select(models.Item.title).order_by(models.Item.embedding.cosine_distance(vector))
    assert session.scalars(nearest).all() == ["1", "0"]

"""The catalogue."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors, vector_text
from recsys_pg.errors import InvalidArgumentError, UnknownItemError
from recsys_pg.models import Item
from recsys_pg.types import ItemRecord

_CONTENT = ("external_id", "title", "description", "category", "tags", "price", "in_stock", "attributes")


class ItemRepository:
    """Items by id or by the application's own key. Writing a text asks the worker for a new vector."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, item_id: int) -> Item:
        """The item.

        Raises:
            UnknownItemError: there is none.
        """
        with translated_errors():
            item = self._session.get(Item, item_id)
        if item is None:
            raise UnknownItemError(f"Item {item_id} does not exist.", "Pass the id of an item.")
        return item

    def by_external_id(self, external_id: str) -> Item:
        """The item with the application's own key.

        Raises:
            UnknownItemError: there is none.
        """
        with translated_errors():
            item = self._session.scalar(sa.select(Item).where(Item.external_id == external_id))
        if item is None:
            raise UnknownItemError(
                f"No item has the external_id {external_id!r}.",
                "Pass the key that the item was written with.",
            )
        return item

    def find_by_title(self, title: str, *, limit: int = 10) -> list[Item]:
        """Items whose title is, or failing that contains, the text in any case; shortest title first."""
        pattern = title.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        statement = (
            sa.select(Item)
            .where(Item.title.ilike(f"%{pattern}%"))
            .order_by(sa.func.lower(Item.title) != title.lower(), sa.func.length(Item.title), Item.id)
            .limit(limit)
        )
        with translated_errors():
            return list(self._session.scalars(statement))

    def unused_categories(self, categories: Iterable[str]) -> list[str]:
        """Those of the categories that no item has, in the order given."""
        with translated_errors():
            return [
                category
                for category in categories
                if not self._session.scalar(sa.select(sa.exists().where(Item.category == category)))
            ]

    def save(self, record: ItemRecord) -> int:
        """Write one item and return its id; see `save_all`."""
        return self.save_all([record])[0]

    def save_all(self, records: Iterable[ItemRecord]) -> list[int]:
        """Insert the items, or update those whose id or external_id exists; returns their ids, in order.

        An update replaces all fields of the record. For more than some thousand items,
        `recsys_pg.importing.import_dataset` is faster.

        Raises:
            InvalidArgumentError: a value breaks a constraint, which the message names.
        """
        ids = []
        with translated_errors():
            for record in records:
                tags: Any = record.tags
                if isinstance(tags, str):
                    raise InvalidArgumentError(
                        f"tags is the text {tags!r}, not a tuple of texts.", "Pass tags=('one', 'two')."
                    )
                values: dict[str, Any] = {name: getattr(record, name) for name in _CONTENT}
                values |= {"tags": list(record.tags), "attributes": dict(record.attributes)}
                if record.created_at is not None:
                    values["created_at"] = record.created_at
                if record.id is not None:
                    values["id"] = record.id
                statement = insert(Item).values(values)
                target = Item.id if record.id is not None else Item.external_id
                updates = {name: statement.excluded[name] for name in values if name != "id"}
                statement = statement.on_conflict_do_update(index_elements=[target], set_=updates)
                ids.append(self._session.execute(statement.returning(Item.id)).scalar_one())
        self._session.expire_all()
        return ids

    def update_offer(
        self, item_id: int, *, price: Decimal | None = None, in_stock: bool | None = None
    ) -> None:
        """Change price or stock, cheaply: no index and no queue is touched. None leaves a value as it is.

        Raises:
            UnknownItemError: there is no such item.
            InvalidArgumentError: neither is given, or the price is negative.
        """
        values: dict[str, Any] = {}
        if price is not None:
            values["price"] = price
        if in_stock is not None:
            values["in_stock"] = in_stock
        if not values:
            raise InvalidArgumentError("Neither price nor in_stock is given.", "Pass at least one of them.")
        with translated_errors():
            found = self._session.execute(
                sa.update(Item).where(Item.id == item_id).values(values).returning(Item.id)
            ).scalar_one_or_none()
        if found is None:
            raise UnknownItemError(f"Item {item_id} does not exist.", "Pass the id of an item.")

    def set_embedding(self, item_id: int, embedding: Sequence[float]) -> None:
        """Store a vector of the application's own, shape (384,); it is brought to unit length.

        It belongs to the item's current text and to the active embedding model.

        Raises:
            UnknownItemError: there is no such item.
            InvalidVectorError: it is zero, not finite, or not of 384 numbers.
        """
        with translated_errors():
            found = self._session.execute(
                sa.text(
                    "update recsys.items set embedding = :embedding, embedding_model_id = null"
                    " where id = :item_id returning id"
                ).bindparams(sa.bindparam("embedding", type_=sa.types.NullType())),
                {"embedding": vector_text(embedding), "item_id": item_id},
            ).scalar_one_or_none()
        if found is None:
            raise UnknownItemError(f"Item {item_id} does not exist.", "Pass the id of an item.")

    def delete(self, item_id: int) -> None:
        """Delete the item and all interactions with it.

        Raises:
            UnknownItemError: there is no such item.
        """
        with translated_errors():
            found = self._session.execute(
                sa.delete(Item).where(Item.id == item_id).returning(Item.id)
            ).scalar_one_or_none()
        if found is None:
            raise UnknownItemError(f"Item {item_id} does not exist.", "Pass the id of an item.")

    def count(self) -> int:
        """How many items there are."""
        with translated_errors():
            return self._session.scalar(sa.select(sa.func.count()).select_from(Item)) or 0

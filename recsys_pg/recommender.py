"""The SQL functions of recsys_api for Python: same arguments, results as dataclasses, no ranking here."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors, vector_text
from recsys_pg.types import (
    Contribution,
    FoundItem,
    ItemFilter,
    Method,
    Recommendation,
    SimilarItem,
    SimilarUser,
)

Row = TypeVar("Row", FoundItem, Recommendation, SimilarItem, SimilarUser, Contribution)

_FILTER_TYPES: dict[str, Any] = {
    "categories": ARRAY(sa.Text),
    "in_stock": sa.Boolean(),
    "min_price": sa.Numeric(),
    "max_price": sa.Numeric(),
    "tags": ARRAY(sa.Text),
    "attributes": sa.Text(),
    "item_ids": ARRAY(sa.BigInteger),
    "exclude_item_ids": ARRAY(sa.BigInteger),
}


class Recommender:
    """Recommendations in the transaction of a session, which sees its own uncommitted interactions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def for_user(
        self,
        user_id: int,
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
        exclude_seen: bool = True,
        diversity: float = 0.0,
        method: Method = "hybrid",
    ) -> list[Recommendation]:
        """What to show to a user next: n rows whenever n items may be shown, best first.

        Raises:
            UnknownUserError: the user does not exist.
            InvalidArgumentError: n, diversity, method or the filter is out of range.
        """
        return self._rows(
            Recommendation,
            "recommend_for_user(:user_id, n => :n, exclude_seen => :exclude_seen, diversity => :diversity,"
            " method => :method",
            filter,
            user_id=user_id,
            n=n,
            exclude_seen=exclude_seen,
            diversity=diversity,
            method=method,
        )

    def for_items(
        self,
        item_ids: Sequence[int],
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
    ) -> list[Recommendation]:
        """What to show beside a basket, or to an anonymous visitor who looked at these items.

        Raises:
            UnknownItemError: an item does not exist.
            InvalidArgumentError: n or the filter is out of range.
        """
        return self._rows(
            Recommendation,
            "recommend_for_items(:item_ids_given, n => :n",
            filter,
            item_ids_given=list(item_ids),
            n=n,
        )

    def similar_items(
        self,
        item_id: int,
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
    ) -> list[SimilarItem]:
        """More like this, best first.

        Raises:
            UnknownItemError: the item does not exist.
            InvalidArgumentError: n or the filter is out of range.
        """
        return self._rows(SimilarItem, "similar_items(:item_id, n => :n", filter, item_id=item_id, n=n)

    def search(
        self,
        query_embedding: Sequence[float],
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
    ) -> list[FoundItem]:
        """The items nearest to a query vector of shape (384,), nearest first; score is the cosine.

        Raises:
            InvalidVectorError: the vector is zero, not finite, or not of 384 numbers.
            InvalidArgumentError: n or the filter is out of range.
        """
        return self._rows(
            FoundItem,
            "search_items(:query, n => :n",
            filter,
            query=vector_text(query_embedding),
            n=n,
        )

    def popular(
        self,
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
        since: datetime | None = None,
    ) -> list[FoundItem]:
        """The most popular items, most popular first; with since, counting only interactions from then on.

        Raises:
            InvalidArgumentError: n, since or the filter is out of range.
        """
        return self._rows(FoundItem, "popular_items(n => :n, since => :since", filter, n=n, since=since)

    def similar_users(self, user_id: int, n: int = 10) -> list[SimilarUser]:
        """The users with the nearest taste, nearest first.

        Raises:
            UnknownUserError: the user does not exist.
            InvalidArgumentError: n is out of range.
        """
        return self._rows(SimilarUser, "similar_users(:user_id, n => :n", None, user_id=user_id, n=n)

    def explain(self, user_id: int, item_id: int) -> list[Contribution]:
        """Which past items speak for or against an item; they sum to its hybrid score.

        Raises:
            UnknownUserError, UnknownItemError: as their names say.
        """
        return self._rows(
            Contribution, "explain_recommendation(:user_id, :item_id", None, user_id=user_id, item_id=item_id
        )

    def _rows(
        self,
        row: type[Row],
        call: str,
        filter: ItemFilter | None,
        **parameters: Any,
    ) -> list[Row]:
        types: dict[str, Any] = {
            "since": sa.TIMESTAMP(timezone=True),
            "item_ids_given": ARRAY(sa.BigInteger),
            "query": sa.types.NullType(),  # an untyped literal: pgvector need not be on the search_path
        }
        if filter is not None:
            given = {name: getattr(filter, name) for name in _FILTER_TYPES}
            given = {name: value for name, value in given.items() if value is not None}
            if "attributes" in given:
                given["attributes"] = json.dumps(dict(given["attributes"]))
            arguments = ", ".join(
                f"{name} => cast(:{name} as jsonb)" if name == "attributes" else f"{name} => :{name}"
                for name in given
            )
            call += f", filter => recsys_api.item_filter({arguments})"
            types |= _FILTER_TYPES
            parameters |= {
                name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
            }
        statement = sa.text(f"select * from recsys_api.{call})").bindparams(
            *(sa.bindparam(name, type_=types[name]) for name in parameters if name in types)
        )
        with translated_errors():
            result = self._session.execute(statement, parameters)
            return [row(*values) for values in result]

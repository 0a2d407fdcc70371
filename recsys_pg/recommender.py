"""The SQL functions of recsys_api for Python: same arguments, results as dataclasses, no ranking here."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors, vector_text
from recsys_pg.errors import InvalidArgumentError
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

_SQL_TYPES = {
    "user_id": "bigint",
    "item_id": "bigint",
    "item_ids": "bigint[]",
    "n": "integer",
    "exclude_seen": "boolean",
    "diversity": "double precision",
    "method": "text",
    "since": "timestamptz",
}
_FILTER_SQL_TYPES = {
    "categories": "text[]",
    "in_stock": "boolean",
    "min_price": "numeric",
    "max_price": "numeric",
    "tags": "text[]",
    "attributes": "jsonb",
    "item_ids": "bigint[]",
    "exclude_item_ids": "bigint[]",
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
            "recommend_for_user",
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
            "recommend_for_items",
            filter,
            item_ids=list(item_ids),
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
        return self._rows(SimilarItem, "similar_items", filter, item_id=item_id, n=n)

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
            "search_items",
            filter,
            query_embedding=vector_text(query_embedding),
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
        return self._rows(FoundItem, "popular_items", filter, n=n, since=since)

    def similar_users(self, user_id: int, n: int = 10) -> list[SimilarUser]:
        """The users with the nearest taste, nearest first.

        Raises:
            UnknownUserError: the user does not exist.
            InvalidArgumentError: n is out of range.
        """
        return self._rows(SimilarUser, "similar_users", None, user_id=user_id, n=n)

    def explain(self, user_id: int, item_id: int) -> list[Contribution]:
        """Which past items speak for or against an item; they sum to its hybrid score.

        Raises:
            UnknownUserError, UnknownItemError: as their names say.
        """
        return self._rows(Contribution, "explain_recommendation", None, user_id=user_id, item_id=item_id)

    def _rows(
        self,
        row: type[Row],
        function: str,
        filter: ItemFilter | None,
        **parameters: Any,
    ) -> list[Row]:
        arguments = [
            f"{name} => :{name}"
            if name == "query_embedding"
            else f"{name} => cast(:{name} as {_SQL_TYPES[name]})"
            for name in parameters
        ]
        if filter is not None:
            given = {name: getattr(filter, name) for name in _FILTER_SQL_TYPES}
            conditions = {name: value for name, value in given.items() if value is not None}
            casts = ", ".join(
                f"{name} => cast(:filter_{name} as {_FILTER_SQL_TYPES[name]})" for name in conditions
            )
            arguments.append(f"filter => recsys_api.item_filter({casts})")
            parameters |= {f"filter_{name}": _parameter(value) for name, value in conditions.items()}
        statement = sa.text(f"select * from recsys_api.{function}({', '.join(arguments)})")
        if "query_embedding" in parameters:
            # an untyped literal, so that pgvector need not be on the search_path
            statement = statement.bindparams(sa.bindparam("query_embedding", type_=sa.types.NullType()))
        with translated_errors():
            return [row(*values) for values in self._session.execute(statement, parameters)]


def _parameter(value: Any) -> Any:
    if isinstance(value, Mapping):
        try:
            return json.dumps(dict(value))
        except TypeError as error:
            raise InvalidArgumentError(
                f"attributes cannot be JSON: {error}.", "Pass plain values."
            ) from error
    return list(value) if isinstance(value, tuple) else value

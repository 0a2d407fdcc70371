"""The SQL functions of recsys_api for Python: same arguments, results as dataclasses, no ranking here."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors, vector_text
from recsys_pg.errors import ModelError
from recsys_pg.repositories.filter_sql import filter_sql
from recsys_pg.types import (
    Contribution,
    FoundItem,
    ItemFilter,
    Method,
    QueryEmbedder,
    Recommendation,
    SimilarItem,
    SimilarUser,
    TextMatch,
)

Row = TypeVar("Row", FoundItem, Recommendation, SimilarItem, SimilarUser, TextMatch, Contribution)

_SQL_TYPES = {
    "user_id": "bigint",
    "item_id": "bigint",
    "item_ids": "bigint[]",
    "n": "integer",
    "exclude_seen": "boolean",
    "diversity": "double precision",
    "method": "text",
    "since": "timestamptz",
    "weights": "double precision[]",
    "query": "text",
    "scenario": "text",
    "max_per_category": "integer",
    "popularity_damping": "double precision",
    "rotation": "double precision",
    "rotation_half_life": "interval",
    "new_item_share": "double precision",
    "shown_item_ids": "bigint[]",
}
_EMBEDDING_MODEL = (
    "select m.id, m.name, m.revision, recsys.text_key(:query) as text"
    " from recsys.models m where m.purpose = 'embedding' and m.is_active"
)


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
        exclude_seen: bool | None = None,
        diversity: float | None = None,
        method: Method | None = None,
        scenario: str | None = None,
        max_per_category: int | None = None,
        popularity_damping: float | None = None,
        rotation: float | None = None,
        rotation_half_life: timedelta | None = None,
        new_item_share: float | None = None,
        shown_item_ids: Sequence[int] = (),
    ) -> list[Recommendation]:
        """What to show to a user next: n rows whenever n items may be shown, best first.

        Args:
            scenario: the name of one, which says what is None here; its filter holds besides this one.
            shown_item_ids: what the pages before showed, so that this is the next one.

        The other arguments are those of ``recsys_api.recommend_for_user``, which says what each means.

        Raises:
            UnknownUserError: the user does not exist.
            InvalidArgumentError: n, a control or the filter is out of range.
            UnknownScenarioError: there is no such scenario.
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
            scenario=scenario,
            max_per_category=max_per_category,
            popularity_damping=popularity_damping,
            rotation=rotation,
            rotation_half_life=rotation_half_life,
            new_item_share=new_item_share,
            shown_item_ids=list(shown_item_ids),
        )

    def for_items(
        self,
        item_ids: Sequence[int],
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
        weights: Sequence[float] | None = None,
        scenario: str | None = None,
        diversity: float | None = None,
        max_per_category: int | None = None,
        popularity_damping: float | None = None,
        new_item_share: float | None = None,
        shown_item_ids: Sequence[int] = (),
    ) -> list[Recommendation]:
        """What to show beside a basket, or to a visitor who looked at these items, the latest last.

        Args:
            weights: how much each item counts, -1 (disliked) to 1; left out, all count 1.

        The controls are those of `for_user`.

        Raises:
            UnknownItemError: an item does not exist.
            InvalidArgumentError: n, a weight, a control or the filter is out of range, or there are not as
                many weights as items.
            UnknownScenarioError: there is no such scenario.
        """
        return self._rows(
            Recommendation,
            "recommend_for_items",
            filter,
            item_ids=list(item_ids),
            n=n,
            weights=None if weights is None else list(map(float, weights)),
            scenario=scenario,
            diversity=diversity,
            max_per_category=max_per_category,
            popularity_damping=popularity_damping,
            new_item_share=new_item_share,
            shown_item_ids=list(shown_item_ids),
        )

    def similar_items(
        self,
        item_id: int,
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
        scenario: str | None = None,
    ) -> list[SimilarItem]:
        """More like this, best first.

        Raises:
            UnknownItemError: the item does not exist.
            InvalidArgumentError: n or the filter is out of range.
            UnknownScenarioError: there is no such scenario.
        """
        return self._rows(SimilarItem, "similar_items", filter, item_id=item_id, n=n, scenario=scenario)

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

    def search_text(
        self,
        query: str,
        n: int = 10,
        *,
        filter: ItemFilter | None = None,
        embedder: QueryEmbedder | None = None,
    ) -> list[TextMatch]:
        """What somebody who types a text is looking for: by meaning, by words and by exact codes, best first.

        The embedding of the text is looked up in the database. If it is not kept there, the ``embedder``
        makes it (about 10 ms on a CPU, in which the transaction stays open) and it is kept for the next time,
        in Python or SQL; except on a replica or in a read-only transaction. Without an embedder, such a text
        is searched by words and codes only, which ``searched_by_meaning`` says.

        Raises:
            InvalidArgumentError: the text is blank, longer than 1,000 characters or only says what to leave
                out; n or the filter is out of range.
            ModelError: the embedder is not the model that the items' embeddings belong to, or returned no
                vector.
        """
        parameters: dict[str, Any] = {"query": query, "n": n}
        if embedder is not None and not self.remembers(query):
            parameters["query_embedding"] = self._embedded(query, embedder)
        return self._rows(TextMatch, "search_text", filter, **parameters)

    def remembers(self, query: str) -> bool:
        """Whether the embedding of a text is kept, so that `search_text` needs no embedder for it.

        Raises:
            InvalidArgumentError: the text is blank or longer than 1,000 characters.
        """
        statement = sa.text("select recsys_api._use_query(:query)")
        with translated_errors():
            return bool(self._session.scalar(statement, {"query": query}))

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

    def explain(
        self,
        user_id: int,
        item_id: int,
        *,
        scenario: str | None = None,
        popularity_damping: float | None = None,
        rotation: float | None = None,
        rotation_half_life: timedelta | None = None,
    ) -> list[Contribution]:
        """Which past items speak for or against an item; they sum to its hybrid score.

        With the controls of the call that is explained, they and what those change do.

        Raises:
            UnknownUserError, UnknownItemError, UnknownScenarioError: as their names say.
            InvalidArgumentError: a control is out of range.
        """
        return self._rows(
            Contribution,
            "explain_recommendation",
            None,
            user_id=user_id,
            item_id=item_id,
            scenario=scenario,
            popularity_damping=popularity_damping,
            rotation=rotation,
            rotation_half_life=rotation_half_life,
        )

    def _embedded(self, query: str, embedder: QueryEmbedder) -> str:
        """The embedding of a text, as pgvector reads it; kept in the database where that can be written."""
        with translated_errors():
            active = self._session.execute(sa.text(_EMBEDDING_MODEL), {"query": query}).one_or_none()
        if active is None or (active.name, active.revision) != (embedder.name, embedder.revision):
            loaded = f"the embedder is {embedder.name} ({embedder.revision})"
            known = f"{active.name} ({active.revision})" if active else "no model, as none is active"
            raise ModelError(
                f"The vectors in the database belong to {known}; {loaded}.",
                "Pass an embedder of the database's model, or none.",
            )
        vectors = embedder.embed([active.text])
        if len(vectors) != 1:
            raise ModelError(
                f"The embedder {embedder.name} returned {len(vectors)} vectors for one text.",
                "The model or its installation is broken: check it with one short text.",
            )
        embedding = vector_text(vectors[0])
        keep = sa.text("select recsys_api.remember_query(:query, :embedding, :model_id)")
        keep = keep.bindparams(sa.bindparam("embedding", type_=sa.types.NullType()))
        with translated_errors():
            self._session.execute(keep, {"query": query, "embedding": embedding, "model_id": active.id})
        return embedding

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
            sql, values = filter_sql(filter, "filter_")
            arguments.append(f"filter => {sql}")
            parameters |= values
        statement = sa.text(f"select * from recsys_api.{function}({', '.join(arguments)})")
        if "query_embedding" in parameters:
            # an untyped literal, so that pgvector need not be on the search_path
            statement = statement.bindparams(sa.bindparam("query_embedding", type_=sa.types.NullType()))
        with translated_errors():
            return [row(*values) for values in self._session.execute(statement, parameters)]

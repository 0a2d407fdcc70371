"""What search keeps beside the catalogue: copies of items, rules, advised indexes, samples, checks."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Computed,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIT, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from recsys_pg.models.base import Base, Embedding, EmbeddingType, now


def _searchable_indexes(table: str) -> tuple[Index, ...]:
    return (
        Index(f"{table}_category_idx", "category", "id"),
        Index(f"{table}_price_band_idx", "price_band", "id"),
        Index(f"{table}_tags_idx", "tags", postgresql_using="gin"),
        Index(
            f"{table}_attributes_idx",
            "attributes",
            postgresql_using="gin",
            postgresql_ops={"attributes": "jsonb_path_ops"},
        ),
    )


class SearchableColumns:
    """What a filter asks of an item, and its embedding as a code."""

    id: Mapped[int] = mapped_column(
        ForeignKey("recsys.items.id", onupdate="CASCADE", ondelete="CASCADE"), primary_key=True
    )
    price: Mapped[Decimal | None]
    price_band: Mapped[int | None] = mapped_column(SmallInteger)
    in_stock: Mapped[bool]
    category: Mapped[str | None]
    created_at: Mapped[datetime]
    code: Mapped[str] = mapped_column(BIT(1152))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    attributes: Mapped[dict[str, Any]]


class SearchableItem(SearchableColumns, Base):
    """An item with an embedding once more, narrow: filter columns and the code; kept by triggers."""

    __tablename__ = "searchable_items"
    __table_args__ = _searchable_indexes("searchable_items")


class StandbySearchableItem(SearchableColumns, Base):
    """The same of an item's standby embedding; the two exchange their names in a switch of the model."""

    __tablename__ = "standby_searchable_items"
    __table_args__ = _searchable_indexes("standby_searchable_items")


class CatalogueLanguage(Base):
    """The language that the catalogue is written in: one row; ``recsys-pg language`` changes it."""

    __tablename__ = "catalogue_language"

    language: Mapped[str]
    previous_language: Mapped[str | None]
    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))


class ItemText(Base):
    """What text search finds an item by; triggers keep it in step with `Item`."""

    __tablename__ = "item_texts"
    __table_args__ = (
        Index("item_texts_title_idx", "title", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index(
            "item_texts_document_idx",
            "document",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
        Index("item_texts_title_hash_idx", "title_hash"),
        Index(
            "item_texts_external_id_idx",
            "external_id",
            postgresql_where=text("external_id IS NOT NULL"),
        ),
    )

    item_id: Mapped[int] = mapped_column(
        ForeignKey("recsys.items.id", onupdate="CASCADE", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    language: Mapped[str]
    external_id: Mapped[str | None]
    title_hash: Mapped[UUID]
    title: Mapped[str] = mapped_column(TSVECTOR)
    document: Mapped[str] = mapped_column(TSVECTOR)


class QueryEmbedding(Base):
    """The embedding of a text that was searched for, by one model."""

    __tablename__ = "query_embeddings"
    __table_args__ = (
        PrimaryKeyConstraint("model_id", "query_hash"),
        Index("query_embeddings_last_used_at_idx", "last_used_at", "query_hash"),
    )

    model_id: Mapped[int] = mapped_column(ForeignKey("recsys.models.id", ondelete="CASCADE"))
    query_hash: Mapped[UUID] = mapped_column(Computed("(md5(query))::uuid", persisted=True))
    query: Mapped[str]
    embedding: Mapped[Embedding] = mapped_column(EmbeddingType)
    created_at: Mapped[datetime] = now()
    last_used_at: Mapped[datetime] = now()


class SearchIndex(Base):
    """A partial vector index on items that `recsys-pg indexes` was asked to build, and its condition."""

    __tablename__ = "search_indexes"

    index_name: Mapped[str] = mapped_column(String, primary_key=True)
    category: Mapped[str | None]
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    attributes: Mapped[dict[str, Any] | None]
    rule: Mapped[str | None]
    rule_canonical: Mapped[str | None]
    predicate: Mapped[str]
    is_ready: Mapped[bool] = mapped_column(server_default=text("false"))
    requested_at: Mapped[datetime] = now()
    built_at: Mapped[datetime | None]
    built_rows: Mapped[int | None]
    build_seconds: Mapped[float | None]


class DeferredIndex(Base):
    """A vector index that a load of many items dropped, to be built when it ends."""

    __tablename__ = "deferred_indexes"

    index_name: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[str]
    deferred_at: Mapped[datetime] = now()


class FilterSample(Base):
    """The filter of a search that ran, which stands for others; one of 10,000 slots, written in turn."""

    __tablename__ = "filter_samples"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 - SQLAlchemy reads it from the class

    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sampled_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    searches: Mapped[float]
    category: Mapped[str | None]
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    attributes: Mapped[dict[str, Any] | None]
    rule: Mapped[str | None]
    strategy: Mapped[str | None]
    rows_passing: Mapped[int | None]
    milliseconds: Mapped[float]


class RecallCheck(Base):
    """What ``recsys_api.check_recall`` found for a band of selectivity and a strategy."""

    __tablename__ = "recall_checks"

    checked_at: Mapped[datetime] = mapped_column(primary_key=True)
    band: Mapped[str] = mapped_column(primary_key=True)
    strategy: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(Integer)
    items: Mapped[int]
    searches: Mapped[int]
    recall: Mapped[float]
    worst_recall: Mapped[float]
    rows_missing: Mapped[int]
    milliseconds: Mapped[float]


class FilterRule(Base):
    """A filter of the application's own; written by ``recsys_api.define_rule``, which checks it."""

    __tablename__ = "filter_rules"

    name: Mapped[str] = mapped_column(primary_key=True)
    predicate: Mapped[str]
    canonical: Mapped[str]
    relation: Mapped[str]
    created_at: Mapped[datetime] = now()

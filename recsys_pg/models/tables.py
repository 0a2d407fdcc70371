"""What an application writes and reads: catalogue, people, interactions, models, settings."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    REAL,
    Computed,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from recsys_pg.models.base import Base, Embedding, EmbeddingType, now


class Model(Base):
    """An embedding model or a trained item graph; at most one of each purpose is active."""

    __tablename__ = "models"
    __table_args__ = (
        Index("models_active_purpose_idx", "purpose", unique=True, postgresql_where=text("is_active")),
        Index("models_standby_purpose_idx", "purpose", unique=True, postgresql_where=text("is_standby")),
        Index(
            "models_embedding_name_idx",
            "name",
            "revision",
            unique=True,
            postgresql_where=text("purpose = 'embedding'::text"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    purpose: Mapped[str]
    name: Mapped[str]
    revision: Mapped[str]
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    center: Mapped[Embedding | None] = mapped_column(EmbeddingType)
    is_active: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = now()
    decays: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    activated_at: Mapped[datetime | None]
    mean_query: Mapped[Embedding | None] = mapped_column(EmbeddingType)
    fade: Mapped[float | None] = mapped_column(Double)
    length_classes: Mapped[bytes | None]
    class_lengths: Mapped[list[float] | None] = mapped_column(ARRAY(REAL))
    scanned_from: Mapped[float | None] = mapped_column(REAL)
    is_standby: Mapped[bool] = mapped_column(server_default=text("false"))


class Item(Base):
    """A thing that can be recommended."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("external_id"),
        Index("items_category_idx", "category"),
        Index("items_tags_idx", "tags", postgresql_using="gin"),
        Index(
            "items_attributes_idx",
            "attributes",
            postgresql_using="gin",
            postgresql_ops={"attributes": "jsonb_path_ops"},
        ),
        Index(
            "items_embedding_idx",
            "embedding",
            postgresql_using="hnsw",
            postgresql_with={"ef_construction": 200},
            postgresql_ops={"embedding": "vector_cosine_ops"},
        ),
        Index("items_unembedded_idx", "id", postgresql_where=text("embedding IS NULL")),
        Index("items_created_at_idx", text("created_at DESC"), text("(-id)")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    external_id: Mapped[str | None]
    title: Mapped[str]
    description: Mapped[str | None]
    category: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    price: Mapped[Decimal | None] = mapped_column(Numeric)
    in_stock: Mapped[bool] = mapped_column(server_default=text("true"))
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = now()
    updated_at: Mapped[datetime] = now()
    content_hash: Mapped[UUID | None] = mapped_column(
        Computed("recsys.item_content_hash(title, description, category, tags)", persisted=True)
    )
    embedding: Mapped[Embedding | None] = mapped_column(EmbeddingType)
    embedding_model_id: Mapped[int | None] = mapped_column(ForeignKey("recsys.models.id"))
    embedding_content_hash: Mapped[UUID | None]
    standby_embedding: Mapped[Embedding | None] = mapped_column(EmbeddingType)
    standby_embedding_model_id: Mapped[int | None] = mapped_column(ForeignKey("recsys.models.id"))
    standby_embedding_content_hash: Mapped[UUID | None]


class User(Base):
    """A person, or anything else that items are recommended to."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("external_id"),
        Index(
            "users_embedding_idx",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_cosine_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    external_id: Mapped[str | None]
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = now()
    embedding: Mapped[Embedding | None] = mapped_column(EmbeddingType)
    embedding_model_id: Mapped[int | None] = mapped_column(ForeignKey("recsys.models.id"))
    standby_embedding: Mapped[Embedding | None] = mapped_column(EmbeddingType)
    standby_embedding_model_id: Mapped[int | None] = mapped_column(ForeignKey("recsys.models.id"))


class InteractionKind(Base):
    """What a kind of interaction means."""

    __tablename__ = "interaction_kinds"

    kind: Mapped[str] = mapped_column(primary_key=True)
    weight: Mapped[float]
    value_center: Mapped[float | None]
    hides_item: Mapped[bool] = mapped_column(server_default=text("false"))
    is_consumption: Mapped[bool] = mapped_column(server_default=text("false"))


class Interaction(Base):
    """One thing that a user did with an item. Append-only."""

    __tablename__ = "interactions"
    __table_args__ = (
        Index(
            "interactions_event_id_idx",
            "event_id",
            unique=True,
            postgresql_where=text("event_id IS NOT NULL"),
        ),
        Index(
            "interactions_user_id_occurred_at_idx",
            "user_id",
            "occurred_at",
            "id",
            postgresql_include=["item_id", "kind", "value"],
        ),
        Index("interactions_item_id_idx", "item_id"),
        Index("interactions_occurred_at_idx", "occurred_at"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("recsys.users.id", ondelete="CASCADE"))
    item_id: Mapped[int] = mapped_column(ForeignKey("recsys.items.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(ForeignKey("recsys.interaction_kinds.kind"))
    value: Mapped[float | None]
    event_id: Mapped[str | None]
    occurred_at: Mapped[datetime] = now()


class TasteChange(Base):
    """That a user did something since the taste vector was computed; a worker deletes it."""

    __tablename__ = "taste_changes"
    __table_args__ = (
        Index("taste_changes_user_id_idx", "user_id", "changed_at"),
        Index("taste_changes_changed_at_idx", "changed_at"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    user_id: Mapped[int]
    changed_at: Mapped[datetime] = now()


class ItemPopularity(Base):
    """Decayed weight of an item's positive interactions, on a scale whose order time does not change."""

    __tablename__ = "item_popularity"
    __table_args__ = (Index("item_popularity_log2_weight_idx", text("log2_weight DESC"), "item_id"),)

    item_id: Mapped[int] = mapped_column(
        ForeignKey("recsys.items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    log2_weight: Mapped[float]


class EmbeddingJob(Base):
    """An item that waits for its vector; one row an item and model."""

    __tablename__ = "embedding_jobs"
    __table_args__ = (
        PrimaryKeyConstraint("item_id", "model_id"),
        Index("embedding_jobs_available_at_idx", "available_at", postgresql_where=text("failed_at IS NULL")),
    )

    item_id: Mapped[int] = mapped_column(ForeignKey("recsys.items.id", ondelete="CASCADE"))
    model_id: Mapped[int] = mapped_column(ForeignKey("recsys.models.id", ondelete="CASCADE"))
    requested_at: Mapped[datetime] = now()
    available_at: Mapped[datetime] = now()
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    lease_token: Mapped[UUID | None]
    last_error: Mapped[str | None]
    failed_at: Mapped[datetime | None]


class Setting(Base):
    """A threshold or weight that the SQL functions read."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    description: Mapped[str]


class ApiObject(Base):
    """An object that the rebuild of sql/ created."""

    __tablename__ = "api_objects"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    identity: Mapped[str]

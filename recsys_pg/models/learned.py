"""What training writes: the item graph, factors and residuals, and the map from content to factors."""

from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import REAL, BigInteger, Computed, ForeignKey, Index, PrimaryKeyConstraint, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from recsys_pg.config import DIMENSIONS
from recsys_pg.models.base import Base, Embedding, EmbeddingType

_BANDS: tuple[tuple[str, dict[str, int]], ...] = (
    ("length > 0.5", {"ef_construction": 200}),
    ("length > 0.25 and length <= 0.5", {"ef_construction": 200}),
    ("length > 0.125 and length <= 0.25", {"ef_construction": 200}),
    ("length > 0.0625 and length <= 0.125", {"ef_construction": 200}),
    ("length > 0.03125 and length <= 0.0625", {}),
    ("length > 0.015625 and length <= 0.03125", {}),
    ("length <= 0.015625", {}),
)
"""Of the lengths of targets, each with an index of its own; and its parameters."""


class ItemNeighbors(Base):
    """What having liked an item adds to the score of its neighbors, by a trained model."""

    __tablename__ = "item_neighbors"
    __table_args__ = (
        PrimaryKeyConstraint("model_id", "item_id"),
        Index("item_neighbors_item_id_idx", "item_id"),
    )

    model_id: Mapped[int] = mapped_column(ForeignKey("recsys.models.id", ondelete="CASCADE"))
    item_id: Mapped[int] = mapped_column(ForeignKey("recsys.items.id", ondelete="CASCADE"))
    neighbor_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    weights: Mapped[list[float]] = mapped_column(ARRAY(REAL))


class ItemFactors(Base):
    """What a trained model knows of an item; a partition a model."""

    __tablename__ = "item_factors"
    __table_args__ = (
        PrimaryKeyConstraint("model_id", "item_id"),
        Index("item_factors_item_id_idx", "item_id"),
        *(
            Index(
                f"item_factors_band_{number}_idx",
                "target",
                postgresql_using="hnsw",
                postgresql_with=with_,
                postgresql_ops={"target": "halfvec_ip_ops"},
                postgresql_where=text(lengths),
            )
            for number, (lengths, with_) in enumerate(_BANDS, start=1)
        ),
        Index("item_factors_length_idx", "length", postgresql_where=text("length > 0.0625")),
        {"postgresql_partition_by": "LIST (model_id)"},
    )

    model_id: Mapped[int] = mapped_column(ForeignKey("recsys.models.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("recsys.items.id", ondelete="CASCADE"))
    target: Mapped[Any] = mapped_column(HALFVEC(DIMENSIONS))
    history: Mapped[list[Any]] = mapped_column(ARRAY(HALFVEC(DIMENSIONS)))
    is_learned: Mapped[bool] = mapped_column(server_default=text("true"))
    length: Mapped[float] = mapped_column(REAL, Computed("l2_norm(target)", persisted=True))


class ItemResiduals(Base):
    """What an item of a history adds to single items beyond its factors; a partition a model."""

    __tablename__ = "item_residuals"
    __table_args__ = (
        PrimaryKeyConstraint("model_id", "item_id", "scale"),
        Index("item_residuals_item_id_idx", "item_id"),
        {"postgresql_partition_by": "LIST (model_id)"},
    )

    model_id: Mapped[int] = mapped_column(ForeignKey("recsys.models.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("recsys.items.id", ondelete="CASCADE"))
    scale: Mapped[int] = mapped_column(SmallInteger)
    neighbor_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    weights: Mapped[list[float]] = mapped_column(ARRAY(REAL))


class ContentMap(Base):
    """What an embedding says of one component of the factors of an item that nobody knows yet."""

    __tablename__ = "content_maps"
    __table_args__ = (PrimaryKeyConstraint("model_id", "part", "dimension"),)

    model_id: Mapped[int] = mapped_column(ForeignKey("recsys.models.id", ondelete="CASCADE"))
    part: Mapped[int] = mapped_column(SmallInteger)
    dimension: Mapped[int] = mapped_column(SmallInteger)
    weights: Mapped[Embedding] = mapped_column(EmbeddingType)
    bias: Mapped[float] = mapped_column(REAL)


class ContentFeature(Base):
    """What a category, a tag or an attribute adds to the factors of an item that nobody knows yet."""

    __tablename__ = "content_features"
    __table_args__ = (PrimaryKeyConstraint("model_id", "feature", "part"),)

    model_id: Mapped[int] = mapped_column(ForeignKey("recsys.models.id", ondelete="CASCADE"))
    feature: Mapped[str]
    part: Mapped[int] = mapped_column(SmallInteger)
    factors: Mapped[Embedding] = mapped_column(EmbeddingType)

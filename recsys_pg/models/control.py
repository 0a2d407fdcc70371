"""What steers lists: scenarios with their boosts and pins, and what was shown to whom."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    Interval,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from recsys_pg.models.base import Base, now


class FilterColumns:
    """The attributes of recsys_api.filter; None sets no condition."""

    categories: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    in_stock: Mapped[bool | None]
    min_price: Mapped[Decimal | None]
    max_price: Mapped[Decimal | None]
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    attributes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    item_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    exclude_item_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    rule: Mapped[str | None] = mapped_column(ForeignKey("recsys.filter_rules.name"))


class Scenario(FilterColumns, Base):
    """Controls of a list under a name; written by ``recsys_api.define_scenario``, which checks them."""

    __tablename__ = "scenarios"

    name: Mapped[str] = mapped_column(primary_key=True)
    method: Mapped[str | None]
    exclude_seen: Mapped[bool | None]
    diversity: Mapped[float | None]
    max_per_category: Mapped[int | None] = mapped_column(Integer)
    popularity_damping: Mapped[float | None]
    rotation: Mapped[float | None]
    rotation_half_life: Mapped[timedelta | None] = mapped_column(Interval)
    new_item_share: Mapped[float | None]
    updated_at: Mapped[datetime] = now()


class ScenarioBoost(FilterColumns, Base):
    """By which factor a scenario multiplies the scores of the items that pass a filter."""

    __tablename__ = "scenario_boosts"
    __table_args__ = (PrimaryKeyConstraint("scenario", "position"),)

    scenario: Mapped[str] = mapped_column(ForeignKey("recsys.scenarios.name", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(SmallInteger)
    factor: Mapped[float]


class ScenarioPin(Base):
    """Which item a scenario puts at which place of a list."""

    __tablename__ = "scenario_pins"
    __table_args__ = (
        PrimaryKeyConstraint("scenario", "place"),
        UniqueConstraint("scenario", "item_id", name="scenario_pins_scenario_item_id_key"),
        Index("scenario_pins_item_id_idx", "item_id"),
    )

    scenario: Mapped[str] = mapped_column(ForeignKey("recsys.scenarios.name", ondelete="CASCADE"))
    place: Mapped[int] = mapped_column(Integer)
    item_id: Mapped[int] = mapped_column(ForeignKey("recsys.items.id", ondelete="CASCADE"))


class Impression(Base):
    """When an item was shown to a user for the last time; written by ``recsys_api.record_impressions``."""

    __tablename__ = "impressions"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "item_id"),
        Index("impressions_item_id_idx", "item_id"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("recsys.users.id", ondelete="CASCADE"))
    item_id: Mapped[int] = mapped_column(ForeignKey("recsys.items.id", ondelete="CASCADE"))
    shown_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(Integer, server_default=text("1"))

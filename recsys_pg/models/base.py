"""What the models share: their base class and the type of a vector column."""

from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Dialect,
    Double,
    MetaData,
    Text,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from recsys_pg.config import DIMENSIONS

Embedding = npt.NDArray[np.float32]


class EmbeddingType(TypeDecorator[Embedding]):
    """A vector(384) column that gives numpy arrays, float32, whatever pgvector's own type gives."""

    impl = Vector(DIMENSIONS)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Embedding | None:
        """The array of shape (384,), or None."""
        return None if value is None else np.asarray(value, dtype=np.float32)


class Base(DeclarativeBase):
    """Declarative base of recsys_pg's own tables."""

    metadata = MetaData(
        schema="recsys",
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_name)s_key",
        },
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        int: BigInteger,
        float: Double,
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        UUID: Uuid,
    }


def now() -> Any:
    """A column that is filled with the time of the transaction."""
    return mapped_column(server_default=text("now()"))

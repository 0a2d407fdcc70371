"""The views of recsys_report for Python programs; BI tools read them directly."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.db import translated_errors


@dataclass(frozen=True)
class EmbeddingStatus:
    """A row of recsys_report.embedding_status."""

    model: str
    is_active: bool
    embedded: int
    pending: int
    failed: int
    oldest_pending_at: datetime | None
    oldest_pending_seconds: float | None
    is_standby: bool


@dataclass(frozen=True)
class CatalogueCoverage:
    """The row of recsys_report.catalogue_coverage."""

    items: int
    items_with_embedding: int
    items_with_neighbors: int
    items_with_positive_interactions: int
    items_by_popularity_only: int


@dataclass(frozen=True)
class ActiveModel:
    """A row of recsys_report.active_models, without its parameters and metrics."""

    purpose: str
    name: str
    revision: str
    created_at: datetime


@dataclass(frozen=True)
class FailedEmbedding:
    """A row of recsys_report.failed_embeddings."""

    item_id: int
    external_id: str | None
    title: str
    model: str
    attempts: int
    last_error: str | None
    failed_at: datetime


Row = TypeVar("Row", EmbeddingStatus, CatalogueCoverage, ActiveModel, FailedEmbedding)


class Reports:
    """What the report views say now."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def embedding_status(self) -> list[EmbeddingStatus]:
        """Vectors, waiting and failed jobs of every embedding model, the active one first."""
        return self._rows(EmbeddingStatus, "embedding_status order by is_active desc, model")

    def catalogue_coverage(self) -> CatalogueCoverage:
        """How much of the catalogue each source of recommendations can reach."""
        (row,) = self._rows(CatalogueCoverage, "catalogue_coverage")
        return row

    def active_models(self) -> list[ActiveModel]:
        """The models that recommendations are made with now."""
        return self._rows(ActiveModel, "active_models order by purpose")

    def failed_embeddings(self, limit: int = 100) -> list[FailedEmbedding]:
        """The latest dead letters."""
        return self._rows(
            FailedEmbedding, "failed_embeddings order by failed_at desc limit :limit", limit=limit
        )

    def _rows(self, row: type[Row], source: str, **parameters: int) -> list[Row]:
        columns = ", ".join(field.name for field in fields(row))
        statement = sa.text(f"select {columns} from recsys_report.{source}")
        with translated_errors():
            return [row(*values) for values in self._session.execute(statement, parameters)]

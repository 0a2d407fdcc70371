"""What is in the database, and how far the work on it is."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg.cli.table_health import Spoiler, TableHealth, find_spoilers, read_health
from recsys_pg.cli.versions import Versions, read_versions
from recsys_pg.reporting import ActiveModel, CatalogueCoverage, EmbeddingStatus, Reports
from recsys_pg.schema import head_revision


@dataclass(frozen=True)
class Counts:
    """Rows; users_with_taste is the number of users that can be compared with others."""

    items: int
    users: int
    users_with_taste: int
    interactions: int


@dataclass(frozen=True)
class Freshness:
    """When the item graph, popularity and tastes were last computed by training, and what happened since."""

    latest_interaction_at: datetime | None
    trained_at: datetime | None
    interactions_since_training: int | None


@dataclass(frozen=True)
class TableSize:
    """Bytes on disk, of which indexes."""

    table: str
    bytes: int
    index_bytes: int


@dataclass(frozen=True)
class Overview:
    """The state of a database; the lists are empty where there is nothing yet."""

    versions: Versions
    revision: str
    counts: Counts
    coverage: CatalogueCoverage
    embedding: list[EmbeddingStatus]
    models: list[ActiveModel]
    freshness: Freshness
    database_bytes: int
    tables: list[TableSize]
    updates: list[TableHealth]
    spoilers: list[Spoiler]


def read_overview(engine: sa.Engine) -> Overview:
    """The overview of a database whose schema is current; counts all rows, about a second for ten million."""
    with Session(engine) as session:
        reports = Reports(session)
        updates = read_health(session.connection())
        return Overview(
            versions=read_versions(session.connection()),
            revision=head_revision(),
            counts=Counts(*session.execute(_COUNTS).one()),
            coverage=reports.catalogue_coverage(),
            embedding=reports.embedding_status(),
            models=reports.active_models(),
            freshness=Freshness(*session.execute(_FRESHNESS).one()),
            database_bytes=session.scalars(_DATABASE_SIZE).one(),
            tables=[TableSize(*row) for row in session.execute(_TABLE_SIZES)],
            updates=updates,
            spoilers=find_spoilers(session.connection(), updates),
        )


_COUNTS = sa.text(
    "select (select count(*) from recsys.items),"
    " count(*), count(u.embedding),"
    " (select count(*) from recsys.interactions)"
    " from recsys.users u"
)
_FRESHNESS = sa.text(
    "select (select max(occurred_at) from recsys.interactions), m.created_at,"
    " (select count(*) from recsys.interactions i where i.occurred_at > m.created_at)"
    " from (select max(created_at) as created_at from recsys.models"
    "       where purpose = 'collaborative' and is_active) m"
)
_DATABASE_SIZE = sa.text("select pg_database_size(current_database())")
_TABLE_SIZES = sa.text(
    "select c.relname::text, pg_total_relation_size(c.oid), pg_indexes_size(c.oid)"
    " from pg_class c where c.relnamespace = 'recsys'::regnamespace and c.relkind = 'r'"
    " order by 2 desc, 1"
)

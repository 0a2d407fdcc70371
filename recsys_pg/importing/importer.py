"""A data set into the database: all of it checked, then written."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

from recsys_pg import schema
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.deferred_index import built_last
from recsys_pg.importing.dataset import Dataset
from recsys_pg.importing.entities import ITEMS, USERS, Written, stage_entities, write_entities
from recsys_pg.importing.interactions import Recorded, stage_interactions, write_interactions
from recsys_pg.importing.missing import check_missing, deactivate
from recsys_pg.importing.source import InvalidLine
from recsys_pg.importing.staging import Staging
from recsys_pg.types import Progress, unheard

_LOCK_KEY = 0x696D7074


@dataclass(frozen=True)
class ImportReport:
    """What an import did; ``skipped`` lists the first hundred of the ``skipped_count`` lines left out."""

    items_inserted: int
    items_updated: int
    items_deactivated: int
    users_inserted: int
    users_updated: int
    interactions_inserted: int
    duplicates: int
    skipped_count: int
    skipped: tuple[InvalidLine, ...]
    seconds: float


def import_dataset(
    engine: sa.Engine,
    dataset: Dataset,
    *,
    skip_invalid: bool = False,
    deactivate_missing: float | None = None,
    progress: Progress = unheard,
) -> ImportReport:
    """Import items, users and interactions; after an error in a file, nothing.

    Items and users are inserted, or updated where they differ, by their id or external_id; users that only
    occur in interactions are registered. What was recorded before counts as a duplicate, so an import can
    be repeated. Popularity is refreshed at the end. Records are streamed: memory does not grow with the
    files. A database runs one import at a time; applications go on reading and writing meanwhile.

    All files are read and checked before anything is written. Items and users are written some thousand a
    transaction; an import that is killed then leaves those that it had written, and repeated does the rest.
    Of a first load of many items with embeddings, the vector index is built in the end: see `built_last`.

    With ``skip_invalid``, lines that hold no valid record are left out and reported. With
    ``deactivate_missing``, items that the source of items lacks become out of stock: no more than that share
    of all, since a file may have been cut off.

    Raises:
        InvalidRecordError: a line holds no valid record; says the file, the line, the value and the remedy.
        InvalidArgumentError: a file cannot be read; or more items would be deactivated than is allowed.
        SchemaNotReadyError, DatabaseUnavailableError, ReadOnlyDatabaseError, PermissionDeniedError: as
            their names say.
    """
    started = time.perf_counter()
    items, users, recorded, deactivated = Written(), Written(), Recorded(), 0
    with translated_errors(), _connected(engine) as connection:
        staging = Staging(connection, skip_invalid, progress)
        with connection.transaction():
            # who may not write learns it before files are read
            connection.execute("lock table recsys.interactions in share update exclusive mode")
        # not in one transaction: a long one would keep updates of others from staying cheap (HOT)
        staged_items = stage_entities(staging, ITEMS, dataset.items) if dataset.items else None
        staged_users = stage_entities(staging, USERS, dataset.users) if dataset.users else None
        staged_interactions = (
            stage_interactions(staging, dataset.interactions, with_items=staged_items is not None)
            if dataset.interactions
            else None
        )
        if deactivate_missing is not None:
            check_missing(connection, staged_items, deactivate_missing)
        if staged_items:
            vectors = staged_items.count if "embedding" in staged_items.columns else 0
            with built_last(engine, vectors, progress):
                items = write_entities(staging, staged_items)
            if deactivate_missing is not None:
                deactivated = deactivate(connection)
        if staged_users:
            users = write_entities(staging, staged_users)
        if staged_interactions:
            recorded = write_interactions(staging, staged_interactions)
        if recorded.inserted:
            staging.report("counting popularity", 0, None)
            connection.execute("select recsys_api.refresh_popularity()")
            connection.execute("analyze recsys.users, recsys.interactions, recsys.item_popularity")
    return ImportReport(
        items_inserted=items.inserted,
        items_updated=items.updated,
        items_deactivated=deactivated,
        users_inserted=users.inserted + recorded.users_inserted,
        users_updated=users.updated,
        interactions_inserted=recorded.inserted,
        duplicates=recorded.duplicates,
        skipped_count=staging.refused_count,
        skipped=tuple(staging.refused),
        seconds=time.perf_counter() - started,
    )


@contextmanager
def _connected(engine: sa.Engine) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode, alone with its lock on imports; it ends with its temporary tables."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        schema.require_schema(connection)
        driver = driver_connection(connection)
        try:
            driver.execute("select pg_advisory_lock(%s)", (_LOCK_KEY,))
            yield driver
        finally:
            driver.close()
            connection.invalidate()

"""A data set into the database, in one transaction."""

import time
from dataclasses import dataclass

import sqlalchemy as sa

from recsys_pg import schema
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.importing.dataset import Dataset
from recsys_pg.importing.entities import ITEMS, USERS, Written, write_entities
from recsys_pg.importing.interactions import Recorded, write_interactions
from recsys_pg.importing.source import InvalidLine
from recsys_pg.importing.staging import Staging
from recsys_pg.types import Progress


@dataclass(frozen=True)
class ImportReport:
    """What an import did; ``skipped`` lists the first hundred of the ``skipped_count`` lines left out."""

    items_inserted: int
    items_updated: int
    users_inserted: int
    users_updated: int
    interactions_inserted: int
    duplicates: int
    skipped_count: int
    skipped: tuple[InvalidLine, ...]
    seconds: float


def import_dataset(
    engine: sa.Engine, dataset: Dataset, *, skip_invalid: bool = False, progress: Progress | None = None
) -> ImportReport:
    """Import items, users and interactions: everything, or after an error nothing.

    Items and users are inserted, or updated where they differ, by their id or external_id; users that only
    occur in interactions are registered. What was recorded before counts as a duplicate, so an import can
    be repeated. Popularity is refreshed at the end. Records are streamed: memory does not grow with the
    files. A database runs one import at a time; applications go on reading and writing meanwhile.

    With ``skip_invalid``, lines that hold no valid record are left out and reported.

    Raises:
        InvalidRecordError: a line holds no valid record; says the file, the line, the value and the remedy.
        InvalidArgumentError: a file cannot be read.
        SchemaNotReadyError, DatabaseUnavailableError, ReadOnlyDatabaseError, PermissionDeniedError: as
            their names say.
    """
    started = time.perf_counter()
    items, users, recorded = Written(), Written(), Recorded()
    with translated_errors(), engine.begin() as transaction:
        schema.require_schema(transaction)
        connection = driver_connection(transaction)
        # keeps other imports and vacuum out, not applications; a read-only database refuses it at once
        connection.execute("lock table recsys.interactions in share update exclusive mode")
        staging = Staging(connection, skip_invalid, progress)
        if dataset.items is not None:
            items = write_entities(staging, ITEMS, dataset.items)
        if dataset.users is not None:
            users = write_entities(staging, USERS, dataset.users)
        if dataset.interactions is not None:
            recorded = write_interactions(staging, dataset.interactions)
        if recorded.inserted:
            staging.report("counting popularity", 0, None)
            connection.execute("select recsys_api.refresh_popularity()")
            connection.execute("analyze recsys.users, recsys.interactions, recsys.item_popularity")
    return ImportReport(
        items_inserted=items.inserted,
        items_updated=items.updated,
        users_inserted=users.inserted + recorded.users_inserted,
        users_updated=users.updated,
        interactions_inserted=recorded.inserted,
        duplicates=recorded.duplicates,
        skipped_count=staging.refused_count,
        skipped=tuple(staging.refused),
        seconds=time.perf_counter() - started,
    )

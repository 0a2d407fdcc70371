"""Everything that a training reads from the database."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from recsys_pg.collaborative.active import ActiveFactors, ActiveModel, find_active, read_active
from recsys_pg.collaborative.checkpoints import Checkpoints, digest
from recsys_pg.collaborative.items import read_embeddings, read_features
from recsys_pg.collaborative.log import InteractionLog, read_interactions
from recsys_pg.collaborative.memory import MAPPED_ITEMS
from recsys_pg.collaborative.operators.operator import Halves
from recsys_pg.db import driver_connection
from recsys_pg.types import Progress

_NOW = "select (extract(epoch from now() - timestamptz '2000-01-01 00:00+00') * 1000000)::bigint"
_EMBEDDING_MODEL = "select id from recsys.models where purpose = 'embedding' and is_active"
_LAST_ID = (
    "select coalesce(max(id), 0), pg_snapshot_xmax(pg_current_snapshot())::text from recsys.interactions"
)
_SETTLED = "select pg_snapshot_xmin(pg_current_snapshot()) >= cast(:newest as xid8)"
_PATIENCE, _PAUSE_SECONDS = 20, 0.1
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class TrainingMaterial:
    """What is read for a training.

    embeddings are those of the items of the log. features are those of the items at the positions described,
    (n,) ascending: of all, or of so many that are drawn as suffice to learn the map from content to factors.
    read_at is the time, in µs since 2000-01-01 UTC.
    """

    log: InteractionLog
    embeddings: Halves
    described: npt.NDArray[np.intp]
    features: Sequence[Collection[str]]
    active: ActiveModel | None
    read_at: int
    embedding_model_id: int | None

    def described_by(self, most: int, seed: int) -> "TrainingMaterial":
        """The same with so many items described at most; more are drawn."""
        if len(self.described) <= most:
            return self
        kept = np.sort(np.random.default_rng(seed).choice(len(self.described), most, replace=False))
        return replace(
            self, described=self.described[kept], features=[self.features[place] for place in kept]
        )


def read_material(
    connection: sa.Connection, checkpoints: Checkpoints, *, seed: int, progress: Progress
) -> TrainingMaterial:
    """Read what there is to learn from; with checkpoints, what there was when they were begun."""
    last_id = checkpoints.last_id()
    if last_id is not None:
        log = read_interactions(connection, progress, last_id=last_id)
        origin = digest(log.arrays())
        if not checkpoints.has(origin):
            last_id = None  # something that was read then is different now
    if last_id is None:
        last_id = _settled_last_id(connection) if checkpoints.are_kept else _LARGEST_ID
        log = read_interactions(connection, progress, last_id=last_id)
        origin = digest(log.arrays())
    checkpoints.begin(origin, last_id)
    liked = log.liked_only()
    described = np.arange(len(liked.item_ids))
    if len(described) > MAPPED_ITEMS:
        described = np.sort(np.random.default_rng(seed).choice(described, MAPPED_ITEMS, replace=False))
    return TrainingMaterial(
        liked,
        read_embeddings(connection, liked.item_ids, progress),
        described,
        read_features(connection, liked.item_ids[described], progress),
        find_active(driver_connection(connection)) if len(liked) else None,
        int(connection.scalar(sa.text(_NOW)) or 0),
        connection.scalar(sa.text(_EMBEDDING_MODEL)),
    )


def _settled_last_id(connection: sa.Connection) -> int:
    """The id of the last interaction, after all transactions that might still commit earlier ones have ended.

    Or after two seconds: then a training that goes on from checkpoints may find more than there was, and
    start anew.
    """
    last_id, newest = connection.execute(sa.text(_LAST_ID)).one()
    for _ in range(_PATIENCE):
        if connection.scalar(sa.text(_SETTLED), {"newest": newest}):
            break
        time.sleep(_PAUSE_SECONDS)
    return int(last_id)


def read_factors_of(
    connection: sa.Connection,
    active: ActiveModel,
    log: InteractionLog,
    progress: Progress,
    known: npt.NDArray[np.intp],
) -> ActiveFactors:
    """The active model, in a transaction of its own; see `read_active`."""
    with connection.begin():
        return read_active(driver_connection(connection), active, log.item_ids, known, progress)

"""The active model, read back from the database: what a new one has to be compared with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from scipy.sparse import coo_array, csr_array

from recsys_pg.collaborative.copying import copied_rows, known_places
from recsys_pg.collaborative.factors import Factors, TimeScale
from recsys_pg.collaborative.operators.operator import Sparse
from recsys_pg.collaborative.partitions import partition
from recsys_pg.collaborative.served import ServedFactors, row_type
from recsys_pg.types import Progress


@dataclass(frozen=True)
class ActiveModel:
    """The factors of a model for the items of a log; zeros for those that it does not know.

    until is the time of the last interaction that it was learned from, in µs since 2000-01-01 UTC.
    """

    model_id: int
    factors: Factors
    until: int


def read_active(
    connection: psycopg.Connection[Any], item_ids: npt.NDArray[np.int64], progress: Progress
) -> ActiveModel | None:
    """The active model; None when there is none, or it has no factors.

    Args:
        connection: to the database.
        item_ids: (n_items,) ascending.
        progress: called in each step.
    """
    row = connection.execute(
        "select id, decays, (parameters ->> 'until')::bigint from recsys.models"
        " where purpose = 'collaborative' and is_active and decays is not null"
    ).fetchone()
    if row is None or row[2] is None:
        return None
    model_id, decays, until = row
    statement = sql.SQL(
        "copy (select model_id, item_id, target, history, is_learned from {}) to stdout (format binary)"
    )
    ids, parts = [], []
    for rows in copied_rows(
        connection, statement.format(partition("item_factors", model_id)), row_type(len(decays))
    ):
        chosen, positions = known_places(rows["item_id"]["value"].astype(np.int64), item_ids)
        ids.append(positions)
        parts.append(rows[chosen])
        progress("read active model", sum(map(len, ids)), None)
    if not ids:
        return None
    served = ServedFactors.of_rows(np.concatenate(parts), np.concatenate(ids), len(item_ids))
    residuals = _read_residuals(connection, model_id, item_ids, len(decays))
    scales = tuple(
        TimeScale(decay, history.astype(np.float32), residual)
        for decay, history, residual in zip(decays, served.histories, residuals, strict=True)
    )
    return ActiveModel(model_id, Factors(served.targets.astype(np.float32), scales), until)


def _read_residuals(
    connection: psycopg.Connection[Any], model_id: int, item_ids: npt.NDArray[np.int64], scales: int
) -> list[Sparse]:
    type_ = np.dtype(
        [
            ("fields", ">i2"),
            ("item_length", ">i4"),
            ("item_id", ">i8"),
            ("scale_length", ">i4"),
            ("scale", ">i2"),
            ("neighbor_length", ">i4"),
            ("neighbor_id", ">i8"),
            ("weight_length", ">i4"),
            ("weight", ">f4"),
        ]
    )
    statement = sql.SQL(
        "copy (select r.item_id, r.scale, e.neighbor_id, e.weight from {} r"
        " cross join unnest(r.neighbor_ids, r.weights) e (neighbor_id, weight)) to stdout (format binary)"
    ).format(partition("item_residuals", model_id))
    shape = (len(item_ids), len(item_ids))
    residuals: list[Sparse] = [csr_array(coo_array(shape, dtype=np.float32)) for _ in range(scales)]
    for rows in copied_rows(connection, statement, type_):
        has_item, item = known_places(rows["item_id"].astype(np.int64), item_ids)
        has_both, neighbor = known_places(rows["neighbor_id"].astype(np.int64)[has_item], item_ids)
        known = rows[has_item][has_both]
        for scale in range(scales):
            of_scale = known["scale"] == scale + 1
            entries = (
                known["weight"][of_scale].astype(np.float32),
                (item[has_both][of_scale], neighbor[of_scale]),
            )
            residuals[scale] = csr_array(residuals[scale] + csr_array(entries, shape=shape))
    return residuals

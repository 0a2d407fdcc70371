"""The item graph in the database: written beside the old one, and switched to in the same transaction."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from scipy.sparse import csr_array
from sqlalchemy.dialects.postgresql import ARRAY

from recsys_pg.db import driver_connection
from recsys_pg.models import Item, Model
from recsys_pg.repositories import copy_rows
from recsys_pg.types import Progress


def write_graph(
    connection: sa.Connection,
    graph: csr_array[np.float32],
    item_ids: npt.NDArray[np.int64],
    *,
    algorithm: str,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, Any],
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Write the graph under a new row of recsys.models and make that the active one.

    The model that was active stays, inactive, as the way back; older ones are deleted with their rows. Items
    that were deleted since the interactions were read are left out, as are items without neighbors. To be
    called in a transaction, which readers do not notice before it commits.

    Args:
        graph: (n_items, n_items); row i is what having liked item_ids[i] adds to the others' scores.

    Returns:
        The id of the model, and the number of rows of recsys.item_neighbors.
    """
    driver = driver_connection(connection)
    trained = Model.purpose == "neighbors"
    # what exists now cannot be deleted before this transaction ends; price and stock may still change
    existing = connection.scalars(
        sa.select(Item.id)
        .where(Item.id == sa.any_(sa.bindparam("item_ids", item_ids.tolist(), ARRAY(sa.BigInteger))))
        .with_for_update(key_share=True, read=True)
    )
    kept = np.isin(item_ids, np.fromiter(existing, dtype=np.int64))

    previous = sa.select(Model.id).where(trained).order_by(Model.is_active.desc(), Model.id.desc()).limit(1)
    connection.execute(sa.delete(Model).where(trained, Model.id.not_in(previous)))
    model_id = connection.execute(
        sa.insert(Model).returning(Model.id),
        {
            "purpose": "neighbors",
            "name": algorithm,
            "revision": datetime.now(UTC).isoformat(),
            "parameters": dict(parameters),
            "metrics": dict(metrics),
        },
    ).scalar_one()
    written = copy_rows(
        driver,
        "recsys.item_neighbors",
        ("model_id", "item_id", "neighbor_ids", "weights"),
        ("int8", "int8", "int8[]", "float4[]"),
        _rows(model_id, graph, item_ids, kept, progress),
    )
    connection.execute(sa.update(Model).where(trained, Model.is_active).values(is_active=False))
    connection.execute(sa.update(Model).where(Model.id == model_id).values(is_active=True))
    return model_id, written


def _rows(
    model_id: int,
    graph: csr_array[np.float32],
    item_ids: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    progress: Progress | None,
) -> Iterator[tuple[int, int, list[int], list[float]]]:
    for row, item_id in enumerate(item_ids.tolist()):
        edges = slice(graph.indptr[row], graph.indptr[row + 1])
        strongest_first = np.argsort(-np.abs(graph.data[edges]), kind="stable")
        columns = graph.indices[edges][strongest_first]
        present = kept[columns]
        if kept[row] and present.any():
            yield (
                model_id,
                item_id,
                item_ids[columns[present]].tolist(),
                graph.data[edges][strongest_first][present].tolist(),
            )
        done = row + 1
        if progress and (done % 1000 == 0 or done == len(item_ids)):
            progress("write item graph", done, len(item_ids))

"""A trained model in the database: written and indexed beside the active one, and switched to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql
from scipy.sparse import csr_array

from recsys_pg.collaborative.content_map import ContentMap
from recsys_pg.collaborative.partitions import (
    Connection,
    add_foreign_keys,
    attach_statements,
    create_partitions,
    drop_partitions,
    index_partitions,
    partition,
    partitioned_models,
    patiently,
)
from recsys_pg.collaborative.served import ServedFactors
from recsys_pg.config import DIMENSIONS
from recsys_pg.repositories import copy_rows
from recsys_pg.types import Progress

_MEMORY_MB_A_ITEM = 0.0013
"""maintenance_work_mem that a vector index of halfvec(384) needs."""
_LEAST_MEMORY_MB, _MOST_MEMORY_MB = 64, 2048


def write_model(
    connection: Connection,
    graph: csr_array[np.float32],
    factors: ServedFactors,
    residuals: Sequence[csr_array[np.float32]],
    decays: Sequence[float],
    content: ContentMap | None,
    item_ids: npt.NDArray[np.int64],
    *,
    algorithm: str,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, Any],
    progress: Progress,
) -> tuple[int, int]:
    """Write a model beside the active one; readers notice nothing.

    Items that were deleted since the interactions were read are left out. What a training that was killed has
    left behind is removed first.

    Args:
        connection: of the owner, in autocommit.
        graph: (n_items, n_items); row i is what having liked item_ids[i] adds to the others' scores.
        factors: of the same items, as they are served.
        residuals: (n_items, n_items) a time scale, whose decays are given.
        content: the map to (383 + 384 · scales) served factors, if one was learned.
        item_ids: (n_items,) ascending.

    Returns:
        The id of the model, and the number of rows of recsys.item_neighbors.
    """
    drop_unused(connection)
    kept = np.isin(item_ids, np.fromiter(_existing(connection), dtype=np.int64))
    chosen = np.flatnonzero(kept)
    with connection.transaction():
        row = connection.execute(
            "insert into recsys.models (purpose, name, revision, parameters, metrics, decays)"
            " values ('collaborative', %s, %s, %s, %s, %s) returning id",
            (algorithm, datetime.now(UTC).isoformat(), json.dumps(parameters), json.dumps(metrics), list(decays)),
        ).fetchone()
        assert row is not None  # noqa: S101
        (model_id,) = row
        create_partitions(connection, model_id)
        _write_factors(connection, model_id, factors, item_ids, chosen, progress)
        if content is not None:
            _write_content_map(connection, model_id, content, 1 + len(decays))
        for scale, residual in enumerate(residuals, start=1):
            copy_rows(
                connection,
                f"recsys.item_residuals_{model_id}",
                ("model_id", "item_id", "scale", "neighbor_ids", "weights"),
                ("int8", "int8", "int2", "int8[]", "float4[]"),
                (
                    (model_id, item_id, scale, neighbors, weights)
                    for item_id, neighbors, weights in _edges(
                        residual, item_ids, kept, f"write residuals {scale}", progress
                    )
                ),
            )
        written = copy_rows(
            connection,
            "recsys.item_neighbors",
            ("model_id", "item_id", "neighbor_ids", "weights"),
            ("int8", "int8", "int8[]", "float4[]"),
            ((model_id, *edges) for edges in _edges(graph, item_ids, kept, "write item graph", progress)),
        )
    progress("index factors", 0, None)
    memory_mb = int(min(_MOST_MEMORY_MB, max(_LEAST_MEMORY_MB, _MEMORY_MB_A_ITEM * len(chosen))))
    index_partitions(connection, model_id, memory_mb)
    add_foreign_keys(connection, model_id)
    return model_id, written


def activate(connection: Connection, model_id: int) -> None:
    """Switch to a model in one transaction."""
    patiently(
        connection,
        *attach_statements(model_id),
        sql.SQL("update recsys.models set is_active = false where purpose = 'collaborative' and is_active"),
        sql.SQL("update recsys.models set is_active = true, activated_at = now() where id = {}").format(
            sql.Literal(model_id)
        ),
    )


def drop_unused(connection: Connection) -> None:
    """Remove the models that are neither active nor the last one that was, with all that belongs to them."""
    rows = connection.execute(
        "select id, is_active or activated_at is not null from recsys.models where purpose = 'collaborative'"
        " order by is_active desc, activated_at desc nulls last, id desc"
    ).fetchall()
    used = [model_id for model_id, was_used in rows if was_used][:2]
    for model_id in partitioned_models(connection) - set(used):
        drop_partitions(connection, model_id)
    connection.execute(
        "delete from recsys.models where purpose = 'collaborative' and id <> all (%s)", (used,)
    )


def _existing(connection: Connection) -> Iterator[int]:
    with connection.cursor() as cursor, cursor.copy("copy (select id from recsys.items) to stdout") as copy:
        for (item_id,) in copy.rows():
            yield int(item_id)


def _write_factors(
    connection: Connection,
    model_id: int,
    served: ServedFactors,
    item_ids: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.intp],
    progress: Progress,
) -> None:
    row = connection.execute(
        "select t.oid from pg_type t join pg_extension e on e.extnamespace = t.typnamespace"
        " where e.extname = 'vector' and t.typname = 'halfvec'"
    ).fetchone()
    assert row is not None  # noqa: S101
    statement = sql.SQL(
        "copy {} (model_id, item_id, target, history, is_learned) from stdin (format binary)"
    ).format(partition("item_factors", model_id))
    done = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in served.copy_blocks(model_id, item_ids, chosen, row[0]):
            copy.write(block)
            progress("write factors", min(len(chosen), done), len(chosen))
            done += 1000


def _write_content_map(connection: Connection, model_id: int, content: ContentMap, parts: int) -> None:
    bias = -(content.mean @ content.text)
    copy_rows(
        connection,
        "recsys.content_maps",
        ("model_id", "part", "dimension", "weights", "bias"),
        ("int8", "int2", "int2", "vector", "float4"),
        (
            (model_id, column // DIMENSIONS, column % DIMENSIONS, content.text[:, column], float(bias[column]))
            for column in range(parts * DIMENSIONS)
        ),
    )
    copy_rows(
        connection,
        "recsys.content_features",
        ("model_id", "feature", "part", "factors"),
        ("int8", "text", "int2", "vector"),
        (
            (model_id, feature, part, factors[part * DIMENSIONS : (part + 1) * DIMENSIONS])
            for feature, factors in content.fields.items()
            for part in range(parts)
        ),
    )


def _edges(
    graph: csr_array[np.float32],
    item_ids: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    phase: str,
    progress: Progress,
) -> Iterator[tuple[int, list[int], list[float]]]:
    """Of each kept item that has edges to kept ones: its id, theirs and the weights, the strongest first."""
    for row, item_id in enumerate(item_ids.tolist()):
        edges = slice(graph.indptr[row], graph.indptr[row + 1])
        strongest_first = np.argsort(-np.abs(graph.data[edges]), kind="stable")
        columns = graph.indices[edges][strongest_first]
        present = kept[columns]
        if kept[row] and present.any():
            yield (
                item_id,
                item_ids[columns[present]].tolist(),
                graph.data[edges][strongest_first][present].tolist(),
            )
        done = row + 1
        if done % 1000 == 0 or done == len(item_ids):
            progress(phase, done, len(item_ids))

"""A trained model in the database: written and indexed beside the active one, and switched to."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import sql
from psycopg.types import TypeInfo
from scipy.sparse import csr_array

from recsys_pg.collaborative.content_map import ContentMap
from recsys_pg.collaborative.edges import copy_blocks
from recsys_pg.collaborative.items import read_content, read_ids
from recsys_pg.collaborative.length_classes import classify_lengths
from recsys_pg.collaborative.partitions import (
    Connection,
    attach_partitions,
    create_partitions,
    drop_partitions,
    index_partitions,
    partition,
    partitioned_models,
)
from recsys_pg.collaborative.served import ROWS_A_BLOCK, ServedFactors
from recsys_pg.config import DIMENSIONS
from recsys_pg.db import vector_schema
from recsys_pg.repositories import copy_rows
from recsys_pg.types import Progress
from recsys_pg.watching import watched


@dataclass(frozen=True)
class Trained:
    """What is stored of a model, all of it for the items of item_ids, (n_items,), ascending.

    graph is (n_items, n_items); row i is what having liked item i adds to the others' scores. factors, with a
    residual (n_items, n_items) and a decay for each of its time scales, and the map from content to these
    factors are left out where they could not be learned.
    """

    item_ids: npt.NDArray[np.int64]
    graph: csr_array[np.float32]
    factors: ServedFactors | None
    residuals: Sequence[csr_array[np.float32]]
    decays: Sequence[float]
    content: ContentMap | None


def write_model(
    connection: Connection,
    trained: Trained,
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
        trained: the model.
        algorithm: of the graph.
        parameters, metrics: to show.
        progress: called in each step.

    Returns:
        The id of the model, and the number of rows of recsys.item_neighbors.
    """
    drop_unused(connection)
    item_ids = trained.item_ids
    existing = read_ids(connection)
    kept = np.isin(item_ids, existing)
    mean = trained.factors.mean if trained.factors else None
    with connection.transaction():
        row = connection.execute(
            "insert into recsys.models"
            " (purpose, name, revision, parameters, metrics, decays, mean_query, fade)"
            " values ('collaborative', %s, %s, %s, %s, %s, %s::real[], %s) returning id",
            (
                algorithm,
                datetime.now(UTC).isoformat(),
                json.dumps(parameters),
                json.dumps(metrics),
                list(trained.decays) or None,
                mean.query.tolist() if mean else None,
                mean.fade if mean else None,
            ),
        ).fetchone()
        assert row is not None  # noqa: S101
        (model_id,) = row
        if trained.factors is not None:
            create_partitions(connection, model_id)
            progress("write factors", 0, None)
            _copy_factors(
                connection,
                model_id,
                trained.factors,
                item_ids,
                # so the long ones lie together, which are compared for most recommendations
                trained.factors.longest_first(np.flatnonzero(kept)),
                is_learned=True,
                progress=progress,
            )
            if trained.content is not None:
                new = np.setdiff1d(existing, item_ids)
                _write_new_factors(connection, model_id, trained.content, new, progress)
            _write_residuals(connection, model_id, trained, kept, progress)
        if trained.content is not None:
            _write_content_map(connection, model_id, trained.content, 1 + len(trained.decays))
        written = _write_graph(connection, model_id, trained, kept, progress)
    if trained.factors is not None:
        watched(connection, "index factors", lambda: index_partitions(connection, model_id), progress)
        classify_lengths(connection, model_id)
        attach_partitions(connection, model_id)
    return model_id, written


def activate(connection: Connection, model_id: int) -> None:
    """Switch to a model in one transaction, after the items that it has not seen got their factors."""
    connection.execute("select recsys_api._activate_model(%s)", (model_id,))
    # those that were embedded meanwhile got factors of the model before
    connection.execute("select recsys_api.refresh_item_factors()")


def drop_unused(connection: Connection, but: int | None = None) -> None:
    """Remove the models but the active one, the one that was before, and the given one. In autocommit."""
    rows = connection.execute(
        "select id, is_active or activated_at is not null from recsys.models where purpose = 'collaborative'"
        " order by is_active desc, activated_at desc nulls last, id desc"
    ).fetchall()
    used = [model_id for model_id, was_used in rows if was_used][:2]
    if but is not None:
        used.append(but)
    for model_id in partitioned_models(connection) - set(used):
        drop_partitions(connection, model_id)
    connection.execute(
        "delete from recsys.models where purpose = 'collaborative' and id <> all (%s)", (used,)
    )


def _write_new_factors(
    connection: Connection,
    model_id: int,
    content: ContentMap,
    item_ids: npt.NDArray[np.int64],
    progress: Progress,
) -> None:
    """Write the factors of other items, which follow from their content."""
    done = 0
    for part in read_content(connection, item_ids):
        parts = content.factors(part.embeddings, part.features)
        told = np.flatnonzero(parts.any(axis=1))
        served = ServedFactors.of_parts(parts)
        _copy_factors(connection, model_id, served, part.ids, told, is_learned=False, progress=progress)
        done += len(part.ids)
        progress("write new items", done, len(item_ids))


def _copy_factors(
    connection: Connection,
    model_id: int,
    served: ServedFactors,
    item_ids: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.intp],
    *,
    is_learned: bool,
    progress: Progress,
) -> None:
    halfvec = TypeInfo.fetch(connection, f"{vector_schema(connection)}.halfvec")
    assert halfvec is not None  # noqa: S101
    statement = sql.SQL(
        "copy {} (model_id, item_id, target, history, is_learned) from stdin (format binary)"
    ).format(partition("item_factors", model_id))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for number, block in enumerate(
            served.copy_blocks(model_id, item_ids, chosen, halfvec.oid, is_learned=is_learned)
        ):
            copy.write(block)
            if is_learned:
                progress("write factors", min(number * ROWS_A_BLOCK, len(chosen)), len(chosen))


def _write_residuals(
    connection: Connection, model_id: int, trained: Trained, kept: npt.NDArray[np.bool_], progress: Progress
) -> None:
    for scale, residual in enumerate(trained.residuals, start=1):
        _copy_edges(
            connection,
            partition("item_residuals", model_id),
            residual,
            (trained.item_ids, kept),
            model_id=model_id,
            scale=scale,
            progress=partial(progress, f"write residuals {scale}"),
        )


def _write_graph(
    connection: Connection, model_id: int, trained: Trained, kept: npt.NDArray[np.bool_], progress: Progress
) -> int:
    """Write the item graph, without items that were deleted meanwhile, and return how many rows that are."""
    staged = sql.Identifier("staged_neighbors")
    connection.execute(
        sql.SQL("create temporary table {} (like recsys.item_neighbors) on commit drop").format(staged)
    )
    _copy_edges(
        connection,
        staged,
        trained.graph,
        (trained.item_ids, kept),
        model_id=model_id,
        progress=partial(progress, "write item graph"),
    )
    # the locks are those that the foreign key takes as well
    return connection.execute(
        sql.SQL(
            "insert into recsys.item_neighbors (model_id, item_id, neighbor_ids, weights)"
            " select s.model_id, s.item_id, s.neighbor_ids, s.weights"
            " from {} s join recsys.items i on i.id = s.item_id for key share of i"
        ).format(staged)
    ).rowcount


def _write_content_map(connection: Connection, model_id: int, content: ContentMap, parts: int) -> None:
    bias = -(content.mean @ content.text)
    copy_rows(
        connection,
        "recsys.content_maps",
        ("model_id", "part", "dimension", "weights", "bias"),
        ("int8", "int2", "int2", "vector", "float4"),
        (
            (
                model_id,
                column // DIMENSIONS,
                column % DIMENSIONS,
                content.text[:, column],
                float(bias[column]),
            )
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


def _copy_edges(
    connection: Connection,
    table: sql.Identifier,
    graph: csr_array[np.float32],
    items: tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]],
    *,
    model_id: int,
    scale: int | None = None,
    progress: Callable[[int, int], None],
) -> None:
    """Write the edges between the items that are kept."""
    columns = ["model_id", "item_id", *([] if scale is None else ["scale"]), "neighbor_ids", "weights"]
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block, done in copy_blocks(graph, *items, model_id=model_id, scale=scale):
            copy.write(block)
            progress(done, len(items[0]))

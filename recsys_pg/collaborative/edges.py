"""A graph of items in PostgreSQL's binary COPY format, a row an item with all that it points to."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.copying import HEADER, TRAILER

_INT8, _FLOAT4 = 20, 700
"""Object ids of these types, the same in every database."""

_ROWS = 10_000


def copy_blocks(
    graph: csr_array[np.float32],
    item_ids: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    *,
    model_id: int,
    scale: int | None = None,
) -> Iterator[tuple[bytes, int]]:
    """Some rows at a time: their bytes, and how many rows of the graph are done.

    A row is model_id, item_id, the scale if there is one, ids of neighbors (int8[]) and weights (float4[]),
    the strongest first. Those with as many neighbors have the same length and are filled in as arrays: a
    million rows of 200 neighbors take half a minute.

    Args:
        graph: (n_items, n_items).
        item_ids: (n_items,), which ids rows and columns have.
        kept: (n_items,), whether an item still exists; the others are left out, and items without edges.
        model_id: in every row.
        scale: in every row; None is a table without.
    """
    yield HEADER, 0
    for start in range(0, len(item_ids), _ROWS):
        stop = min(start + _ROWS, len(item_ids))
        edges = slice(graph.indptr[start], graph.indptr[stop])
        owners = np.repeat(np.arange(stop - start), np.diff(graph.indptr[start : stop + 1]))
        present = kept[graph.indices[edges]] & kept[start + owners]
        owners = owners[present]
        columns, weights = graph.indices[edges][present], graph.data[edges][present]
        lengths = np.bincount(owners, minlength=stop - start)
        firsts = np.cumsum(lengths) - lengths
        blocks = []
        for length in np.unique(lengths[lengths > 0]):
            rows = np.flatnonzero(lengths == length)
            places = firsts[rows, None] + np.arange(length)
            order = np.argsort(-np.abs(weights[places]), axis=1, kind="stable")
            places = np.take_along_axis(places, order, axis=1)
            filled = _rows(len(rows), length, model_id, scale)
            filled["item_id"]["value"] = item_ids[start + rows]
            filled["neighbor_ids"]["values"]["value"] = item_ids[columns[places]]
            filled["weights"]["values"]["value"] = weights[places]
            blocks.append(filled.tobytes())
        yield b"".join(blocks), stop
    yield TRAILER, len(item_ids)


def _rows(count: int, length: int, model_id: int, scale: int | None) -> npt.NDArray[np.void]:
    """Rows with so many neighbors each, all but the item and the neighbors filled in."""
    numbers = [("model_id", ">i8"), ("item_id", ">i8"), *([] if scale is None else [("scale", ">i2")])]
    arrays = [("neighbor_ids", ">i8", _INT8), ("weights", ">f4", _FLOAT4)]
    rows = np.zeros(
        count,
        [
            ("fields", ">i2"),
            *((name, _value(value)) for name, value in numbers),
            *((name, _array(value, length)) for name, value, _ in arrays),
        ],
    )
    rows["fields"] = len(numbers) + len(arrays)
    for name, value in numbers:
        rows[name]["length"] = np.dtype(value).itemsize
    rows["model_id"]["value"] = model_id
    if scale is not None:
        rows["scale"]["value"] = scale
    for name, value, oid in arrays:
        field = rows[name]
        field["length"] = field.dtype.itemsize - 4
        field["dimensions"], field["element_type"] = 1, oid
        field["elements"], field["lower_bound"] = length, 1
        field["values"]["length"] = np.dtype(value).itemsize
    return rows


def _value(value: str) -> list[tuple[str, str]]:
    return [("length", ">i4"), ("value", value)]


def _array(value: str, length: int) -> list[Any]:
    numbers = [("length", ">i4"), ("dimensions", ">i4"), ("has_nulls", ">i4")]
    shape = [("element_type", ">u4"), ("elements", ">i4"), ("lower_bound", ">i4")]
    return [*numbers, *shape, ("values", _value(value), (length,))]

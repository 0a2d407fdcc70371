"""What is known of items besides the interactions: embeddings and fields."""

from itertools import islice

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from recsys_pg.collaborative.operators.operator import Floats
from recsys_pg.config import DIMENSIONS
from recsys_pg.db import driver_connection
from recsys_pg.types import Progress

_BATCH = 20_000
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("id_length", ">i4"),
        ("id", ">i8"),
        ("vector_length", ">i4"),
        ("dimensions", ">i2"),
        ("unused", ">i2"),
        ("embedding", ">f4", (DIMENSIONS,)),
    ]
)
"""A row of PostgreSQL's binary COPY format: a bigint and a vector, neither of them NULL."""
_HEADER_BYTES = 19

_EMBEDDINGS = """
copy (select i.id, i.embedding from recsys.items i where i.embedding is not null) to stdout (format binary)
"""

_FEATURES = """
copy (
    select i.id, recsys_api._features(i.category, i.tags, i.attributes) from recsys.items i
) to stdout (format binary)
"""


def read_embeddings(
    connection: sa.Connection, item_ids: npt.NDArray[np.int64], progress: Progress | None = None
) -> Floats:
    """(n_items, 384) the embeddings of the given items, ascending ids; NaN in the rows of items without."""
    found: Floats = np.full((len(item_ids), DIMENSIONS), np.nan, np.float32)
    done = 0
    with driver_connection(connection).cursor() as cursor, cursor.copy(_EMBEDDINGS) as copy:
        rows = iter(copy)
        rest, start = b"", _HEADER_BYTES
        while block := b"".join([rest, *(bytes(row) for row in islice(rows, _BATCH))]):
            count = (len(block) - start) // _ROW.itemsize
            if count <= 0:
                break
            batch = np.frombuffer(block, _ROW, count, start)
            ids = batch["id"].astype(np.int64)
            place = np.searchsorted(item_ids, ids)
            wanted = (place < len(item_ids)) & (item_ids[np.minimum(place, len(item_ids) - 1)] == ids)
            found[place[wanted]] = batch["embedding"][wanted]
            rest, start = block[start + count * _ROW.itemsize :], 0
            done += count
            if progress:
                progress("read embeddings", done, None)
    return found


def read_features(
    connection: sa.Connection, item_ids: npt.NDArray[np.int64], progress: Progress | None = None
) -> list[list[str]]:
    """What the fields of the given items say, such as "category=Drama"; see recsys_api._features."""
    found: list[list[str]] = [[] for _ in item_ids]
    place = {item_id: position for position, item_id in enumerate(item_ids.tolist())}
    with driver_connection(connection).cursor() as cursor, cursor.copy(_FEATURES) as copy:
        copy.set_types(["int8", "text[]"])
        for done, (item_id, features) in enumerate(copy.rows(), start=1):
            if item_id in place:
                found[place[item_id]] = features
            if progress and done % 10_000 == 0:
                progress("read fields", done, None)
    return found

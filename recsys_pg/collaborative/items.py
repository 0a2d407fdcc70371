"""What is known of items besides the interactions: embeddings and fields."""

from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import sqlalchemy as sa
from psycopg import sql

from recsys_pg.collaborative.copying import copied_rows, known_places
from recsys_pg.collaborative.operators.operator import Floats, Halves
from recsys_pg.config import DIMENSIONS
from recsys_pg.db import driver_connection
from recsys_pg.types import Progress, unheard

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

_EMBEDDINGS = """
copy (select i.id, i.embedding from recsys.items i where i.embedding is not null) to stdout (format binary)
"""

_FEATURES = """
copy (
    select i.id, recsys_api._features(i.category, i.tags, i.attributes) from recsys.items i
    where i.id = any ({ids}::bigint[])
) to stdout (format binary)
"""


_CONTENT = """
copy (
    select i.id, vector_send(i.embedding), recsys_api._features(i.category, i.tags, i.attributes)
    from recsys.items i where i.id = any ({ids}::bigint[]) order by i.id
) to stdout (format binary)
"""

_IDS = "copy (select i.id from recsys.items i) to stdout (format binary)"
_ID_ROW = np.dtype([("fields", ">i2"), ("length", ">i4"), ("id", ">i8")])
_BATCH = 20_000
_VECTOR_HEADER_BYTES = 4


@dataclass(frozen=True)
class Content:
    """What some items are: ids (n,), embeddings (n, 384), NaN in the rows of items without, and features."""

    ids: npt.NDArray[np.int64]
    embeddings: Floats
    features: list[list[str]]


def read_ids(connection: psycopg.Connection[Any]) -> npt.NDArray[np.int64]:
    """(n,) the ids of all items, ascending."""
    parts = [rows["id"].astype(np.int64) for rows in copied_rows(connection, _IDS, _ID_ROW)]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def read_content(connection: psycopg.Connection[Any], item_ids: npt.NDArray[np.int64]) -> Iterator[Content]:
    """The content of the given items, 20,000 at a time."""
    for start in range(0, len(item_ids), _BATCH):
        wanted = item_ids[start : start + _BATCH].tolist()
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL(_CONTENT).format(ids=sql.Literal(wanted))) as copy,
        ):
            copy.set_types(["int8", "bytea", "text[]"])
            rows = list(copy.rows())
        embeddings: Floats = np.full((len(rows), DIMENSIONS), np.nan, np.float32)
        for place, (_, sent, _) in enumerate(rows):
            if sent is not None:
                embeddings[place] = np.frombuffer(sent, ">f4", offset=_VECTOR_HEADER_BYTES)
        if rows:
            yield Content(np.array([row[0] for row in rows], np.int64), embeddings, [row[2] for row in rows])


def read_embeddings(
    connection: sa.Connection, item_ids: npt.NDArray[np.int64], progress: Progress = unheard
) -> Halves:
    """(n_items, 384) the embeddings of the given items, ascending ids; NaN in the rows of items without."""
    found: Halves = np.full((len(item_ids), DIMENSIONS), np.nan, np.float16)
    if not len(item_ids):
        return found
    done = 0
    for batch in copied_rows(driver_connection(connection), _EMBEDDINGS, _ROW):
        known, places = known_places(batch["id"].astype(np.int64), item_ids)
        found[places] = batch["embedding"][known]
        done += len(batch)
        progress("read embeddings", done, max(done, len(item_ids)))
    return found


def read_features(
    connection: sa.Connection, item_ids: npt.NDArray[np.int64], progress: Progress = unheard
) -> list[list[str]]:
    """What the fields of the given items say, such as "category=Drama"; see recsys_api._features."""
    found: list[list[str]] = [[] for _ in item_ids]
    if not len(item_ids):
        return found
    place = {item_id: position for position, item_id in enumerate(item_ids.tolist())}
    statement = sql.SQL(_FEATURES).format(ids=sql.Literal(item_ids.tolist()))
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int8", "text[]"])
        for done, (item_id, features) in enumerate(copy.rows(), start=1):
            found[place[item_id]] = [intern(feature) for feature in features]
            if done % 10_000 == 0:
                progress("read fields", done, len(item_ids))
    return found

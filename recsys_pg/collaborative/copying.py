"""PostgreSQL's binary COPY format, and reading tables of it as arrays where rows have one length."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, LiteralString

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_BATCH = 20_000_000
"""Bytes that are put together at most; while they wait, each row takes some 30 bytes more."""


def copied_rows(
    connection: psycopg.Connection[Any], statement: LiteralString | sql.Composed, row: np.dtype[np.void]
) -> Iterator[npt.NDArray[np.void]]:
    """The rows of a COPY … TO STDOUT (FORMAT binary), some at a time.

    Args:
        connection: to the database.
        statement: whose rows all have the length of the given type: no NULL, and no value of varying length.
        row: the type of a row: the number of fields (2 bytes), then of each its length (4 bytes) and its
            value, all big-endian.
    """
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        messages = iter(copy)
        rest, start = b"", len(HEADER)
        batch = max(1, _BATCH // row.itemsize)
        # read to the end, or leaving the COPY would cancel it
        while parts := [bytes(message) for message in islice(messages, batch)]:
            block = b"".join([rest, *parts])
            count = max(0, (len(block) - start) // row.itemsize)
            if count:
                yield np.frombuffer(block, row, count, start)
                block, start = block[start + count * row.itemsize :], 0
            rest = block


def known_places(
    ids: npt.NDArray[np.signedinteger[Any]], item_ids: npt.NDArray[np.signedinteger[Any]]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Which of the ids are among item_ids, and the positions of these; item_ids is ascending, not empty."""
    place = np.minimum(np.searchsorted(item_ids, ids), len(item_ids) - 1)
    known = item_ids[place] == ids
    return known, place[known]

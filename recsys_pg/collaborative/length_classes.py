"""How long the targets of items are: of many the long ones are compared first, and often alone."""

from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from recsys_pg.collaborative.partitions import partition

SHARES = (4, 8, 16)
"""One in how many items is in class 1, 2, 3 or above."""

_SCANNED = 4_000
"""Targets that lie together are compared in the time of two or three walks through an index of them."""

_LIMITS = (0.5, 0.25, 0.125, 0.0625)
"""Of the bands that have an index each, as far as item_factors_length_idx goes."""


def classify_lengths(connection: psycopg.Connection[Any], model_id: int) -> None:
    """Store what recsys_api._nearest_factors knows of the lengths of a model's targets.

    That is down to which length all are compared, the classes of the items, and the length of the shortest of
    each class but 0. Of many that pass a filter it goes through the classes from the longest on, and seldom
    to the last: where few people know most of the items, hardly any of these is among the ten best of a
    thousand or more.
    """
    part = partition("item_factors", model_id)
    counts = sql.SQL(", ").join(
        sql.SQL("count(*) filter (where length > {})").format(sql.Literal(limit)) for limit in _LIMITS
    )
    row = connection.execute(sql.SQL("select count(*), {} from {}").format(counts, part)).fetchone()
    items, *longer = row or (0, *[0] * len(_LIMITS))
    few = [limit for limit, rows in zip(_LIMITS, longer, strict=True) if rows <= _SCANNED]
    connection.execute(
        "update recsys.models set scanned_from = %s where id = %s", (min(few, default=None), model_id)
    )
    if items < SHARES[-1]:
        return
    rows = connection.execute(
        sql.SQL("select item_id, length from {} order by length desc, item_id limit {}").format(
            part, sql.Literal(items // SHARES[0])
        )
    ).fetchall()
    of_classes = [items // share for share in SHARES]
    connection.execute(
        "update recsys.models set length_classes = %s, class_lengths = %s where id = %s",
        (
            packed_classes(np.array([item_id for item_id, _ in rows], np.int64), of_classes, items),
            [rows[count - 1][1] for count in of_classes],
            model_id,
        ),
    )


def packed_classes(item_ids: npt.NDArray[np.int64], counts: list[int], n_classes: int) -> bytes:
    """Two bits for each of at least n_classes ids: how many of the counts are above an id's place.

    The two bits of an id are those whose number is the id modulo how many there are less one, a prime, as
    recsys_api._length_class reads them. Ids without gaps have two each; of others some share them, and the
    highest class counts.
    """
    n_bytes = -(-(n_classes + 1) // 4)
    while not _is_prime(4 * n_bytes - 1):
        n_bytes += 1
    classes = np.zeros(4 * n_bytes, np.uint8)
    for number, count in enumerate(counts, start=1):
        classes[item_ids[:count] % (len(classes) - 1)] = number
    packed: npt.NDArray[np.uint8] = np.bitwise_or.reduce(
        classes.reshape(-1, 4) << np.arange(0, 8, 2, dtype=np.uint8), axis=1
    )
    return packed.tobytes()


def _is_prime(number: int) -> bool:
    """Of an odd number above 1."""
    return all(number % divisor for divisor in range(3, isqrt(number) + 1, 2))

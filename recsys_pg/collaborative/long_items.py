"""Which items have long targets, so that of many that pass a filter only these need be compared."""

from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from recsys_pg.collaborative.partitions import partition

_SHARE = 8
"""One in how many items is long."""


def mark_long_items(connection: psycopg.Connection[Any], model_id: int) -> None:
    """Store the bits of the longest eighth of a model's targets, and the length from which on they are.

    recsys_api._nearest_factors compares these first. Where few people know most of the items, hardly any of
    the others is among the ten best of a thousand or more.
    """
    part = partition("item_factors", model_id)
    (items,) = connection.execute(sql.SQL("select count(*) from {}").format(part)).fetchone() or (0,)
    rows = connection.execute(
        sql.SQL("select item_id, length from {} order by length desc, item_id limit {}").format(
            part, sql.Literal(items // _SHARE)
        )
    ).fetchall()
    if rows:
        bits = bits_of(np.array([item_id for item_id, _ in rows], np.int64), items)
        connection.execute(
            "update recsys.models set long_items = %s, long_from = %s where id = %s",
            (bits, rows[-1][1], model_id),
        )


def bits_of(item_ids: npt.NDArray[np.int64], n_bits: int) -> bytes:
    """Bits, at least n_bits, of which those are set whose number is an id modulo how many there are.

    The order of the bits is that of get_bit in PostgreSQL. Ids without gaps have a bit each; of others some
    share one.
    """
    bits = np.zeros(-(-n_bits // 8) * 8, bool)
    bits[item_ids % len(bits)] = True
    return np.packbits(bits, bitorder="little").tobytes()

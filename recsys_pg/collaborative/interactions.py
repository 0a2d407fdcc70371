"""The interactions of the database as a sparse matrix of users and items."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from scipy.sparse import csr_array

from recsys_pg.db import driver_connection
from recsys_pg.types import Progress

SMALLEST_WEIGHT = 1e-6
"""Pairs that count less than this are left out: their squares would drown in rounding."""

_BATCH = 1_000_000
_PAIR = np.dtype([("user_id", np.int64), ("item_id", np.int64), ("weight", np.float64)])

# the weight of recsys_api._history, over all interactions instead of the latest
_PAIRS = f"""
copy (
    select a.user_id, a.item_id, least(1, sum(w.weight))
    from recsys.interactions a
    join recsys.interaction_kinds k on k.kind = a.kind
    cross join lateral (select recsys_api._interaction_weight(k.weight, k.value_center, a.value) as weight) w
    group by a.user_id, a.item_id
    having sum(w.weight) >= {SMALLEST_WEIGHT}
) to stdout (format binary)
"""


@dataclass(frozen=True)
class InteractionMatrix:
    """Who liked what, and how much.

    weights is (n_users, n_items) float64, entries in (0, 1], a row without entries does not occur; row u is
    the user user_ids[u], column i the item item_ids[i], both int64 and ascending.
    """

    user_ids: npt.NDArray[np.int64]
    item_ids: npt.NDArray[np.int64]
    weights: csr_array[np.float64]


def read_interactions(connection: sa.Connection, progress: Progress | None = None) -> InteractionMatrix:
    """The positive weights of all pairs of a user and an item, summed by the database, streamed from it.

    The weight is what recommendations count: the sum over the pair's interactions, at most 1; pairs whose sum
    is not positive are left out. Needs 24 bytes a pair while reading, 12 afterwards.
    """
    driver = driver_connection(connection)
    batches: list[npt.NDArray[np.void]] = []
    with driver.cursor() as cursor, cursor.copy(_PAIRS) as copy:
        copy.set_types(["int8", "int8", "float8"])
        rows = iter(copy.rows())
        while not batches or len(batches[-1]) == _BATCH:
            batches.append(np.fromiter(islice(rows, _BATCH), dtype=_PAIR))
            if progress:
                progress("read interactions", sum(map(len, batches)), None)
    pairs = np.concatenate(batches)
    user_ids, users = np.unique(pairs["user_id"], return_inverse=True)
    item_ids, items = np.unique(pairs["item_id"], return_inverse=True)
    weights = csr_array((pairs["weight"], (users, items)), shape=(len(user_ids), len(item_ids)))
    weights.sort_indices()
    return InteractionMatrix(user_ids, item_ids, weights)

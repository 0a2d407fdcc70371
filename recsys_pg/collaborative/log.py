"""The interactions of the database as flat arrays, in the order in which people made them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from scipy.sparse import csr_array

from recsys_pg.collaborative.copying import copied_rows
from recsys_pg.collaborative.sequences import Sequences
from recsys_pg.db import driver_connection
from recsys_pg.types import Progress

SMALLEST_WEIGHT = 1e-6
"""Pairs that count less than this are left out: their squares would drown in rounding."""

_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("user_length", ">i4"),
        ("user_id", ">i8"),
        ("item_length", ">i4"),
        ("item_id", ">i8"),
        ("weight_length", ">i4"),
        ("weight", ">f8"),
        ("time_length", ">i4"),
        ("time", ">i8"),
    ]
)

# the order of recsys_api._history, and the order of the index that covers it
_EVENTS = """
copy (
    select a.user_id, a.item_id, recsys_api._interaction_weight(k.weight, k.value_center, a.value),
    a.occurred_at from recsys.interactions a join recsys.interaction_kinds k on k.kind = a.kind order by
    a.user_id, a.occurred_at, a.id
) to stdout (format binary)
"""


@dataclass(frozen=True)
class InteractionLog:
    """What people did, sorted by user and, for each of them, oldest first.

    user_ids and item_ids are int64 and ascending. users and items are (n,) int32, positions in these; weights
    is (n,) float32, -1 to 1, negative for dislikes; times is (n,) int64, µs since 2000-01-01 UTC.
    """

    user_ids: npt.NDArray[np.int64]
    item_ids: npt.NDArray[np.int64]
    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def of(
        cls,
        user_ids: npt.ArrayLike,
        item_ids: npt.ArrayLike,
        weights: npt.ArrayLike,
        times: npt.ArrayLike,
    ) -> Self:
        """The log of interactions in any order; those at one time stay in the order given."""
        distinct_users, users = np.unique(np.asarray(user_ids, np.int64), return_inverse=True)
        distinct_items, items = np.unique(np.asarray(item_ids, np.int64), return_inverse=True)
        order = np.lexsort((np.asarray(times, np.int64), users))
        return cls(
            distinct_users,
            distinct_items,
            users[order].astype(np.int32),
            items[order].astype(np.int32),
            np.asarray(weights, np.float32)[order],
            np.asarray(times, np.int64)[order],
        )

    @cached_property
    def likes(self) -> csr_array[np.float32]:
        """(n_users, n_items): the sum of the weights of each pair, at most 1, where it is positive."""
        shape = (len(self.user_ids), len(self.item_ids))
        matrix = csr_array((self.weights.astype(np.float64), (self.users, self.items)), shape=shape)
        matrix.data[matrix.data < SMALLEST_WEIGHT] = 0
        matrix.data = np.minimum(matrix.data, 1)
        matrix.eliminate_zeros()
        return matrix.astype(np.float32)

    @cached_property
    def sequences(self) -> Sequences:
        """What each user liked, one after the other; the same item several times in a row counts once."""
        liked = self.weights > 0
        items, users = self.items[liked], self.users[liked]
        again = np.zeros(len(items), dtype=bool)
        again[1:] = (items[1:] == items[:-1]) & (users[1:] == users[:-1])
        return Sequences(items[~again], users[~again])

    @cached_property
    def is_ordered(self) -> bool:
        """Whether the times tell what came after what: for most users of several interactions they differ."""
        neighbors = self.users[1:] == self.users[:-1]
        return bool(neighbors.any()) and bool((self.times[1:] > self.times[:-1])[neighbors].mean() > 0.05)

    def liked_only(self) -> Self:
        """Without the users who like nothing and the items that nobody likes."""
        liked = self.likes
        has_user, has_item = (
            np.diff(liked.indptr) > 0,
            np.bincount(liked.indices, minlength=liked.shape[1]) > 0,
        )
        chosen = has_user[self.users] & has_item[self.items]
        return type(self)(
            self.user_ids[has_user],
            self.item_ids[has_item],
            (np.cumsum(has_user) - 1)[self.users[chosen]].astype(np.int32),
            (np.cumsum(has_item) - 1)[self.items[chosen]].astype(np.int32),
            self.weights[chosen],
            self.times[chosen],
        )

    def part(self, chosen: npt.NDArray[np.bool_]) -> Self:
        """Some of the interactions; users and items keep their positions."""
        return type(self)(
            self.user_ids,
            self.item_ids,
            self.users[chosen],
            self.items[chosen],
            self.weights[chosen],
            self.times[chosen],
        )


def read_interactions(connection: sa.Connection, progress: Progress | None = None) -> InteractionLog:
    """All interactions, streamed from the database in the order of the users and their times.

    Needs 74 bytes an interaction while reading, 20 afterwards.
    """
    batches: list[npt.NDArray[np.void]] = []
    done = 0
    for batch in copied_rows(driver_connection(connection), _EVENTS, _ROW):
        batches.append(batch)
        done += len(batch)
        if progress:
            progress("read interactions", done, None)
    events = np.concatenate(batches) if batches else np.empty(0, _ROW)
    user_ids, users = np.unique(events["user_id"].astype(np.int64), return_inverse=True)
    item_ids, items = np.unique(events["item_id"].astype(np.int64), return_inverse=True)
    return InteractionLog(
        user_ids,
        item_ids,
        users.astype(np.int32),
        items.astype(np.int32),
        events["weight"].astype(np.float32),
        events["time"].astype(np.int64),
    )

"""The interactions of the database as flat arrays, in the order in which people made them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from psycopg import sql
from scipy.sparse import csr_array

from recsys_pg.collaborative.copying import copied_rows
from recsys_pg.collaborative.sequences import Sequences
from recsys_pg.db import driver_connection
from recsys_pg.types import Progress, unheard

HISTORY_LENGTH = 200
"""Interactions that a history is made of where nothing else is said: what the setting is at first."""

LEAST_ORDERED = 0.02
"""Of the steps of users, those on which time has passed, as between baskets of up to 50 items; with fewer the
times tell no order."""

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
        ("consumption_length", ">i4"),
        ("consumption", ">i2"),
    ]
)

_COLUMNS = {
    "user_id": np.int64,
    "item_id": np.int64,
    "weight": np.float32,
    "time": np.int64,
    "consumption": np.int16,
}

# the order of recsys_api._history, and the order of the index that covers it
_EVENTS = """
copy (
    select a.user_id, a.item_id, recsys_api._interaction_weight(k.weight, k.value_center, a.value),
    a.occurred_at, k.consumption
    from recsys.interactions a join (
        select k.kind, k.weight, k.value_center,
            case when k.is_consumption then row_number() over (order by k.kind) else 0 end::smallint
                as consumption
        from recsys.interaction_kinds k
    ) k on k.kind = a.kind
    where a.id <= {last_id} order by a.user_id, a.occurred_at, a.id
) to stdout (format binary)
"""


@dataclass(frozen=True)
class InteractionLog:
    """What people did, sorted by user and, for each of them, oldest first.

    user_ids and item_ids are int64 and ascending. users and items are (n,) int32, positions in these; weights
    is (n,) float32, -1 to 1, negative for dislikes; times is (n,) int64, µs since 2000-01-01 UTC;
    consumptions is (n,) int16, the number of the kind by which the item was consumed, 0 where it was not.
    history_length is how many of the latest interactions of a user the database recommends by.
    """

    user_ids: npt.NDArray[np.int64]
    item_ids: npt.NDArray[np.int64]
    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]
    consumptions: npt.NDArray[np.int16]
    history_length: int = HISTORY_LENGTH

    def __len__(self) -> int:
        return len(self.users)

    def arrays(self) -> list[npt.NDArray[Any] | int]:
        """All that it consists of."""
        return [
            self.user_ids,
            self.item_ids,
            self.users,
            self.items,
            self.weights,
            self.times,
            self.consumptions,
            self.history_length,
        ]

    @classmethod
    def of(
        cls,
        user_ids: npt.ArrayLike,
        item_ids: npt.ArrayLike,
        weights: npt.ArrayLike,
        times: npt.ArrayLike,
        history_length: int = HISTORY_LENGTH,
        *,
        consumptions: npt.ArrayLike | None = None,
    ) -> Self:
        """The log of interactions in any order; those at one time stay in the order given.

        Without consumptions, all likes are of one kind that is consumption.
        """
        distinct_users, users = np.unique(np.asarray(user_ids, np.int64), return_inverse=True)
        distinct_items, items = np.unique(np.asarray(item_ids, np.int64), return_inverse=True)
        order = np.lexsort((np.asarray(times, np.int64), users))
        if consumptions is None:
            consumptions = np.asarray(weights) > 0
        return cls(
            distinct_users,
            distinct_items,
            users[order].astype(np.int32),
            items[order].astype(np.int32),
            np.asarray(weights, np.float32)[order],
            np.asarray(times, np.int64)[order],
            np.asarray(consumptions, np.int16)[order],
            history_length,
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
        return bool(neighbors.any()) and bool(
            (self.times[1:] > self.times[:-1])[neighbors].mean() > LEAST_ORDERED
        )

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
            self.consumptions[chosen],
            self.history_length,
        )

    def of_users(self, chosen: npt.NDArray[np.intp]) -> Self:
        """The interactions of the users at some positions, ascending, numbered anew from 0."""
        number = np.full(len(self.user_ids), -1, dtype=np.int32)
        number[chosen] = np.arange(len(chosen))
        kept = self.part(number[self.users] >= 0)
        return replace(kept, user_ids=self.user_ids[chosen], users=number[kept.users])

    def in_drawn_order(self, random: np.random.Generator) -> Self:
        """The same, each user's interactions in an order that is drawn."""
        order = np.lexsort((random.random(len(self)), self.users))
        return replace(
            self,
            items=self.items[order],
            weights=self.weights[order],
            times=self.times[order],
            consumptions=self.consumptions[order],
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
            self.consumptions[chosen],
            self.history_length,
        )


def read_interactions(
    connection: sa.Connection, progress: Progress = unheard, *, last_id: int = 2**63 - 1
) -> InteractionLog:
    """All interactions, streamed from the database in the order of the users and their times.

    Needs 66 bytes an interaction while reading, 22 afterwards. Those with ids above last_id are left out.
    """
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _COLUMNS}
    done = 0
    expected = _expected(connection)
    statement = sql.SQL(_EVENTS).format(last_id=sql.Literal(last_id))
    for batch in copied_rows(driver_connection(connection), statement, _ROW):
        for name, type_ in _COLUMNS.items():
            columns[name].append(batch[name].astype(type_))
        done += len(batch)
        progress("read interactions", done, max(done, expected))
    user_ids, users = _numbered(_joined(columns, "user_id"))
    item_ids, items = _numbered(_joined(columns, "item_id"))
    return InteractionLog(
        user_ids,
        item_ids,
        users,
        items,
        _joined(columns, "weight"),
        _joined(columns, "time"),
        _joined(columns, "consumption"),
        int(connection.scalar(sa.text("select recsys_api._setting('history.length')::integer")) or 0),
    )


def _expected(connection: sa.Connection) -> int:
    """About how many interactions there are, as the planner knows it."""
    statement = "select reltuples::bigint from pg_class where oid = 'recsys.interactions'::regclass"
    return int(connection.scalar(sa.text(statement)) or 0)


def _joined(columns: dict[str, list[npt.NDArray[Any]]], name: str) -> npt.NDArray[Any]:
    """One column; its parts are let go."""
    parts = columns.pop(name)
    return np.concatenate([np.empty(0, _COLUMNS[name]), *parts])


def _numbered(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The distinct ids, ascending, and the position among them of each."""
    distinct = np.unique(ids)
    return distinct, np.searchsorted(distinct, ids).astype(np.int32)

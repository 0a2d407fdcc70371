"""Which interactions to train on and which to test on, so that the future never teaches the past."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import psycopg
from psycopg import sql

from recsys_pg.collaborative.log import LEAST_ORDERED
from recsys_pg.errors import InvalidArgumentError

Split: TypeAlias = Literal["time", "user", "live"]
"""What happened last; of each user the last; or what happened last, becoming known in its order."""

_LIKES = sql.SQL(
    """
    select a.user_id, {order} as place_in_time, a.id, a.occurred_at
    from recsys.interactions a join recsys.interaction_kinds k on k.kind = a.kind
    where recsys_api._interaction_weight(k.weight, k.value_center, a.value) > 0
    """
)
_FROM_A_MOMENT_ON = sql.SQL(
    "select u.id as user_id, {moment}::timestamptz as place_in_time, '-9223372036854775808'::bigint as id"
    " from recsys.users u"
)
# the small number keeps 0.29 of 100 at 29, which floating point makes 28.999…
_LAST_OF_EACH_USER = sql.SQL(
    """
    select distinct on (l.user_id) l.user_id, l.place_in_time, l.id
    from (
        select l.user_id, l.place_in_time, l.id, count(*) over (partition by l.user_id) as likes,
            row_number() over (partition by l.user_id order by l.place_in_time desc, l.id desc) as from_end
        from ({likes}) l
    ) l
    where l.likes > 1 and l.from_end <= greatest(1, floor(l.likes * {share}::double precision + 1e-9))
    order by l.user_id, l.place_in_time, l.id
    """
)
_TRAINING = sql.SQL(
    """
    select {columns}
    from recsys.interactions a left join ({first}) f on f.user_id = a.user_id
    where f.user_id is null or ({order}, a.id) < (f.place_in_time, f.id)
    """
)
_HELD_OUT = sql.SQL(
    """
    select {columns}
    from recsys.interactions a join ({first}) f on f.user_id = a.user_id
    where ({order}, a.id) >= (f.place_in_time, f.id)
    """
)


@dataclass(frozen=True)
class Division:
    """Two parts of the interactions of a database: of each user, all before some interaction, and the rest.

    Attributes:
        moment: from when on interactions are the test; None for the split by user.
        is_drawn: whether times tell no order, so that one was drawn.
        order: SQL, what comes before what; for an interaction ``a``, whose id decides among equals.
        first: SQL, of each user the first interaction that is not for training: user_id, place_in_time, id.
    """

    moment: datetime | None
    is_drawn: bool
    order: sql.Composable
    first: sql.Composable

    def training(self, columns: sql.Composable) -> sql.Composed:
        """A query of the interactions ``a`` to train on."""
        return _TRAINING.format(columns=columns, first=self.first, order=self.order)

    def held_out(self, columns: sql.Composable) -> sql.Composed:
        """A query of the interactions ``a`` of the other part."""
        return _HELD_OUT.format(columns=columns, first=self.first, order=self.order)


def divide(
    connection: psycopg.Connection[Any], split: Split, share: float = 0.1, *, seed: int = 0
) -> Division:
    """Divide the interactions of a database.

    A positive interaction is one that recsys_api._interaction_weight gives a weight above 0.

    Args:
        connection: to the database.
        split: time and live make the latest of all positive interactions the test, and train on what happened
            before the first of them, whoever did it. user does so for each user alone: of m positive
            interactions, max(1, ⌊share · m⌋) are the test, none of a single one. Where times tell no order
            it is drawn.
        share: of the positive interactions, above 0 and below 1. By time those at one moment stay
            together, so that it can be more.
        seed: of an order that is drawn.

    Raises:
        InvalidArgumentError: the interactions cannot be divided so.
    """
    return _by_user(connection, share, seed) if split == "user" else _by_time(connection, share)


def _by_time(connection: psycopg.Connection[Any], share: float) -> Division:
    order = sql.SQL("a.occurred_at")
    likes = _LIKES.format(order=order)
    summary = connection.execute(
        sql.SQL("select count(*), min(occurred_at), max(occurred_at) from ({}) l").format(likes)
    ).fetchone()
    count, first, last = summary or (0, None, None)
    if not count:
        raise _nothing_positive()
    if first == last:
        raise InvalidArgumentError(
            f"All {count:,} positive interactions happened at one time, {first}, so that none is later.",
            "If their order is unknown, hold out some of each user: --split user.",
        )
    held_out = max(1, int(share * count + 1e-9))
    row = connection.execute(
        sql.SQL("select l.occurred_at from ({}) l order by l.occurred_at offset {} limit 1").format(
            likes, sql.Literal(count - held_out)
        )
    ).fetchone()
    assert row is not None  # noqa: S101 - fewer are held out than there are
    (moment,) = row
    if moment == first:
        raise InvalidArgumentError(
            f"The last {share:.0%} of the positive interactions reach back to the first, at {first}: too many"
            " happened at one time.",
            "Hold out some of each user: --split user; or a smaller --test-share.",
        )
    boundary = _FROM_A_MOMENT_ON.format(moment=sql.Literal(moment))
    return Division(moment, False, order, boundary)


def _by_user(connection: psycopg.Connection[Any], share: float, seed: int) -> Division:
    is_drawn = not _times_tell_the_order(connection)
    order: sql.Composable = sql.SQL("a.occurred_at")
    if is_drawn:
        order = sql.SQL("hashint8extended(a.id, {})").format(sql.Literal(seed))
    likes = _LIKES.format(order=order)
    row = connection.execute(
        sql.SQL(
            "select count(*), coalesce(max(u.likes), 0) from"
            " (select count(*) as likes from ({}) l group by l.user_id) u"
        ).format(likes)
    ).fetchone()
    users, most = row or (0, 0)
    if not users:
        raise _nothing_positive()
    if most < 2:
        raise InvalidArgumentError(
            "No user has two positive interactions, one to learn from and one to test on.",
            "Import more interactions: recsys-pg import.",
        )
    return Division(None, is_drawn, order, _LAST_OF_EACH_USER.format(likes=likes, share=sql.Literal(share)))


def _times_tell_the_order(connection: psycopg.Connection[Any]) -> bool:
    """Whether so many interactions are later than the user's one before that training goes by their order."""
    row = connection.execute(
        "select coalesce(avg((a.occurred_at > a.previous)::integer) > %s, false) from ("
        " select occurred_at, lag(occurred_at) over (partition by user_id order by occurred_at) as previous"
        " from recsys.interactions) a where a.previous is not null",
        (LEAST_ORDERED,),
    ).fetchone()
    return bool(row and row[0])


def _nothing_positive() -> InvalidArgumentError:
    return InvalidArgumentError(
        "No interaction is positive, so there is nothing to learn from and nothing to test on.",
        "Record or import what people did: recsys-pg import. The weights are in recsys.interaction_kinds.",
    )

"""What the training part says of its users and items: what a recommendation could know."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class Known:
    """Counts of a training part.

    Attributes:
        items, embedded_items: in the catalogue.
        interactions: of any kind.
        users: in the database; active_users: those with an interaction.
        of_user: interactions of each active user.
        by_users: active users of each item that has any.
    """

    items: int
    embedded_items: int
    interactions: int
    users: int
    active_users: int
    of_user: Mapping[int, int]
    by_users: Mapping[int, int]


def read_known(connection: sa.Connection) -> Known:
    """Count the training part in a scratch database."""
    items, embedded, users = connection.execute(
        sa.text("select count(*), count(embedding), (select count(*) from recsys.users) from recsys.items")
    ).one()
    of_user = _counts(connection, "select user_id, count(*) from recsys.interactions group by user_id")
    by_users = _counts(
        connection, "select item_id, count(distinct user_id) from recsys.interactions group by item_id"
    )
    return Known(items, embedded, sum(of_user.values()), users, len(of_user), of_user, by_users)


def _counts(connection: sa.Connection, statement: str) -> dict[int, int]:
    return {row[0]: row[1] for row in connection.execute(sa.text(statement))}

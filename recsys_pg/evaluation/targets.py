"""What is to be found for whom: the users that are asked, and the items that they went on to like."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import sqlalchemy as sa

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation.known import Known

LEAST_USERS = 10
"""Users below which nothing can be said."""

WARM_USER = 5
"""Interactions from which on a user is no newcomer."""

Targets: TypeAlias = Mapping[int, frozenset[int]]
"""Of each user, at least one item to be found."""


LATER_LIKES = """
recsys.later_interactions a join recsys.interaction_kinds k
    on k.kind = a.kind and recsys_api._interaction_weight(k.weight, k.value_center, a.value) > 0
"""
"""SQL, the positive ones ``a`` of the interactions that were held out."""

_LATER_LIKES = sa.text(f"select distinct a.user_id, a.item_id from {LATER_LIKES}")


@dataclass(frozen=True)
class Question:
    """The users that are asked, and what is to be found for them.

    Attributes:
        targets: of each user that is asked.
        seen: those of the targets that the user consumed before; empty where these do not count.
        all_users: users for whom something is to be found, asked or not.
    """

    targets: Targets
    seen: Targets
    all_users: int


@dataclass(frozen=True)
class Segment:
    """A part of what is to be found: some users, or some of the items of each."""

    name: str
    meaning: str
    targets: Targets


def question(
    connection: sa.Connection,
    *,
    users: int,
    repeats: bool = False,
    seed: int = 0,
) -> Question:
    """Draw the users, and leave out what recommend_for_user does not list: what is hidden and what is seen.

    Args:
        connection: to the scratch database, with what was held out in recsys.later_interactions.
        users: that are asked at most.
        repeats: keep what a user has seen.
        seed: of the draw.

    Raises:
        InvalidArgumentError: too few users remain.
    """
    test: dict[int, set[int]] = defaultdict(set)
    for user, item in connection.execute(_LATER_LIKES):
        test[user].add(item)
    hidden = hidden_items(connection, test, exclude_seen=not repeats)
    possible = {user: frozenset(items).difference(hidden[user]) for user, items in test.items()}
    open_ = {user: items for user, items in sorted(possible.items()) if items}
    check_enough(len(open_))
    asked = np.array(list(open_))
    if len(asked) > users:
        asked = np.sort(np.random.default_rng(seed).choice(asked, users, replace=False))
    targets = {user: open_[user] for user in asked.tolist()}
    seen: Targets = {}
    if repeats:
        consumed = hidden_items(connection, targets, exclude_seen=True)
        seen = _part(targets, lambda user, item: item in consumed[user])
    return Question(targets, seen, len(open_))


def check_enough(users: int) -> None:
    """Refuse to say anything of fewer than `LEAST_USERS` users.

    Raises:
        InvalidArgumentError: they are fewer.
    """
    if users < LEAST_USERS:
        raise InvalidArgumentError(
            f"Only {users} users have something to be found in the test part, fewer than {LEAST_USERS}.",
            "Hold out more, --test-share; or of each user, --split user; or wait for more interactions.",
        )


def segments(
    asked: Question, known: Known, of_user: Mapping[int, int], *, repeats: bool = False
) -> list[Segment]:
    """The parts of a question that are looked at apart; those that nothing belongs to are left out.

    Args:
        asked: the question.
        known: what was trained on.
        of_user: interactions that were known of each user when asked; 0 where left out.
        repeats: whether what was consumed before is looked for.
    """

    def of_users(name: str, meaning: str, least: int, most: float) -> Segment:
        return Segment(
            name,
            meaning,
            {user: items for user, items in asked.targets.items() if least <= of_user.get(user, 0) <= most},
        )

    def of_items(name: str, meaning: str, belongs: Callable[[int, int], bool]) -> Segment:
        return Segment(name, meaning, _part(asked.targets, belongs))

    found = [
        of_items("known items", "targets with interactions to learn from", lambda _, i: i in known.by_users),
        of_items(
            "cold items", "targets with no interaction to learn from", lambda _, i: i not in known.by_users
        ),
        of_users("known users", f"users of {WARM_USER} interactions or more", WARM_USER, float("inf")),
        of_users("new users", f"users of 1 to {WARM_USER - 1} interactions", 1, WARM_USER - 1),
        of_users("unknown users", "users without any interaction", 0, 0),
    ]
    if repeats:
        is_seen = {(user, item) for user, items in asked.seen.items() for item in items}
        found += [
            Segment("repeats", "targets that the user had consumed before", asked.seen),
            of_items(
                "first times", "targets that the user had not consumed", lambda *pair: pair not in is_seen
            ),
        ]
    return [segment for segment in found if segment.targets]


def _part(targets: Targets, belongs: Callable[[int, int], bool]) -> Targets:
    parts = {
        user: frozenset(item for item in items if belongs(user, item)) for user, items in targets.items()
    }
    return {user: items for user, items in parts.items() if items}


def hidden_items(
    connection: sa.Connection, users: Collection[int], *, exclude_seen: bool
) -> dict[int, frozenset[int]]:
    """What recommend_for_user never lists for each of the users."""
    statement = sa.text(
        "select u.id, recsys_api._hidden_items(u.id, :exclude_seen)"
        " from unnest(cast(:users as bigint[])) u (id)"
    )
    rows = connection.execute(statement, {"exclude_seen": exclude_seen, "users": list(users)})
    return {user: frozenset(items) for user, items in rows}

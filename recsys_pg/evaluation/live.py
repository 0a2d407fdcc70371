"""Asks as if the time after the split went by: what happens is recorded in its order, the model stays."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from recsys_pg.db import translated_errors
from recsys_pg.evaluation.asking import Answers, Heard, recommended
from recsys_pg.evaluation.targets import LATER_LIKES, Question, check_enough, hidden_items
from recsys_pg.types import Method, Progress

_REFRESHES = 20
"""Of popularity, and of the tastes of those who did something, spread evenly over the users asked."""

# one time for what happens together; the order is the server's, which knows of summer time
_MOMENTS = sa.text(f"""
with hidden as (
    select a.user_id, a.item_id, min(a.occurred_at) as since
    from (select user_id, item_id, kind, occurred_at from recsys.interactions
          union all select user_id, item_id, kind, occurred_at from recsys.later_interactions) a
    join recsys.interaction_kinds k on k.kind = a.kind
    where k.hides_item or (:exclude_seen and k.is_consumption)
    group by a.user_id, a.item_id
),
drawn as (
    select distinct on (a.user_id) a.user_id, a.occurred_at
    from {LATER_LIKES} left join hidden h on h.user_id = a.user_id and h.item_id = a.item_id
    where h.since is null or h.since >= a.occurred_at
    order by a.user_id, hashint8extended(a.id, :seed)
),
asked as (
    select d.user_id, d.occurred_at, count(*) over () as all_users
    from drawn d order by hashint8extended(d.user_id, :seed) limit :users
)
select a.user_id, a.occurred_at, a.all_users from asked a order by a.occurred_at, a.user_id
""")
_RECORD = sa.text("""
with passed as (delete from recsys.later_interactions l where l.occurred_at < :moment returning l.*)
insert into recsys.interactions (id, user_id, item_id, kind, value, occurred_at) overriding system value
select p.id, p.user_id, p.item_id, p.kind, p.value, p.occurred_at from passed p
returning user_id
""")
_REFRESH_TASTES = sa.text("""
select recsys_api._refresh_tastes(cast(:users as bigint[]))
""")
_TARGETS = sa.text(f"select distinct a.item_id from {LATER_LIKES} where a.user_id = :user_id")
_COUNT = sa.text("select count(*) from recsys.interactions a where a.user_id = :user_id")


@dataclass(frozen=True)
class Schedule:
    """Whom to ask when, pairs of a user and a moment in the order of time, of all who could be asked."""

    moments: Sequence[tuple[int, datetime]]
    all_users: int


def draw_moments(connection: sa.Connection, *, users: int, repeats: bool = False, seed: int = 0) -> Schedule:
    """Whom to ask, and when: just before a later like, drawn of those that recommend_for_user could foretell.

    That is of what the user had neither hidden nor, unless repeats count, consumed.

    Args:
        connection: to the scratch database, with what was held out in recsys.later_interactions.
        users: that are asked at most; drawn.
        repeats: keep what a user has seen.
        seed: of the draws.

    Raises:
        InvalidArgumentError: too few users have something to be found.
    """
    drawn = {"users": users, "exclude_seen": not repeats, "seed": seed}
    rows = connection.execute(_MOMENTS, drawn).all()
    all_users = rows[0].all_users if rows else 0
    check_enough(all_users)
    return Schedule([(row.user_id, row.occurred_at) for row in rows], all_users)


def ask_live(
    engine: sa.Engine,
    schedule: Schedule,
    methods: Sequence[Method],
    n: int,
    *,
    exclude_seen: bool = True,
    progress: Progress,
) -> Heard:
    """Record what happens until each moment, and ask then, by every method, for what the user likes later.

    Popularity, and the tastes of those who did something, are refreshed on the way; the model is not.

    Args:
        engine: of the scratch database, which goes on in time by this.
        schedule: of `draw_moments`.
        methods: names that recommend_for_user takes; each user is first asked by another one.
        n: length of the lists, 1 to 1,000.
        exclude_seen: leave out what the user has consumed by then.
        progress: called with "record and recommend".
    """
    moments = schedule.moments
    targets: dict[int, frozenset[int]] = {}
    seen: dict[int, frozenset[int]] = {}
    of_user: dict[int, int] = {}
    lists: dict[Method, dict[int, Sequence[int]]] = {method: {} for method in methods}
    seconds = dict.fromkeys(methods, 0.0)
    active: set[int] = set()
    order = deque(methods)
    options = {"isolation_level": "AUTOCOMMIT"}
    progress("record and recommend", 0, len(moments))
    with translated_errors(), engine.connect().execution_options(**options) as connection:
        for done, (user, moment) in enumerate(moments, start=1):
            active.update(connection.scalars(_RECORD, {"moment": moment}))
            if done * _REFRESHES // len(moments) > (done - 1) * _REFRESHES // len(moments):
                connection.execute(sa.text("select recsys_api.refresh_popularity()"))
                connection.execute(_REFRESH_TASTES, {"users": sorted(active)})
                active.clear()
            liked = frozenset(connection.scalars(_TARGETS, {"user_id": user}))
            targets[user] = liked - hidden_items(connection, [user], exclude_seen=exclude_seen)[user]
            if not exclude_seen:
                consumed = hidden_items(connection, [user], exclude_seen=True)[user]
                if again := targets[user] & consumed:
                    seen[user] = again
            of_user[user] = connection.scalar(_COUNT, {"user_id": user}) or 0
            order.rotate()
            for method in order:
                started = time.perf_counter()
                lists[method][user] = recommended(connection, user, method, n, exclude_seen=exclude_seen)
                seconds[method] += time.perf_counter() - started
            progress("record and recommend", done, len(moments))
    answers = {method: Answers(lists[method], 1000 * seconds[method] / len(moments)) for method in methods}
    return Heard(Question(targets, seen, schedule.all_users), answers, of_user)

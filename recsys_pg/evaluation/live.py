"""Asks as if the time after the split went by: what happens is recorded in its order, the model stays."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from recsys_pg.db import translated_errors
from recsys_pg.evaluation.asking import Answers, Heard, recommended
from recsys_pg.evaluation.targets import Question, check_enough, hidden_items
from recsys_pg.types import Method, Progress

_REFRESHES = 50
"""Of popularity and of the tastes of those who did something, spread evenly over the users asked."""

_LIKED = """
from recsys.later_interactions a join recsys.interaction_kinds k on k.kind = a.kind
where recsys_api._interaction_weight(k.weight, k.value_center, a.value) > 0
"""
_MOMENTS = sa.text(
    f"select a.user_id, array_agg(distinct a.occurred_at) as times {_LIKED} group by user_id order by user_id"
)
_TARGETS = sa.text(
    f"select distinct a.item_id {_LIKED} and a.user_id = :user_id and a.occurred_at >= :moment"
)
_RECORD = sa.text("""
with passed as (delete from recsys.later_interactions l where l.occurred_at < :moment returning l.*)
insert into recsys.interactions (id, user_id, item_id, kind, value, occurred_at) overriding system value
select p.id, p.user_id, p.item_id, p.kind, p.value, p.occurred_at from passed p
returning user_id
""")
_COUNT = sa.text("select count(*) from recsys.interactions a where a.user_id = :user_id")
_REFRESH_TASTES = sa.text("""
select count(recsys_api._refresh_tastes_between(u.id, u.id)) from unnest(cast(:users as bigint[])) u (id)
""")


@dataclass(frozen=True)
class Moment:
    """When a user is asked."""

    user: int
    at: datetime


@dataclass(frozen=True)
class Schedule:
    """Whom to ask when, in the order of time; all_users is how many could be asked, drawn or not."""

    moments: Sequence[Moment]
    all_users: int


def draw_moments(connection: sa.Connection, *, users: int, seed: int = 0) -> Schedule:
    """When each user is asked: just before one of the later likes, which one is drawn.

    Args:
        connection: to the scratch database, with what was held out in recsys.later_interactions.
        users: that are asked at most; drawn.
        seed: of the draws.

    Raises:
        InvalidArgumentError: too few users like something later.
    """
    times: dict[int, list[datetime]] = {row.user_id: row.times for row in connection.execute(_MOMENTS)}
    check_enough(len(times))
    random = np.random.default_rng(seed)
    drawn = np.array(list(times))
    if len(drawn) > users:
        drawn = np.sort(random.choice(drawn, users, replace=False))
    moments = [Moment(user, times[user][random.integers(len(times[user]))]) for user in drawn.tolist()]
    return Schedule(sorted(moments, key=lambda moment: (moment.at, moment.user)), len(times))


def ask_live(
    engine: sa.Engine,
    schedule: Schedule,
    methods: Sequence[Method],
    n: int,
    *,
    repeats: bool = False,
    progress: Progress,
) -> Heard:
    """Record what happens, user by user until the moment of each, and ask then by every method.

    Popularity and the tastes of those who did something are refreshed every now and then, as a worker does;
    the model is not. Who finds nothing new any more is left out.

    Args:
        engine: of the scratch database, which goes on in time by this.
        schedule: of `draw_moments`.
        methods: names that recommend_for_user takes.
        n: length of the lists, 1 to 1,000.
        repeats: list, and look for, what users had consumed before.
        progress: called with "record and recommend".

    Raises:
        InvalidArgumentError: too few users have something to be found.
    """
    targets: dict[int, frozenset[int]] = {}
    seen: dict[int, frozenset[int]] = {}
    of_user: dict[int, int] = {}
    lists: dict[Method, dict[int, Sequence[int]]] = {method: {} for method in methods}
    seconds = dict.fromkeys(methods, 0.0)
    active: set[int] = set()
    moments = schedule.moments
    step = max(1, len(moments) // _REFRESHES)
    options = {"isolation_level": "AUTOCOMMIT"}
    with translated_errors(), engine.connect().execution_options(**options) as connection:
        for done, moment in enumerate(moments, start=1):
            user = moment.user
            active.update(connection.scalars(_RECORD, {"moment": moment.at}))
            if done % step == 0:
                connection.execute(sa.text("select recsys_api.refresh_popularity()"))
                connection.execute(_REFRESH_TASTES, {"users": sorted(active)})
                active.clear()
            liked = frozenset(connection.scalars(_TARGETS, {"user_id": user, "moment": moment.at}))
            found = liked - hidden_items(connection, [user], exclude_seen=not repeats)[user]
            if found:
                targets[user] = found
                consumed = hidden_items(connection, [user], exclude_seen=True)[user]
                seen |= {user: found & consumed} if found & consumed else {}
                of_user[user] = connection.scalar(_COUNT, {"user_id": user}) or 0
                for method in methods:
                    started = time.perf_counter()
                    lists[method][user] = recommended(connection, user, method, n, exclude_seen=not repeats)
                    seconds[method] += time.perf_counter() - started
            progress("record and recommend", done, len(moments))
    check_enough(len(targets))
    answers = {method: Answers(lists[method], 1000 * seconds[method] / len(targets)) for method in methods}
    left_out = len(moments) - len(targets)
    return Heard(Question(targets, seen, schedule.all_users - left_out), answers, of_user)

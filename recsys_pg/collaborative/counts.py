"""How much there is to learn from, counted in the database."""

from dataclasses import dataclass

import sqlalchemy as sa

from recsys_pg.collaborative.log import LEAST_ORDERED, SMALLEST_WEIGHT
from recsys_pg.collaborative.size import Size

# the order of times is told by the users of a sample: with a thousand of them it is beyond doubt
_COUNTS = """
with weighed as materialized (
    select a.user_id, a.item_id, count(*) as events,
        sum(recsys_api._interaction_weight(k.weight, k.value_center, a.value)) >= :smallest as is_liked,
        bool_or(recsys_api._interaction_weight(k.weight, k.value_center, a.value) > 0
            and a.occurred_at >= timestamptz '2000-01-01 00:00+00'
                + cast(:since as bigint) * interval '1 microsecond') as is_recent
    from recsys.interactions a join recsys.interaction_kinds k on k.kind = a.kind
    group by a.user_id, a.item_id
),
people as materialized (
    select user_id, count(*) as likes, bool_or(is_recent) as is_recent from weighed where is_liked
    group by user_id
),
things as materialized (select distinct item_id from weighed where is_liked),
steps as (
    select a.occurred_at
        > lag(a.occurred_at) over (partition by a.user_id order by a.occurred_at, a.id) as is_later
    from recsys.interactions a
    where a.user_id in (select p.user_id from people p order by hashint8(p.user_id), p.user_id limit 1000)
)
select (select count(*) from people) as users, (select count(*) from things) as items,
    (select coalesce(sum(likes), 0)::bigint from people) as likes,
    (select coalesce(sum(likes * likes), 0)::bigint from people) as pairs,
    (select coalesce(max(likes), 0) from people) as longest,
    (select count(*) from people where likes > 1) as askable,
    (select count(*) from people where likes > 1 and is_recent) as recent,
    (select coalesce(sum(w.events), 0)::bigint from weighed w where w.user_id in (select user_id from people)
        and w.item_id in (select item_id from things)) as interactions,
    (select count(*) from things t join recsys.items i on i.id = t.item_id
        where i.embedding is not null) as embedded,
    (select coalesce(avg(is_later::integer), 0)::double precision from steps) as later,
    (select count(*) from recsys.users) as all_users,
    (select count(distinct f.feature)
        from (select * from recsys.items limit 10000) i
        cross join unnest(recsys_api._features(i.category, i.tags, i.attributes)) f (feature)) as fields
"""


@dataclass(frozen=True)
class Counts:
    """The size of what there is to learn from, and more of it.

    Attributes:
        size: of the log as training would read it.
        longest: items that one user likes, at most.
        askable: users of whom something can be held out.
        recent: those of them who liked something since the moment that was asked for.
        all_users: in the database.
    """

    size: Size
    longest: int
    askable: int
    recent: int
    all_users: int


def read_counts(connection: sa.Connection, *, since: int | None = None) -> Counts:
    """Count; one pass over the interactions, some seconds for ten million.

    Args:
        connection: to the database.
        since: from when on a like is recent, in µs since 2000-01-01 UTC; None is never.
    """
    found = connection.execute(sa.text(_COUNTS), {"smallest": SMALLEST_WEIGHT, "since": since}).one()
    size = Size(
        found.users,
        found.items,
        found.likes,
        found.interactions,
        found.pairs,
        found.embedded,
        found.later > LEAST_ORDERED,
        found.fields,
    )
    return Counts(size, found.longest, found.askable, found.recent, found.all_users)

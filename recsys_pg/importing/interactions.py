"""Interactions: checked, joined to the ids of users and items, and recorded once.

The ids come from joins inside the database. Dictionaries here and a COPY straight into the table are at best
a fifth faster (20 s against 24 s for a million rows, most of it for indexes and foreign keys), but hold every
user in memory, read the file twice, and cannot leave out what is recorded already.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import LiteralString

from psycopg import sql

from recsys_pg.importing.entities import USERS, advance_identity
from recsys_pg.importing.fields import shown
from recsys_pg.importing.source import Source
from recsys_pg.importing.staging import Staging
from recsys_pg.types import InteractionRecord

_TABLE = "import_interactions"

_TYPES: dict[str, LiteralString] = {
    "user_id": "int8",
    "user_external_id": "text",
    "item_id": "int8",
    "item_external_id": "text",
    "kind": "text",
    "value": "float8",
    "event_id": "text",
    "occurred_at": "timestamptz",
}

# The rules of recsys_api.record_interaction.
_REFUSED = """
select
    s.line,
    case
        when {is_unknown} then 'item'
        when k.kind is null then 'kind'
        when s.occurred_at > now() + interval '5 minutes' then 'time'
        else 'value'
    end as problem,
    s.{item}::text as item, s.kind, s.occurred_at
from {staged} s
left join recsys.items i on i.{item_key} = s.{item}
left join recsys.interaction_kinds k on k.kind = s.kind
where {is_unknown} or k.kind is null or s.occurred_at > now() + interval '5 minutes'
    or (k.value_center is not null and s.value is null)
"""

_UNKNOWN = "i.id is null"
_UNKNOWN_BUT_STAGED = """
i.id is null and not exists (select from import_items n where n.{item_key} = s.{item})
"""

_REGISTER_USERS = """
insert into recsys.users ({user_key})
select s.{user} from {staged} s
where not exists (select from recsys.users u where u.{user_key} = s.{user})
group by s.{user}
order by min(s.line)
on conflict ({user_key}) do nothing
"""

# In order of users, so that the widest index grows in its own order; and of lines, so that the ids tell
# which of two interactions of the same time came first.
_RECORD = """
insert into recsys.interactions (user_id, item_id, kind, value, event_id, occurred_at)
select u.id, i.id, s.kind, s.value, s.event_id, coalesce(s.occurred_at, now())
from {staged} s
join recsys.users u on u.{user_key} = s.{user}
join recsys.items i on i.{item_key} = s.{item}
where not exists (
    select from recsys.interactions r
    where s.event_id is null
        and r.user_id = u.id and r.item_id = i.id and r.kind = s.kind and r.value is not distinct from s.value
        and (r.occurred_at = s.occurred_at or s.occurred_at is null)
)
order by u.id, s.line
on conflict (event_id) where event_id is not null do nothing
"""

_OTHER_EVENT = """
select s.line, s.event_id, r.user_id, r.item_id, r.kind
from {staged} s
left join recsys.users u on u.{user_key} = s.{user}
left join recsys.items i on i.{item_key} = s.{item}
join recsys.interactions r on r.event_id = s.event_id
where (r.user_id, r.item_id, r.kind) is distinct from (u.id, i.id, s.kind)
"""


@dataclass(frozen=True)
class Recorded:
    """How many interactions are new, how many were recorded before, and how many users are new by them."""

    inserted: int = 0
    duplicates: int = 0
    users_inserted: int = 0


@dataclass(frozen=True)
class StagedInteractions:
    """The checked records of a source in a temporary table: how many, and by which keys they name things."""

    source: Source[InteractionRecord]
    user: str
    item: str
    count: int

    def compose(self, statement: LiteralString, **parts: sql.Composable) -> sql.Composed:
        """A statement about them."""
        return sql.SQL(statement).format(
            staged=sql.Identifier(_TABLE),
            user=sql.Identifier(self.user),
            user_key=sql.Identifier(self.user.removeprefix("user_")),
            item=sql.Identifier(self.item),
            item_key=sql.Identifier(self.item.removeprefix("item_")),
            **parts,
        )


def stage_interactions(
    staging: Staging, source: Source[InteractionRecord], *, with_items: bool
) -> StagedInteractions:
    """Read the interactions of a source; ``with_items`` tells that items were staged before them.

    Raises:
        InvalidRecordError: a line is malformed, names an unknown item or kind, lacks the value that its
            kind needs, is in the future, or has the event_id of something else.
    """
    connection = staging.connection
    user = "user_id" if "user_id" in source.fields else "user_external_id"
    item = "item_id" if "item_id" in source.fields else "item_external_id"
    columns = (user, item, "kind", "value", "event_id", "occurred_at")
    count = staging.fill(_TABLE, {name: _TYPES[name] for name in columns}, source)
    staged = StagedInteractions(source, user, item, count)
    kinds = [
        kind for (kind,) in connection.execute("select kind from recsys.interaction_kinds order by kind")
    ]

    def explain(problem: str, item: str, kind: str, occurred_at: datetime | None) -> tuple[str, str]:
        return {
            "item": (
                f"item {shown(item)} does not exist.",
                "Import it before, or together with what was done.",
            ),
            "kind": (
                f"interaction kind {shown(kind)} does not exist.",
                f"Use one of {', '.join(kinds)}, or add it to recsys.interaction_kinds.",
            ),
            "time": (f"occurred_at is {occurred_at}, in the future.", "Write the time at which it happened."),
            "value": (f"an interaction of kind {shown(kind)} needs a value.", "Write the number of stars."),
        }[problem]

    is_unknown = staged.compose(_UNKNOWN_BUT_STAGED if with_items else _UNKNOWN)
    refused = staging.refuse_rows(_TABLE, staged.compose(_REFUSED, is_unknown=is_unknown), source, explain)
    refused += _refuse_other_events(staging, staged)
    return replace(staged, count=count - refused)


def write_interactions(staging: Staging, staged: StagedInteractions) -> Recorded:
    """Record the interactions, and register the users that are new, in one transaction.

    Recorded before is what has a known event_id, and what has none but equals an interaction there is in
    user, item, kind, value and time; if it has no time, in the rest.

    Raises:
        InvalidRecordError: a line repeats the event_id of another one for something else.
    """
    connection = staging.connection
    staging.report("writing interactions", 0, staged.count)
    with connection.transaction():
        advance_identity(connection, USERS)
        users_inserted = connection.execute(staged.compose(_REGISTER_USERS)).rowcount
        advance_identity(connection, USERS)
        inserted = connection.execute(staged.compose(_RECORD)).rowcount
        refused = _refuse_other_events(staging, staged)
    staging.report("writing interactions", staged.count, staged.count)
    return Recorded(inserted, staged.count - refused - inserted, users_inserted)


def _refuse_other_events(staging: Staging, staged: StagedInteractions) -> int:
    def explain(event_id: str, user_id: int, item_id: int, kind: str) -> tuple[str, str]:
        return (
            f"event_id {shown(event_id)} was recorded for user {user_id}, item {item_id}, kind {kind}.",
            "Give every event an id of its own.",
        )

    if "event_id" not in staged.source.fields:
        return 0
    return staging.refuse_rows(_TABLE, staged.compose(_OTHER_EVENT), staged.source, explain)

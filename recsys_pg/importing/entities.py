"""Items and users: inserted where they are new, updated where they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from recsys_pg.importing.fields import shown
from recsys_pg.importing.source import Source
from recsys_pg.importing.staging import Staging


@dataclass(frozen=True)
class Entity:
    """A table of schema recsys whose rows have an id and an external_id; its columns and their types."""

    name: str
    columns: Mapping[str, LiteralString]

    @property
    def table(self) -> sql.Identifier:
        """Its qualified name."""
        return sql.Identifier("recsys", self.name)

    @property
    def staged(self) -> sql.Identifier:
        """The temporary table of its records."""
        return sql.Identifier(f"import_{self.name}")


ITEMS = Entity(
    "items",
    {
        "id": "int8",
        "external_id": "text",
        "title": "text",
        "description": "text",
        "category": "text",
        "tags": "text[]",
        "price": "numeric",
        "in_stock": "bool",
        "attributes": "jsonb",
        "created_at": "timestamptz",
    },
)
USERS = Entity("users", {"id": "int8", "external_id": "text", "attributes": "jsonb"})


@dataclass(frozen=True)
class Written:
    """How many rows were new, and how many differed."""

    inserted: int = 0
    updated: int = 0


_FIND_IDS = """
update {staged} s set id = t.id from {table} t where s.id is null and t.external_id = s.external_id
"""

_UPDATE = """
update {table} t set {assignments} from {staged} s
where t.id = s.id and row({old}) is distinct from row({new})
"""

# A row that someone else inserts meanwhile under the same key stays as they wrote it.
_INSERT = """
insert into {table} ({columns})
select {values} from {staged} s
where {condition} and not exists (select from {table} t where t.id = s.id)
order by s.line
on conflict ({key}) do nothing
"""

_ADVANCE_IDENTITY = """
select setval(s.sequence, s.largest)
from (
    select pg_get_serial_sequence({name}, 'id')::regclass as sequence, max(id) as largest from {table}
) s
where s.largest > coalesce(pg_sequence_last_value(s.sequence), 0)
"""

_REPEATED = """
select s.line, s.key, s.first_line
from (
    select line, coalesce(external_id, id::text) as key, min(line) over (partition by {key}) as first_line
    from {staged} where {key} is not null
) s
where s.line > s.first_line
"""

_TAKEN = """
select s.line, s.external_id, s.id, t.id as owner
from {staged} s join {table} t on t.external_id = s.external_id
where s.id <> t.id
"""


def write_entities(staging: Staging, entity: Entity, source: Source[Any]) -> Written:
    """Insert the records of a source that are new, and update those that differ from what is there.

    A record stands for the row with its id, or if it has none for that with its external_id. Fields that the
    source does not fill stay as they are; attributes are merged by name. Rows that do not differ are not
    written, so that no unchanged text is embedded again.

    Raises:
        InvalidRecordError: a line is malformed, repeats a key, or takes the key of another row.
    """
    connection = staging.connection
    filled = [name for name in entity.columns if name in ("id", "external_id") or name in source.fields]
    total = staging.fill(f"import_{entity.name}", {name: entity.columns[name] for name in filled}, source)
    staging.report(f"writing {entity.name}", 0, total)
    _refuse_repeated(staging, entity, source, "external_id")
    _refuse_taken(staging, entity, source)
    connection.execute(_compose(entity, _FIND_IDS))
    _refuse_repeated(staging, entity, source, "id")
    without_id = [name for name in filled if name != "id"]
    # an update that names the key, even with the same value, locks its rows as a deletion would: until the
    # import ends, nobody could record an interaction with these items
    changing = without_id if "id" in source.fields else [name for name in without_id if name != "external_id"]
    updated = connection.execute(_update(entity, changing)).rowcount if changing else 0
    inserted = connection.execute(_insert(entity, filled, "s.id is not null")).rowcount
    advance_identity(connection, entity)
    inserted += connection.execute(_insert(entity, without_id, "s.id is null")).rowcount
    connection.execute(_compose(entity, "analyze {table}"))
    staging.report(f"writing {entity.name}", total, total)
    return Written(inserted, updated)


def advance_identity(connection: psycopg.Connection[Any], entity: Entity) -> None:
    """Make the next generated id larger than all there are, some of which applications may have chosen."""
    connection.execute(_compose(entity, _ADVANCE_IDENTITY, name=sql.Literal(f"recsys.{entity.name}")))


def _compose(entity: Entity, statement: LiteralString, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(statement).format(table=entity.table, staged=entity.staged, **parts)


def _list(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _update(entity: Entity, columns: Sequence[str]) -> sql.Composed:
    new = [_new_value(name) for name in columns]
    return _compose(
        entity,
        _UPDATE,
        assignments=_list(
            [
                sql.SQL("{} = {}").format(sql.Identifier(name), value)
                for name, value in zip(columns, new, strict=True)
            ]
        ),
        old=_list([sql.Identifier("t", name) for name in columns]),
        new=_list(new),
    )


def _new_value(column: str) -> sql.Composable:
    if column == "attributes":
        return sql.SQL("t.attributes || s.attributes")
    if column in ("external_id", "created_at"):
        return sql.SQL("coalesce({}, {})").format(sql.Identifier("s", column), sql.Identifier("t", column))
    return sql.Identifier("s", column)


def _insert(entity: Entity, columns: Sequence[str], condition: LiteralString) -> sql.Composed:
    return _compose(
        entity,
        _INSERT,
        columns=_list([sql.Identifier(name) for name in columns]),
        values=_list(
            [
                sql.SQL("coalesce(s.created_at, now())")
                if name == "created_at"
                else sql.Identifier("s", name)
                for name in columns
            ]
        ),
        condition=sql.SQL(condition),
        key=sql.Identifier("id" if "id" in columns else "external_id"),
    )


def _refuse_repeated(staging: Staging, entity: Entity, source: Source[Any], key: str) -> None:
    noun = entity.name.removesuffix("s")

    def explain(found: str, first_line: int) -> tuple[str, str]:
        return f"{noun} {shown(found)} is on line {first_line} already.", "Keep one of the two lines."

    query = _compose(entity, _REPEATED, key=sql.Identifier(key))
    staging.refuse_rows(f"import_{entity.name}", query, source, explain)


def _refuse_taken(staging: Staging, entity: Entity, source: Source[Any]) -> None:
    noun = entity.name.removesuffix("s")

    def explain(external_id: str, id_: int, owner: int) -> tuple[str, str]:
        return (
            f"{noun} {id_} has the external_id {shown(external_id)}, which is that of {noun} {owner}.",
            f"Correct one of the two keys, or give {noun} {owner} another one first.",
        )

    staging.refuse_rows(f"import_{entity.name}", _compose(entity, _TAKEN), source, explain)

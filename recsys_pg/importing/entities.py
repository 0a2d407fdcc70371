"""Items and users: inserted where they are new, updated where they differ, some thousand a transaction."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from recsys_pg.db import vector_schema
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
        "embedding": "vector",
    },
)
USERS = Entity("users", {"id": "int8", "external_id": "text", "attributes": "jsonb"})


@dataclass(frozen=True)
class Written:
    """How many rows were new, and how many differed."""

    inserted: int = 0
    updated: int = 0


CHUNK = 10_000
"""Records a transaction: applications wait no longer than it takes for a row that an import writes."""

_TRIES = 5

_FIND_IDS = """
update {staged} s set id = t.id from {table} t where s.id is null and t.external_id = s.external_id
"""

_UPDATE = """
update {table} t set {assignments} from {staged} s
where s.line between %(first)s and %(last)s and t.id = s.id and row({old}) is distinct from row({new})
"""

# A row that someone else inserts meanwhile under the same key stays as they wrote it.
_INSERT = """
insert into {table} ({columns})
select {values} from {staged} s
where s.line between %(first)s and %(last)s and {condition}
    and not exists (select from {table} t where t.id = s.id)
order by s.line
on conflict ({key}) do nothing
"""

_NEXT_LINES = """
select count(*), min(c.line), max(c.line)
from (select s.line from {staged} s where s.line > %s order by s.line limit %s) c
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


@dataclass(frozen=True)
class Staged:
    """The checked records of a source in a temporary table: how many, and which columns they fill."""

    entity: Entity
    columns: tuple[str, ...]
    updated_columns: tuple[str, ...]
    count: int


def stage_entities(staging: Staging, entity: Entity, source: Source[Any]) -> Staged:
    """Read the records of a source, and find the rows that they stand for.

    A record stands for the row with its id, or if it has none for that with its external_id.

    Raises:
        InvalidRecordError: a line is malformed, repeats a key, or takes the key of another row.
    """
    filled = [name for name in entity.columns if name in ("id", "external_id") or name in source.fields]
    count = staging.fill(f"import_{entity.name}", {name: entity.columns[name] for name in filled}, source)
    count -= _refuse_repeated(staging, entity, source, "external_id")
    count -= _refuse_taken(staging, entity, source)
    staging.connection.execute(_compose(entity, _FIND_IDS))
    count -= _refuse_repeated(staging, entity, source, "id")
    # an update that names the key, even with the same value, locks its rows as a deletion would: until it
    # ends, nobody could record an interaction with these items
    unchanged = ("id",) if "id" in source.fields else ("id", "external_id")
    return Staged(entity, tuple(filled), tuple(name for name in filled if name not in unchanged), count)


def write_entities(staging: Staging, staged: Staged) -> Written:
    """Insert the records that are new, and update those that differ from what is there.

    Fields that the source does not fill stay as they are; attributes are merged by name. Rows that do not
    differ are not written, so that no unchanged text is embedded again. What is done stays if it breaks off,
    and is found done when it is repeated.
    """
    entity, connection = staged.entity, staging.connection
    phase = f"writing {entity.name}"
    without_id = [name for name in staged.columns if name != "id"]
    vector = vector_schema(connection)
    update = _update(entity, staged.updated_columns, vector) if staged.updated_columns else None
    insert_known = _insert(entity, staged.columns, "s.id is not null")
    insert_new = _insert(entity, without_id, "s.id is null")
    inserted = updated = done = 0

    def write(lines: dict[str, int]) -> tuple[int, int]:
        with connection.transaction():
            changed = connection.execute(update, lines).rowcount if update else 0
            added = connection.execute(insert_known, lines).rowcount
            advance_identity(connection, entity)
            return added + connection.execute(insert_new, lines).rowcount, changed

    staging.report(phase, 0, staged.count)
    for count, lines in _chunks(connection, entity):
        added, changed = _again_after_deadlock(partial(write, lines))
        inserted, updated, done = inserted + added, updated + changed, done + count
        staging.report(phase, done, staged.count)
    connection.execute(_compose(entity, "analyze {table}"))
    return Written(inserted, updated)


def _chunks(connection: psycopg.Connection[Any], entity: Entity) -> Iterator[tuple[int, dict[str, int]]]:
    """How many records there are between two lines, and the lines; in order, some thousand at a time."""
    last = -1
    while True:
        row = connection.execute(_compose(entity, _NEXT_LINES), (last, CHUNK)).fetchone()
        if row is None or row[0] == 0:
            return
        count, first, last = row
        yield count, {"first": first, "last": last}


def _again_after_deadlock(work: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    for _ in range(_TRIES - 1):
        # an application that writes the same rows in another order
        with suppress(psycopg.errors.DeadlockDetected):
            return work()
    return work()


def advance_identity(connection: psycopg.Connection[Any], entity: Entity) -> None:
    """Make the next generated id larger than all there are, some of which applications may have chosen."""
    connection.execute(_compose(entity, _ADVANCE_IDENTITY, name=sql.Literal(f"recsys.{entity.name}")))


def _compose(entity: Entity, statement: LiteralString, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(statement).format(table=entity.table, staged=entity.staged, **parts)


def _list(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _update(entity: Entity, columns: Sequence[str], vector: str) -> sql.Composed:
    new = [_new_value(name, vector) for name in columns]
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


def _new_value(column: str, vector: str) -> sql.Composable:
    if column == "embedding":
        # as the trigger stores it, so that what is there already does not differ
        return sql.SQL("coalesce({}.l2_normalize(s.embedding), t.embedding)").format(sql.SQL(vector))
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


def _refuse_repeated(staging: Staging, entity: Entity, source: Source[Any], key: str) -> int:
    noun = entity.name.removesuffix("s")

    def explain(found: str, first_line: int) -> tuple[str, str]:
        return f"{noun} {shown(found)} is on line {first_line} already.", "Keep one of the two lines."

    query = _compose(entity, _REPEATED, key=sql.Identifier(key))
    return staging.refuse_rows(f"import_{entity.name}", query, source, explain)


def _refuse_taken(staging: Staging, entity: Entity, source: Source[Any]) -> int:
    noun = entity.name.removesuffix("s")

    def explain(external_id: str, id_: int, owner: int) -> tuple[str, str]:
        return (
            f"{noun} {id_} has the external_id {shown(external_id)}, which is that of {noun} {owner}.",
            f"Correct one of the two keys, or give {noun} {owner} another one first.",
        )

    return staging.refuse_rows(f"import_{entity.name}", _compose(entity, _TAKEN), source, explain)

"""The standby model and its vectors: registering it, asking for its vectors, counting and clearing them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from recsys_pg.errors import ModelError
from recsys_pg.types import Progress

_BATCH = 20_000
_ROWS_A_TRANSACTION = 2_000

_MODELS = """
select id, name, revision, is_active from recsys.models
where purpose = 'embedding' and (is_active or is_standby)
"""
_REGISTER = """
insert into recsys.models (purpose, name, revision, is_standby) values ('embedding', %s, %s, true)
on conflict (name, revision) where purpose = 'embedding' do update set is_standby = true
returning id
"""
_LAST_OF_BATCH = """
select max(b.id) from (select t.id from recsys.{} t where t.id >= %s order by t.id limit %s) b
"""
_ENQUEUE = """
insert into recsys.embedding_jobs (item_id, model_id)
select i.id, %s from recsys.items i
where i.id between %s and %s and i.standby_embedding is null
    and recsys.item_content(i.title, i.description, i.category, i.tags) <> ''
on conflict (item_id, model_id) do nothing
"""
_COVERAGE = """
select count(*) filter (where i.embedding is not null),
    count(*) filter (where i.embedding is not null and i.standby_embedding_model_id = %(model_id)s),
    count(*) filter (where i.embedding is not null and i.standby_embedding is null
        and recsys.item_content(i.title, i.description, i.category, i.tags) = ''),
    count(i.standby_embedding) filter (where i.standby_embedding_model_id <> %(model_id)s)
        + abs(count(i.standby_embedding) - (select count(*) from recsys.standby_searchable_items))
from recsys.items i
"""
_HAS_LEFTOVERS = """
select exists (select from recsys.standby_searchable_items)
    or exists (select from recsys.items i where i.standby_embedding is not null)
    or exists (select from recsys.users u where u.standby_embedding is not null)
"""
_WAITING = """
select count(*) filter (where j.failed_at is null), count(*) filter (where j.failed_at is not null)
from recsys.embedding_jobs j where j.model_id = %s
"""
_CLEAR = """
update recsys.{} t set standby_embedding = null
where t.id between %s and %s and t.standby_embedding is not null
"""


@dataclass(frozen=True)
class EmbeddingModel:
    """A row of recsys.models, of an embedding model that is active or standby."""

    id: int
    name: str
    revision: str


@dataclass(frozen=True)
class Coverage:
    """Of the items that have a vector of the active model.

    Attributes:
        items: how many there are.
        covered: those that have one of the standby model too.
        without_text: those that cannot, as nothing is known to embed.
        wrong: standby vectors of yet another model, and rows that the narrow copy lacks or has too many.
        waiting: jobs of the standby model that wait, of any item.
        failed: those that failed for good.
    """

    items: int
    covered: int
    without_text: int
    wrong: int
    waiting: int
    failed: int

    @property
    def share(self) -> float:
        """Covered of all; 1 where there is nothing to cover."""
        return self.covered / self.items if self.items else 1.0


def models(connection: psycopg.Connection[Any]) -> tuple[EmbeddingModel | None, EmbeddingModel | None]:
    """The active embedding model and the standby one."""
    found: dict[bool, EmbeddingModel] = {
        is_active: EmbeddingModel(model_id, name, revision)
        for model_id, name, revision, is_active in connection.execute(_MODELS)
    }
    return found.get(True), found.get(False)


def register(connection: psycopg.Connection[Any], name: str, revision: str) -> int:
    """Make a model the standby one, so that new and changed items are embedded by it too; returns its id.

    Raises:
        ModelError: another model is the standby one, or there is no active one.
    """
    active, standby = models(connection)
    if active is None:
        raise ModelError(
            "The database has no active embedding model.", "Run: recsys-pg worker, which registers its own."
        )
    if standby is None:
        (model_id,) = connection.execute(_REGISTER, (name, revision)).fetchone() or (0,)
        return int(model_id)
    if (standby.name, standby.revision) != (name, revision):
        raise ModelError(
            f"{standby.name} ({standby.revision}) is the standby model: the way back of a switch, or the aim"
            " of one that has not ended.",
            f"Switch to it: recsys-pg model switch {standby.name}."
            " Or give it up: recsys-pg model switch --finish.",
        )
    return standby.id


def ask_for_vectors(connection: psycopg.Connection[Any], model_id: int, progress: Progress) -> None:
    """Put all items that lack a vector of the standby model into its queue; what is there stays as it is."""
    (items,) = connection.execute("select count(*) from recsys.items").fetchone() or (0,)
    for done, between in _batches(connection, "items", _BATCH):
        connection.execute(_ENQUEUE, (model_id, *between))
        progress("ask for vectors", min(done, items), items)


def coverage(connection: psycopg.Connection[Any], model_id: int) -> Coverage:
    """How many items the standby model has embedded of those that have a vector; a scan of the items."""
    items = connection.execute(_COVERAGE, {"model_id": model_id}).fetchone() or (0, 0, 0, 0)
    jobs = connection.execute(_WAITING, (model_id,)).fetchone() or (0, 0)
    return Coverage(*items, *jobs)


def waiting(connection: psycopg.Connection[Any], model_id: int) -> int:
    """The jobs of a model that have not failed for good."""
    return int((connection.execute(_WAITING, (model_id,)).fetchone() or (0,))[0])


def has_leftovers(connection: psycopg.Connection[Any]) -> bool:
    """Whether there are vectors beside without a standby model, as after a `clear` that was killed."""
    _, standby = models(connection)
    return standby is None and connection.execute(_HAS_LEFTOVERS).fetchone() == (True,)


def retire(connection: psycopg.Connection[Any], model_id: int) -> None:
    """From now on nobody embeds by the standby model; its vectors stay. Waits for who is writing some."""
    with connection.transaction():
        # a worker that writes vectors holds the row in key share, which the update alone would not wait for
        connection.execute("select from recsys.models where id = %s for update", (model_id,))
        connection.execute("update recsys.models set is_standby = false where id = %s", (model_id,))
    drop_jobs(connection, model_id)


def drop_jobs(connection: psycopg.Connection[Any], model_id: int) -> None:
    """Delete the jobs of a model that nobody embeds by."""
    connection.execute("delete from recsys.embedding_jobs where model_id = %s", (model_id,))


def clear(connection: psycopg.Connection[Any], progress: Progress) -> None:
    """Remove all standby vectors, some thousand a transaction; later rows use the space again."""
    for table in ("items", "users"):
        counted = sql.SQL("select count(*) from recsys.{}").format(sql.Identifier(table))
        (rows,) = connection.execute(counted).fetchone() or (0,)
        for done, between in _batches(connection, table, _ROWS_A_TRANSACTION):
            connection.execute(sql.SQL(_CLEAR).format(sql.Identifier(table)), between)
            progress(f"clear {table}", min(done, rows), rows)


def _batches(
    connection: psycopg.Connection[Any], table: str, size: int
) -> Iterator[tuple[int, tuple[int, int]]]:
    """How many rows of a table there are up to the end of each batch, and its first and last id."""
    first, done = -(2**63), 0
    last_of_batch = sql.SQL(_LAST_OF_BATCH).format(sql.Identifier(table))
    while True:
        (last,) = connection.execute(last_of_batch, (first, size)).fetchone() or (None,)
        if last is None:
            return
        done += size
        yield done, (first, last)
        first = last + 1

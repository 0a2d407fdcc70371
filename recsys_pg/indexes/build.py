"""Building and dropping partial indexes while the shop is open."""

import time
from collections.abc import Sequence

import sqlalchemy as sa

from recsys_pg.db import vector_schema
from recsys_pg.errors import DatabaseError, InvalidArgumentError
from recsys_pg.indexes.condition import Connection, IndexCondition, count_items, index_expression, index_of
from recsys_pg.indexes.connection import connected_alone
from recsys_pg.indexes.listing import SearchIndex, read_indexes
from recsys_pg.types import ItemFilter, Progress, unheard
from recsys_pg.vector_index import VECTOR_BYTES, build_vector_index, memory_mb_for
from recsys_pg.watching import watched


def build(
    engine: sa.Engine,
    conditions: Sequence[IndexCondition],
    *,
    memory_mb: int | None = None,
    workers: int | None = None,
    progress: Progress = unheard,
) -> list[SearchIndex]:
    """Build the partial indexes with these conditions, one after the other; reads and writes go on meanwhile.

    An index that is ready is left as it is. What an interrupted build left behind is dropped and built anew,
    so that after a crash, an error or Ctrl-C the same call completes the work. Searches use an index from the
    moment that it is ready. PostgreSQL waits for transactions older than the build, however long they last.

    Args:
        engine: connects to the server itself, not through a transaction-pooling proxy, which would lose the
            lock that keeps a second builder out.
        memory_mb: maintenance_work_mem of the build, in MB. Left out: what the index needs, up to 2048, or
            the server's setting if that is more. An index that does not fit is built several times slower.
        workers: parallel workers beside the builder. Left out: the server's max_parallel_maintenance_workers.
        progress: called with the index, blocks done and blocks in all; see `recsys_pg.watching.watched`.

    Returns:
        The indexes, in the order of the conditions.

    Raises:
        InvalidArgumentError: a condition that no index can have, or a number out of range.
        DatabaseError: another process builds, or an index of that name is not ours.
        PermissionDeniedError: the role does not own recsys.items.
        ReadOnlyDatabaseError, DatabaseUnavailableError: as their names say.
    """
    if memory_mb is not None and not 1 <= memory_mb <= 2_000_000:
        raise InvalidArgumentError(
            f"memory_mb is {memory_mb}, not 1 to 2000000.", "Leave it out, or pass MB."
        )
    if workers is not None and not 0 <= workers <= 1024:
        raise InvalidArgumentError(
            f"workers is {workers}, not 0 to 1024.", "Leave it out for the server's setting."
        )
    names = []
    with connected_alone(engine) as builder:
        for condition in conditions:
            build_one = _Build(builder, condition, progress)
            build_one.run(memory_mb, workers)
            names.append(build_one.name)
        built = {index.index_name: index for index in read_indexes(builder)}
    return [built[name] for name in names]


def build_for(
    engine: sa.Engine,
    filter: ItemFilter,
    *,
    memory_mb: int | None = None,
    workers: int | None = None,
    progress: Progress = unheard,
) -> SearchIndex:
    """Build the partial index for exactly the items that a filter lets pass; see `build`.

    Raises:
        InvalidArgumentError: the filter has several categories, or what no index can have, such as a price.
    """
    condition = IndexCondition.of_filter(filter)
    (index,) = build(engine, [condition], memory_mb=memory_mb, workers=workers, progress=progress)
    return index


def drop(engine: sa.Engine, name: str) -> None:
    """Drop a partial index; reads and writes go on meanwhile, and searches stop using it at once.

    Raises:
        InvalidArgumentError: there is no partial index of that name; the hint lists those that are.
        DatabaseError: another process builds or drops.
    """
    with connected_alone(engine) as connection:
        known = [index.index_name for index in read_indexes(connection)]
        if name not in known:
            raise InvalidArgumentError(
                f"There is no partial index {name!r}.",
                f"There are: {', '.join(known)}." if known else "There is none.",
            )
        connection.execute("update recsys.search_indexes set is_ready = false where index_name = %s", (name,))
        _drop_index(connection, name)
        connection.execute("delete from recsys.search_indexes where index_name = %s", (name,))


class _Build:
    """The build of one index."""

    def __init__(self, builder: Connection, condition: IndexCondition, progress: Progress) -> None:
        self._builder = builder
        self._condition = condition
        self._progress = progress
        self.name, self._predicate = index_of(builder, condition)

    def run(self, memory_mb: int | None, workers: int | None) -> None:
        """Build it unless it is ready."""
        expression = index_expression(self._builder, self._condition, self._predicate)
        if self._is_complete():
            # the process that had it built may have been killed before it could write that down
            self._set_ready(None)
            return
        self._record()
        _drop_index(self._builder, self.name)
        rows = count_items(self._builder, self._condition, self._predicate)
        if workers is not None:
            self._builder.execute(f"set max_parallel_maintenance_workers = {workers}".encode())
        started = time.monotonic()
        build_vector_index(
            self._builder,
            lambda: self._create(expression),
            memory_mb=memory_mb or memory_mb_for(self._builder, rows, VECTOR_BYTES),
            undo=lambda: _drop_index(self._builder, self.name),
        )
        self._set_ready(time.monotonic() - started)

    def _set_ready(self, seconds: float | None) -> None:
        self._builder.execute(
            "update recsys.search_indexes s set is_ready = true, built_at = clock_timestamp(),"
            " built_rows = greatest(c.reltuples, 0), build_seconds = %s"
            " from pg_class c where s.index_name = %s and not s.is_ready"
            " and c.oid = to_regclass('recsys.' || s.index_name)",
            (seconds, self.name),
        )

    def _is_complete(self) -> bool:
        """Whether the index is there and valid; refuses to touch one of the same name that is not ours."""
        row = self._builder.execute(
            "select i.indisvalid and i.indisready, s.index_name is not null"
            " from pg_index i left join recsys.search_indexes s on s.index_name = %(name)s"
            " where i.indexrelid = to_regclass('recsys.' || %(name)s)",
            {"name": self.name},
        ).fetchone()
        if row is not None and not row[1]:
            raise DatabaseError(
                f"The index recsys.{self.name} exists, but recsys-pg indexes did not build it.",
                f"Drop it: drop index concurrently recsys.{self.name};",
            )
        return row is not None and bool(row[0])

    def _record(self) -> None:
        """Write down what is about to be built, so that whatever happens its leftover is known as ours."""
        self._builder.execute(
            "insert into recsys.search_indexes"
            " (index_name, category, tags, attributes, rule, rule_canonical, predicate)"
            " values (%(name)s, %(category)s, %(tags)s, %(attributes)s, %(rule)s,"
            "     (select r.canonical from recsys.filter_rules r where r.name = %(rule)s), %(predicate)s)"
            " on conflict (index_name) do update"
            " set is_ready = false, requested_at = now(),"
            "     built_at = null, built_rows = null, build_seconds = null",
            self._condition.parameters() | {"name": self.name, "predicate": self._predicate},
        )

    def _create(self, expression: str) -> None:
        vector = vector_schema(self._builder)
        # as the index of all items is: with another m, the planner might prefer that one
        (options,) = self._builder.execute(
            "select array_to_string(c.reloptions, ', ') from pg_class c"
            " where c.oid = to_regclass('recsys.items_embedding_idx')"
        ).fetchone() or (None,)
        statement = (
            f"create index concurrently {self.name} on recsys.items"
            f" using hnsw (embedding {vector}.vector_cosine_ops)"
            f" with ({options or 'ef_construction = 200'}) where {expression}"
        )
        watched(self._builder, self.name, lambda: self._builder.execute(statement.encode()), self._progress)


def _drop_index(connection: Connection, name: str) -> None:
    connection.execute(f"drop index concurrently if exists recsys.{name}".encode())

"""Which partial vector indexes the filters that really ran would gain from."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg
import sqlalchemy as sa

from recsys_pg.errors import ReadOnlyDatabaseError
from recsys_pg.indexes.condition import Connection, IndexCondition, count_items, index_of, is_indexable
from recsys_pg.indexes.connection import connected
from recsys_pg.indexes.listing import read_indexes, read_limits
from recsys_pg.vector_index import VECTOR_BYTES

ROWS_A_SECOND = 1_300
"""Speed of building one, before this database has built any: 200,000 rows took 157 seconds on 2 cores."""

_FILTERS = 200  # distinct filters looked at, those that took the most time
_CANDIDATES = 50  # conditions whose items are counted, those that might save the most time
_LEAST_SAMPLES = 3
_LEAST_SECONDS_A_DAY = 1.0
_SECONDS_A_DAY = 86_400
_SHORTEST_SPAN = 3_600  # a few minutes' sample says little about a day

# Filters that are the same, and what their searches took. Only an exact search counts what passes.
_GROUPS = f"""
    create temporary table filter_groups on commit drop as
    select row_number() over () as id, g.*
    from (select s.category, s.tags, s.attributes, s.rule, count(*) as samples, sum(s.searches) as searches,
              sum(s.searches * s.milliseconds) / sum(s.searches) as milliseconds,
              avg(s.rows_passing) filter (where s.strategy = 'exact')::double precision as rows_passing
          from recsys.filter_samples s
          where s.rule is null or exists (select from recsys.filter_rules r where r.name = s.rule)
          group by s.category, s.tags, s.attributes, s.rule
          order by sum(s.searches * s.milliseconds) desc limit {_FILTERS}) g
"""
_SERVED = """
    join filter_groups g on (c.category is null or g.category = c.category)
        and (c.tags is null or g.tags @> c.tags)
        and (c.attributes is null or g.attributes @> c.attributes) and (c.rule is null or g.rule = c.rule)
"""
# A filter implies several conditions: each of its parts, of its tags and of its attributes, and the whole.
_CONDITIONS = f"""
    with conditions (category, tags, attributes, rule) as (
        select g.category, null::text[], null::jsonb, null::text
            from filter_groups g where g.category is not null
        union select null, array[t.tag], null, null from filter_groups g, unnest(g.tags) t (tag)
        union select null, g.tags, null, null from filter_groups g where g.tags is not null
        union select null, null, jsonb_build_object(a.key, a.value), null
            from filter_groups g, jsonb_each(g.attributes) a
        union select null, null, g.attributes, null from filter_groups g where g.attributes is not null
        union select null, null, null, g.rule from filter_groups g where g.rule is not null
        union select g.category, g.tags, g.attributes, g.rule from filter_groups g
    )
    select c.category, c.tags, c.attributes, c.rule, array_agg(g.id)
    from conditions c {_SERVED}
    group by c.category, c.tags, c.attributes, c.rule
    having sum(g.samples) >= {_LEAST_SAMPLES}
    order by sum(g.searches * greatest(g.milliseconds - %s, 0)) desc, 1, 2, 3, 4 limit {_CANDIDATES}
"""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A partial index that searches would gain from.

    Attributes:
        rows: items that it would hold.
        searches_a_day: that it would serve, at the pace of the sample.
        milliseconds_now, milliseconds_then: what one of them takes, and would take.
        seconds_saved_a_day: the product: searches times milliseconds saved.
        size_bytes, build_seconds: what it would cost. Beside that, writing an embedding takes longer.
    """

    index_name: str
    condition: IndexCondition
    rows: int
    searches_a_day: float
    milliseconds_now: float
    milliseconds_then: float
    seconds_saved_a_day: float
    size_bytes: int
    build_seconds: float


@dataclass(frozen=True)
class Sample:
    """What advice is drawn from: samples, the oldest, the searches they stand for, the seconds they span."""

    samples: int
    since: datetime | None
    searches: float
    seconds: float


@dataclass
class _Group:
    """Searches with the same filter: how many a day, and what one costs with the indexes chosen so far."""

    searches_a_day: float
    milliseconds: float
    rows_passing: float

    def with_index(self, rows: int, walk: float) -> float:
        """Milliseconds with an index of so many rows; those that do not pass are walked for nothing."""
        return walk * max(1.0, rows / max(self.rows_passing, 1.0))


@dataclass(frozen=True)
class _Candidate:
    index_name: str
    condition: IndexCondition
    rows: int
    groups: Sequence[int]


def read_sample(engine: sa.Engine) -> Sample:
    """How much is known about the filters that really ran.

    Raises:
        ReadOnlyDatabaseError: the database is a replica, where there is no sample.
    """
    with connected(engine) as connection:
        return _sample(connection)


def advise(engine: sa.Engine) -> list[Advice]:
    """The partial indexes that the sampled searches would gain from, the largest gain first.

    An index is proposed for a category, tags, attributes, a rule, or a filter's combination of them, if more
    items meet it than are scanned as codes in the time of a walk (search.scan_limit), and at most half of
    all, above which the index of all items serves. Price and stock are never part of one. The gain is what
    sampled searches took less what a walk of the index takes, which is measured on this database. What an
    index proposed before it saves, or one that exists, is not counted again.

    Raises:
        ReadOnlyDatabaseError: the database is a replica.
        PermissionDeniedError: the role may not read the sample.
    """
    with connected(engine) as connection, connection.transaction(force_rollback=True):
        sample = _sample(connection)
        if sample.samples < _LEAST_SAMPLES:
            return []
        walk = _walk_milliseconds(connection)
        connection.execute(_GROUPS.encode())
        groups = _read_groups(connection, sample)
        _use_existing(connection, groups, walk)
        candidates = _candidates(connection, walk)
        bytes_a_row, rows_a_second = _costs(connection)
    advice = []
    while candidates:
        best = max(candidates, key=lambda each: sum(_savings(each, groups, walk)))
        candidates.remove(best)
        saved = sum(_savings(best, groups, walk))
        if saved < _LEAST_SECONDS_A_DAY:
            break
        served = [groups[each] for each in best.groups]
        searches = sum(group.searches_a_day for group in served)
        now = sum(group.searches_a_day * group.milliseconds for group in served) / searches
        advice.append(
            Advice(
                index_name=best.index_name,
                condition=best.condition,
                rows=best.rows,
                searches_a_day=searches,
                milliseconds_now=now,
                milliseconds_then=now - 1000 * saved / searches,
                seconds_saved_a_day=saved,
                size_bytes=round(best.rows * bytes_a_row),
                build_seconds=best.rows / rows_a_second,
            )
        )
        for group in served:
            group.milliseconds = min(group.milliseconds, group.with_index(best.rows, walk))
    return advice


def _savings(candidate: _Candidate, groups: Mapping[int, _Group], walk: float) -> Iterator[float]:
    """Seconds a day that an index saves the searches of each group that it serves."""
    for group in (groups[each] for each in candidate.groups):
        saved = group.milliseconds - group.with_index(candidate.rows, walk)
        yield group.searches_a_day * max(0.0, saved) / 1000


def _sample(connection: Connection) -> Sample:
    (replica,) = connection.execute("select pg_is_in_recovery()").fetchone() or (False,)
    if replica:
        raise ReadOnlyDatabaseError(
            "This is a replica, and searches on a replica are not sampled.",
            "Run recsys-pg indexes on the primary.",
        )
    row = connection.execute(
        "select count(*), min(sampled_at), coalesce(sum(searches), 0),"
        " coalesce(extract(epoch from clock_timestamp() - min(sampled_at)), 0)::double precision"
        " from recsys.filter_samples"
    ).fetchone()
    return Sample(*row) if row else Sample(0, None, 0, 0)


def _walk_milliseconds(connection: Connection) -> float:
    """What a search by a walk through a partial index takes here: the median of some.

    They walk the index of all, as broadly as a partial one is walked from a query that is not far from it.
    """
    rows = connection.execute(
        "select (select sum(t.milliseconds) from unnest(s.steps) t)"
        " from (select id from recsys.searchable_items order by random() limit 25) r"
        " join recsys.items i on i.id = r.id,"
        " recsys_api._search(i.embedding, 10, null) s"
    ).fetchall()
    return statistics.median([float(milliseconds) for (milliseconds,) in rows] or [0.0])


def _read_groups(connection: Connection, sample: Sample) -> dict[int, _Group]:
    days = max(sample.seconds, _SHORTEST_SPAN) / _SECONDS_A_DAY
    rows = connection.execute(
        "select id, searches, milliseconds, rows_passing, category, tags, attributes, rule from filter_groups"
    ).fetchall()
    groups = {}
    for group, searches, milliseconds, rows_passing, *columns in rows:
        passing = rows_passing or 0.0
        if rows_passing is None:
            # of what is known of the filter: a price or the stock may let fewer pass
            condition = IndexCondition.of_columns(*columns)
            with suppress(psycopg.errors.ProgrammingError), connection.transaction():  # a broken rule
                passing = count_items(connection, condition, index_of(connection, condition)[1])
        groups[group] = _Group(searches / days, milliseconds, passing)
    return groups


def _use_existing(connection: Connection, groups: Mapping[int, _Group], walk: float) -> None:
    """Take what the indexes that exist save, perhaps only since the sample, off what the groups take."""
    rows = connection.execute(
        f"select c.rows, g.id from recsys_report.search_indexes c {_SERVED} where c.state = 'ready'".encode()
    )
    for index_rows, group in rows:
        groups[group].milliseconds = min(
            groups[group].milliseconds, groups[group].with_index(index_rows, walk)
        )


def _candidates(connection: Connection, walk: float) -> list[_Candidate]:
    """The indexes that could be, each with the groups that it would serve."""
    existing = {index.index_name for index in read_indexes(connection)}
    limits = read_limits(connection)
    candidates = []
    for *columns, groups in connection.execute(_CONDITIONS.encode(), (walk,)):
        condition = IndexCondition.of_columns(*columns)
        name, predicate = index_of(connection, condition)
        if name not in existing and is_indexable(connection, condition, predicate):
            rows = count_items(connection, condition, predicate)
            if limits.scanned < rows <= limits.half:
                candidates.append(_Candidate(name, condition, rows, groups))
    return candidates


def _costs(connection: Connection) -> tuple[float, float]:
    """Bytes of an index a row, and rows built a second: of this database, if it has rows enough to tell."""
    row = connection.execute(
        """
        select (select pg_relation_size(c.oid) / c.reltuples from pg_class c
                where c.oid = to_regclass('recsys.items_embedding_idx') and c.reltuples >= 1000),
            (select sum(s.built_rows) / sum(s.build_seconds) from recsys.search_indexes s
             where s.built_rows >= 1000 and s.build_seconds > 0)
        """
    ).fetchone() or (None, None)
    return row[0] or VECTOR_BYTES, row[1] or ROWS_A_SECOND

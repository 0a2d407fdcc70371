"""The other ways in PostgreSQL: pgvector alone, exact scans, pgvectorscale; and what ours shares with them.

Each has a database of its own, all but pgvectorscale's on one server. They are configured alike, and asked
over one connection each, through psycopg, prepared, with binary vectors, for the ten items' id, title, price.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.conninfo import make_conninfo
from search_data import LENGTH, Catalogue, Condition, Floats, group_count
from search_engine import Built, Engine, Search, Setting

from recsys_pg import db

CONDITIONS = {
    "none": "",
    "category": "where category = %(topic)s",
    "tag": "where tags @> array[%(topic)s]",
    "price": "where price <= %(price)s",
}
LABELED = (50.0, 16.0, 10.0, 3.0, 1.0, 0.3)
"""The levels whose topics are labels in the index of pgvectorscale."""
_ELAPSED = re.compile(r"([\d.]+) s elapsed")


class Database:
    """What the engines in PostgreSQL have in common: a database, a connection, a query a condition."""

    storage: str
    database: str
    stands_on: Sequence[Engine] = ()

    def __init__(self, catalogue: Catalogue, server_url: str) -> None:
        self._catalogue = catalogue
        self._server_url = server_url
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def url(self) -> str:
        return make_conninfo(**db.connection_parameters(self._server_url) | {"dbname": self.database})

    @property
    def connection(self) -> psycopg.Connection[Any]:
        assert self._connection is not None
        return self._connection

    def open(self) -> None:
        self._connection = psycopg.connect(self.url, autocommit=True)
        self._connection.prepare_threshold = 0  # prepared from the first execution on
        register_vector(self._connection)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def configure(self, setting: Setting) -> None:
        self.connection.execute("reset all")
        for parameter, value in setting.items():
            self.connection.execute("select set_config(%s, %s, false)", (parameter, str(value)))

    def query(self, kind: str) -> str:
        """The statement that searches under a condition of this kind."""
        raise NotImplementedError

    def kind(self, condition: Condition) -> str:
        """Which of the engine's statements a condition takes."""
        return condition.column

    def parameters(self, vector: Floats, condition: Condition) -> dict[str, Any]:
        return {"query": vector, "topic": condition.topic, "price": condition.max_price}

    def search(self, vector: Floats, condition: Condition) -> list[int]:
        query = self.query(self.kind(condition))
        rows = self.connection.execute(query, self.parameters(vector, condition), binary=True).fetchall()
        return [row[0] for row in rows]

    def round_trip(self, calls: int) -> float:
        """Milliseconds of `select 1`, by the median: what the socket, the protocol and psycopg cost."""
        times = []
        for _ in range(calls):
            started = time.perf_counter()
            self.connection.execute("select 1", binary=True).fetchall()
            times.append(time.perf_counter() - started)
        return 1000 * float(np.median(times))

    def planning(self, searches: Sequence[Search]) -> float:
        """Milliseconds a search spends in the planner, mean, by log_planner_stats: functions' queries too."""
        elapsed: list[float] = []

        def listen(notice: psycopg.errors.Diagnostic) -> None:
            if "PLANNER STATISTICS" in (notice.message_primary or ""):
                elapsed.extend(float(match) for match in _ELAPSED.findall(notice.message_detail or "")[:1])

        self.connection.add_notice_handler(listen)
        self.connection.execute("set client_min_messages = log")
        self.connection.execute("set log_planner_stats = on")
        for vector, condition in searches:
            self.search(vector, condition)
        self.connection.execute("set log_planner_stats = off")
        self.connection.execute("reset client_min_messages")
        self.connection.remove_notice_handler(listen)
        return 1000 * sum(elapsed) / len(searches)

    def version(self) -> str:
        (server,) = self.connection.execute("show server_version").fetchone() or ("",)
        extensions = self.connection.execute(
            "select extname, extversion from pg_extension where extname like 'vector%' order by 1"
        ).fetchall()
        return ", ".join([f"PostgreSQL {server}", *(f"{name} {number}" for name, number in extensions)])

    def _create(self, template: str = "template1") -> None:
        with psycopg.connect(self._server_url, autocommit=True) as admin:
            names = (sql.Identifier(self.database), sql.Identifier(template))
            admin.execute(sql.SQL("drop database if exists {} with (force)").format(names[0]))
            admin.execute(sql.SQL("create database {} template {}").format(*names))

    def _copy(self, table: str, labels: Callable[[int], list[int]] | None = None) -> float:
        """Load the catalogue into a table with these columns; seconds."""
        catalogue = self._catalogue
        columns = "id, title, description, category, tags, price, embedding"
        types = ["int8", "text", "text", "text", "text[]", "numeric", "vector"]
        if labels:
            columns, types = f"{columns}, labels", [*types, "int2[]"]
        started = time.perf_counter()
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"copy {table} ({columns}) from stdin (format binary)") as copy,
        ):
            copy.set_types(types)
            for item in range(catalogue.rows):
                row = (
                    item + 1,
                    catalogue.titles[item],
                    catalogue.descriptions[item],
                    catalogue.category(item),
                    catalogue.tags(item),
                    catalogue.price(item),
                    catalogue.vectors[item],
                )
                copy.write_row((*row, labels(item)) if labels else row)
        return time.perf_counter() - started

    def _index(self, statement: str) -> float:
        """Build the vector index with memory enough for it; seconds."""
        megabytes = max(512, 3 * self._catalogue.rows // 1000)
        self.connection.execute("select set_config('maintenance_work_mem', %s, false)", (f"{megabytes}MB",))
        started = time.perf_counter()
        self.connection.execute(statement)
        return time.perf_counter() - started


class Pgvector(Database):
    """pgvector as its README shows it, on a table of its own with an index on every column that filters.

    That includes the price, of which recsys_pg indexes the band only, so that updates stay cheap. The
    vector index is built as carefully as recsys_pg's.
    """

    storage = "pgvector"
    database = "search_pgvector"
    extension = "vector"
    labels: Callable[[int], list[int]] | None = None
    index = "hnsw (embedding vector_cosine_ops) with (ef_construction = 200)"
    order = "embedding <=> %(query)b"

    def build(self) -> Built:
        self._create()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"create extension {self.extension} cascade")
        self.open()
        self.connection.execute(
            "create table items (id bigint primary key, title text, description text, category text,"
            " tags text[], price numeric, embedding vector(384))"
        )
        if self.labels:
            self.connection.execute("alter table items add column labels smallint[] not null")
        # as in recsys.items: out of line, an exact scan would be slower
        self.connection.execute("alter table items alter embedding set storage plain")
        loading = self._copy("items", self.labels)
        self.connection.execute("create index on items (category)")
        self.connection.execute("create index on items using gin (tags)")
        self.connection.execute("create index on items (price)")
        indexing = self._index(f"create index items_embedding_idx on items using {self.index}")
        self.connection.execute("vacuum analyze")
        row = self.connection.execute(
            "select pg_relation_size('items_embedding_idx'), pg_total_relation_size('items')"
        ).fetchone()
        assert row is not None
        self.close()
        return Built(loading, indexing, *row)

    def configure(self, setting: Setting) -> None:
        # planned for the filter's values each time: a generic plan takes every filter for the same
        super().configure({"plan_cache_mode": "force_custom_plan"} | dict(setting))

    def query(self, kind: str) -> str:
        return f"select id, title, price from items {CONDITIONS[kind]} order by {self.order} limit {LENGTH}"


class Exact(Pgvector):
    """The same table without its vector index: all rows that pass are compared."""

    order = "(embedding <=> %(query)b) + 0"


class Vectorscale(Pgvector):
    """pgvectorscale's StreamingDiskANN. Topics are labels in it; the price is checked on what it streams.

    The smallest topics have a GIN index instead: 11,000 labels made the index of 20,000 rows 713 MB large.
    """

    storage = "pgvectorscale"
    database = "search_vectorscale"
    extension = "vectorscale"
    index = "diskann (embedding vector_cosine_ops, labels)"

    def labels(self, item: int) -> list[int]:
        return [self._label(level, int(self._catalogue.groups[level][item])) for level in LABELED]

    def _label(self, level: float, group: int) -> int:
        return sum(group_count(other) for other in LABELED if other > level) + group

    def query(self, kind: str) -> str:
        if kind != "label":
            return super().query(kind)
        return (
            "select id, title, price from items where labels && array[%(label)s]::smallint[]"
            f" order by {self.order} limit {LENGTH}"
        )

    def kind(self, condition: Condition) -> str:
        return "label" if condition.level in LABELED else condition.column

    def parameters(self, vector: Floats, condition: Condition) -> dict[str, Any]:
        label = self._label(condition.level, condition.group) if condition.level in LABELED else None
        return super().parameters(vector, condition) | {"label": label}

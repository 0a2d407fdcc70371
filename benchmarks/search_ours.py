"""recsys_pg in the search benchmark, without and with advised indexes, and the bare index under both."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from search_data import CATEGORY_LEVEL, LENGTH, Catalogue, topic_name
from search_engine import Built, Engine, Search, Setting
from search_postgres import Database

from recsys_pg import db, indexes, schema
from recsys_pg.calibration import calibrate
from recsys_pg.types import ItemFilter

FILTERS = {
    "none": "null",
    "category": "recsys_api.item_filter(categories => array[%(topic)s])",
    "tag": "recsys_api.item_filter(tags => array[%(topic)s])",
    "price": "recsys_api.item_filter(max_price => %(price)s)",
}


class Recsys(Database):
    """recsys_api.search_items."""

    storage = "recsys_pg"
    database = "search_recsys"
    index = "recsys.items_embedding_idx"

    def build(self) -> Built:
        self._create()
        schema.migrate(db.create_engine(self.url, poolclass=sa.NullPool))
        self.open()
        self.connection.execute("drop index recsys.items_embedding_idx")
        loading = self._copy("recsys.items")
        indexing = self._index(
            "create index items_embedding_idx on recsys.items"
            " using hnsw (embedding vector_cosine_ops) with (ef_construction = 200)"
        )
        self.connection.execute("vacuum analyze")
        row = self.connection.execute(
            "select pg_relation_size('recsys.items_embedding_idx'),"
            " pg_total_relation_size('recsys.searchable_items'), pg_total_relation_size('recsys.items')"
        ).fetchone()
        assert row is not None
        graph, narrow, items = row
        self.close()
        note = f"of the index, {narrow / 2**20:.0f} MB are recsys.searchable_items with its indexes"
        return Built(loading, indexing, graph + narrow, items + narrow, note)

    def open(self) -> None:
        # the functions of today, though the data may be of an earlier run
        schema.migrate(db.create_engine(self.url, poolclass=sa.NullPool))
        super().open()

    def calibrate(self) -> None:
        """Fit the settings of search to this database."""
        calibrate(db.create_engine(self.url, poolclass=sa.NullPool))

    def search_settings(self) -> dict[str, int]:
        """The settings of search that calibration may change."""
        rows = self.connection.execute(
            "select key, (value #>> '{}')::integer from recsys.settings where key in"
            " ('search.ef_search', 'search.rerank', 'search.exact_limit', 'search.scan_limit') order by key"
        ).fetchall()
        return dict(rows)

    def query(self, kind: str) -> str:
        return (
            f"select item_id, title, price from recsys_api.search_items(%(query)b, {LENGTH}, {FILTERS[kind]})"
        )

    def strategies(self, searches: Sequence[Search]) -> dict[str, int]:
        """How many of the searches were answered by which strategy."""
        counts: Counter[str] = Counter()
        for vector, condition in searches:
            steps = self.connection.execute(
                f"select strategy from recsys_api.explain_search(%(query)b, {LENGTH},"
                f" {FILTERS[condition.column]})",
                self.parameters(vector, condition),
            ).fetchall()
            counts[steps[-1][0]] += 1
        return dict(counts.most_common())


class BareIndex(Recsys):
    """The statement that a user would write for the same index, unfiltered, with the same hnsw.ef_search."""

    def configure(self, setting: Setting) -> None:
        (breadth,) = self.connection.execute(
            "select recsys_api._setting('search.ef_search')::integer"
        ).fetchone() or (0,)
        super().configure({"hnsw.ef_search": breadth} | dict(setting))

    def query(self, kind: str) -> str:
        return f"select id, title, price from recsys.items order by embedding <=> %(query)b limit {LENGTH}"


class AdvisedRecsys(Recsys):
    """The same database, cloned, with the advised index of every topic of the given selectivities."""

    storage = "recsys_pg, advised"
    database = "search_recsys_advised"

    def __init__(self, catalogue: Catalogue, server_url: str, levels: list[float]) -> None:
        super().__init__(catalogue, server_url)
        self._levels = levels

    @property
    def stands_on(self) -> Sequence[Engine]:
        return (Recsys(self._catalogue, self._server_url),)

    def build(self) -> Built:
        self._create(template=Recsys.database)
        engine = db.create_engine(self.url, poolclass=sa.NullPool)
        schema.migrate(engine)
        started = time.perf_counter()
        for item_filter in self._filters():
            indexes.build_for(engine, item_filter)
        seconds = time.perf_counter() - started
        self.open()
        row = self.connection.execute(
            "select count(*), coalesce(sum(pg_relation_size(c.oid)), 0)::bigint,"
            " pg_total_relation_size('recsys.items') + pg_total_relation_size('recsys.searchable_items')"
            " from recsys.search_indexes s"
            " join pg_class c on c.relname = s.index_name and c.relnamespace = 'recsys'::regnamespace"
            " where s.is_ready"
        ).fetchone()
        assert row is not None
        count, advised, everything = row
        self.close()
        return Built(0.0, seconds, advised, everything, f"{count} partial indexes more than without advice")

    def _filters(self) -> Iterator[ItemFilter]:
        for level in self._levels:
            for group in range(int(100 / level + 1e-9)):
                if level == CATEGORY_LEVEL:
                    yield ItemFilter(categories=(topic_name(level, group),))
                else:
                    yield ItemFilter(tags=(topic_name(level, group),))

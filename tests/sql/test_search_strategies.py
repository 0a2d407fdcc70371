"""Each strategy of a search: when it is taken, what it reads, and that its rows are the right ones.

The statements inside a function cannot be explained from outside, but the transaction counts what they read.
"""

from dataclasses import dataclass, field

import numpy as np
import psycopg
import pytest
from pgvector import Vector
from pgvector.psycopg import register_vector

EMBEDDED = 5_000
IDS = np.arange(1, EMBEDDED + 1)
CENTS = IDS * 7919 % 10_000
CATEGORY = IDS % 50

ADVISED = """
insert into recsys.search_indexes (index_name, tags, predicate, is_ready, built_at)
values ('items_embedding_0000000a_idx', '{tag 3}', recsys_api._index_predicate(null, '{tag 3}', null, null),
    true, now());
create index items_embedding_0000000a_idx on recsys.items using hnsw (embedding vector_cosine_ops)
    where tags @> '{tag 3}';
"""


@dataclass(frozen=True)
class Case:
    """A search from the middle of category 7, and what it should do."""

    filter: str
    passes: np.ndarray
    steps: list[str]
    reads: set[str] | None
    settings: dict[str, int] = field(default_factory=dict)
    n: int = 10
    setup: str = ""


DEFAULTS = {"ef_search": 100, "exact_limit": 2_000, "scan_limit": 50_000, "rerank": 400}
SMALL = {"exact_limit": 50}  # as if 5,000 items were a million
SMALLER = {"exact_limit": 50, "scan_limit": 0}
EVERY = np.full(EMBEDDED, True)
CASES = {
    "a category, exact": Case(
        "categories => '{Category 7}'", CATEGORY == 7, ["exact"], {"searchable_items_category_idx"}
    ),
    "categories in stock, exact": Case(
        "categories => '{Category 7,Category 8}', in_stock => true",
        np.isin(CATEGORY, [7, 8]) & (IDS % 5 != 0),
        ["exact"],
        {"searchable_items_category_idx"},
    ),
    "a price, exact": Case("max_price => 3", CENTS <= 300, ["exact"], {"searchable_items_price_band_idx"}),
    "a range of prices, exact": Case(
        "min_price => 50, max_price => 52",
        (CENTS >= 5000) & (CENTS <= 5200),
        ["exact"],
        {"searchable_items_price_band_idx"},
    ),
    "a tag, exact": Case("tags => '{tag 3}'", IDS % 7 == 3, ["exact"], {"searchable_items_tags_idx"}),
    "attributes, exact": Case(
        'attributes => \'{"size": {"eu": 44}}\'',
        IDS % 100 == 7,
        ["exact"],
        {"searchable_items_attributes_idx"},
        setup='update recsys.items set attributes = \'{"size": {"eu": 44, "us": 10}}\' where id % 100 = 7',
    ),
    "ids, exact": Case(
        "item_ids => '{7,57,58,59,6000,77777}'", np.isin(IDS, [7, 57, 58, 59]), ["exact"], set()
    ),
    "nothing, exact": Case("categories => '{}'", ~EVERY, ["exact"], set()),
    "no filter, index walk": Case("", EVERY, ["index_walk"], {"items_embedding_idx"}),
    "all but the nearest, index walk": Case(
        "exclude_item_ids => '{7,57,107}'",
        ~np.isin(IDS, [7, 57, 107]),
        ["index_walk"],
        {"items_embedding_idx"},
    ),
    "half of all, index walk": Case(
        "max_price => 70",
        CENTS <= 7000,
        ["index_walk"],
        {"items_embedding_idx"},
        SMALLER,
    ),
    "a tag that has an index, partial index": Case(
        "tags => '{tag 3}', in_stock => true",
        (IDS % 7 == 3) & (IDS % 5 != 0),
        ["partial_index"],
        {"items_embedding_0000000a_idx"},
        {"scan_limit": 1_000},
        setup=ADVISED,
    ),
    "few of what has an index, exact": Case(
        "tags => '{tag 3}', max_price => 4",
        (IDS % 7 == 3) & (CENTS <= 400),
        ["partial_index", "exact"],
        {"items_embedding_0000000a_idx", "searchable_items_price_band_idx", "searchable_items_tags_idx"},
        {"scan_limit": 0},
        setup=ADVISED,
    ),
    "another category, code scan": Case(
        "categories => '{Category 8}'",
        CATEGORY == 8,
        ["code_scan"],
        {"searchable_items_category_idx"},
        SMALL,
    ),
    "a price, code scan": Case(
        "max_price => 5", CENTS <= 500, ["code_scan"], {"searchable_items_price_band_idx"}, SMALL
    ),
    # a third of the items are compared in the end, for which either plan is right
    "more than a walk finds, code scan": Case("", EVERY, ["code_scan"], None, n=251),
    "one far category by what is left out, exact": Case(
        "exclude_item_ids => array("
        "select generate_series(1, 5000) except select generate_series(8, 5000, 50))",
        CATEGORY == 8,
        ["index_walk", "exact"],
        {"items_embedding_idx", "searchable_items"},
    ),
    "a rule over what the copy lacks, full scan": Case(
        "rule => 'titled'",
        IDS % 10 == 7,
        ["full_scan"],
        {"items"},
        {"exact_limit": 20, "ef_search": 10},
        setup="select recsys_api.define_rule('titled', 'title like ''%7''')",
        n=130,
    ),
}
UNAWARE = """
create or replace function recsys_api._near_share(
    query vector, filter recsys_api.filter, conditions text, share double precision)
returns double precision language sql as 'select share'
"""
QUERIES = 8


def query_vectors(embeddings):
    """Unit vectors near to items of category 7."""
    random = np.random.default_rng(5)
    near = embeddings[np.flatnonzero(CATEGORY == 7)[:QUERIES]] + 0.02 * random.standard_normal((QUERIES, 384))
    return near / np.linalg.norm(near, axis=1, keepdims=True)


def filter_sql(conditions):
    return f"recsys_api.item_filter({conditions})" if conditions else "null"


def scans(connection):
    """How often this transaction has scanned each relation that a search may read, primary keys aside."""
    return dict(
        connection.execute(
            "select c.relname, pg_stat_get_xact_numscans(c.oid) from pg_class c"
            " where c.relnamespace = 'recsys'::regnamespace and c.relname ~ '^(searchable_)?items'"
            " and c.relname !~ '_pkey$'"
        ).fetchall()
    )


@pytest.fixture
def connection(large_catalogue):
    """A transaction on the large catalogue, rolled back after the test."""
    with psycopg.connect(large_catalogue.url) as connection:
        register_vector(connection)
        yield connection
        connection.rollback()


def set_up(connection, settings, setup=""):
    for name, value in settings.items():
        changed = connection.execute(
            "update recsys.settings set value = %s::text::jsonb where key = %s", (value, f"search.{name}")
        )
        assert changed.rowcount == 1
    if setup:
        connection.execute(setup)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_search_takes_the_way_that_fits_and_finds_the_nearest(large_catalogue, connection, case):
    set_up(connection, DEFAULTS | case.settings, case.setup)
    arguments = f"%s, {case.n}, {filter_sql(case.filter)}"
    recalls = []
    for query in query_vectors(large_catalogue.embeddings):
        before = scans(connection)
        found = connection.execute(
            f"select item_id, score from recsys_api.search_items({arguments})", (Vector(query),)
        ).fetchall()
        after = scans(connection)
        explained = connection.execute(
            f"select strategy, rows_compared, rows_passing from recsys_api.explain_search({arguments})",
            (Vector(query),),
        ).fetchall()
        assert [strategy for strategy, *_ in explained] == case.steps
        if case.reads is not None:
            assert {name for name, scanned in after.items() if scanned > before[name]} == case.reads

        cosines = large_catalogue.embeddings @ query
        for strategy, rows_compared, rows_passing in explained:
            if strategy in ("partial_index", "index_walk"):
                indexed = np.flatnonzero(IDS % 7 == 3 if strategy == "partial_index" else EVERY)
                walked = indexed[np.argsort(-cosines[indexed])][:rows_compared]
                assert rows_passing == pytest.approx(np.count_nonzero(case.passes[walked]), abs=3)
            else:
                assert rows_passing == np.count_nonzero(case.passes)
        passing = np.flatnonzero(case.passes)
        nearest = passing[np.argsort(-cosines[passing])][: case.n] + 1
        ids = [item_id for item_id, _ in found]
        assert len(set(ids)) == len(ids) == len(nearest)
        assert case.passes[np.array(ids, dtype=int) - 1].all()
        assert [score for _, score in found] == pytest.approx(cosines[np.array(ids, dtype=int) - 1], abs=1e-5)
        recalls.append(len(set(ids) & set(nearest)) / max(1, len(nearest)))
        if case.steps[-1] in ("exact", "full_scan"):
            assert ids == list(nearest)
    assert len(found) == 0 or np.mean(recalls) >= 0.99


def test_a_walk_that_finds_too_few_is_made_once_more_and_more_broadly(large_catalogue, connection):
    # as if the sample of what is near had told nothing
    set_up(connection, DEFAULTS | {"scan_limit": 0}, UNAWARE)
    for query in query_vectors(large_catalogue.embeddings):
        order = np.argsort(-(large_catalogue.embeddings @ query))
        passing = np.concatenate([order[:100:5], order[100:]])  # of the nearest hundred every fifth
        arguments = "%s, 10, recsys_api.item_filter(item_ids => %s)"
        values = (Vector(query), (passing + 1).tolist())
        steps = connection.execute(
            f"select strategy, rows_compared, rows_passing from recsys_api.explain_search({arguments})",
            values,
        ).fetchall()
        found = connection.execute(
            f"select item_id from recsys_api.search_items({arguments})", values
        ).fetchall()
        assert [strategy for strategy, *_ in steps] == ["index_walk", "index_walk"]
        assert steps[0][2] < 10 <= steps[1][2]
        assert steps[1][1] >= 2 * steps[0][1]
        assert len({item_id for (item_id,) in found} & set((passing[:10] + 1).tolist())) >= 9
        assert len(found) == 10

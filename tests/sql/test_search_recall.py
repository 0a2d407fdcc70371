"""search_items against an exact scan with numpy, at every selectivity; design.md, section 3, invariant 1."""

import numpy as np
import psycopg
import pytest

QUERIES = 25
EMBEDDED = 5_000
PRICES = np.arange(1, EMBEDDED + 1) * 7919 % 10_000 / 100
CATEGORIES = np.arange(1, EMBEDDED + 1) % 50

# what passes besides, the SQL of the filter, and how the query's own category c decides it
FILTERS = {
    "no filter": (lambda c: "null", lambda c: np.full(EMBEDDED, True)),
    "independent, 50 %": (
        lambda c: "recsys_api.item_filter(max_price => 50)",
        lambda c: np.less_equal(PRICES, 50),
    ),
    "independent, 16 %": (
        lambda c: "recsys_api.item_filter(max_price => 16)",
        lambda c: np.less_equal(PRICES, 16),
    ),
    "independent, 5 %": (
        lambda c: "recsys_api.item_filter(max_price => 5)",
        lambda c: np.less_equal(PRICES, 5),
    ),
    "independent, 3 %": (
        lambda c: "recsys_api.item_filter(max_price => 3)",
        lambda c: np.less_equal(PRICES, 3),
    ),
    "independent, 0.1 %": (
        lambda c: "recsys_api.item_filter(max_price => 0.1)",
        lambda c: np.less_equal(PRICES, 0.1),
    ),
    "the query's own category": (
        lambda c: f"recsys_api.item_filter(categories => '{{Category {c}}}')",
        lambda c: np.equal(CATEGORIES, c),
    ),
    "a far category": (
        lambda c: f"recsys_api.item_filter(categories => '{{Category {(c + 1) % 50}}}')",
        lambda c: np.equal(CATEGORIES, (c + 1) % 50),
    ),
    "every category but the query's own": (
        lambda c: (
            "recsys_api.item_filter(categories => array(select 'Category ' || g"
            f" from generate_series(0, 49) g where g <> {c}))"
        ),
        lambda c: np.not_equal(CATEGORIES, c),
    ),
}


# the second limit makes the search walk the index under the filter, as in a catalogue of millions
CASES = [(name, limit) for name in FILTERS for limit in (10_000, 50)]


@pytest.mark.parametrize(("name", "exact_limit"), CASES)
def test_a_filtered_search_finds_what_an_exact_scan_finds(large_catalogue, name, exact_limit):
    sql, mask = FILTERS[name]
    random = np.random.default_rng(11)
    recalls = []
    with psycopg.connect(large_catalogue.url) as connection:
        connection.execute(
            "update recsys.settings set value = %s::text::jsonb where key = 'search.exact_limit'",
            (exact_limit,),
        )
        connection.execute("select '[1]'::vector")  # loads the library, whose settings the next line sets
        connection.execute("set local hnsw.ef_search = 77; set local hnsw.iterative_scan = 'strict_order'")
        for _ in range(QUERIES):
            row = int(random.integers(EMBEDDED))
            query = large_catalogue.embeddings[row] + 0.02 * random.standard_normal(384)
            c = int(CATEGORIES[row])
            passing = np.flatnonzero(mask(c))
            order = np.argsort(-(large_catalogue.embeddings[passing] @ query), kind="stable")
            expected = {int(item) + 1 for item in passing[order[:10]]}
            found = connection.execute(
                f"select item_id from recsys_api.search_items(%s::real[]::vector, 10, {sql(c)})",
                (query.tolist(),),
            ).fetchall()
            assert len(found) == min(10, len(passing))
            recalls.append(len(expected & {item for (item,) in found}) / len(expected))
        assert connection.execute("show hnsw.ef_search").fetchone() == ("77",)
        assert connection.execute("show hnsw.iterative_scan").fetchone() == ("strict_order",)
        connection.rollback()
    assert np.mean(recalls) >= 0.99


@pytest.mark.parametrize("n", [1, 100, 1000])
def test_a_search_never_gives_fewer_rows_than_pass(large_catalogue, n):
    query = large_catalogue.embeddings[3].tolist()
    with psycopg.connect(large_catalogue.url) as connection:
        for max_price in (0.05, 1, 7, 30, 100):
            (rows,) = connection.execute(
                "select count(*) from recsys_api.search_items(%s::real[]::vector, %s,"
                " recsys_api.item_filter(max_price => %s::numeric))",
                (query, n, max_price),
            ).fetchone()
            assert rows == min(n, int(np.sum(max_price >= PRICES)))


def test_recommendations_by_content_and_by_all_methods_fill_their_list(large_catalogue):
    with psycopg.connect(large_catalogue.url) as connection:
        for method in ("hybrid", "item_based", "user_based", "content", "popular"):
            (rows,) = connection.execute(
                "select count(*) from recsys_api.recommend_for_user(5, 1000, method => %s)", (method,)
            ).fetchone()
            assert rows == 1000


@pytest.mark.parametrize("n", [10, 60])
@pytest.mark.parametrize("one_in", [2, 5, 20])
def test_under_row_security_a_search_finds_the_nearest_of_what_may_be_seen(large_catalogue, one_in, n):
    visible = np.flatnonzero(np.arange(1, EMBEDDED + 1) % one_in == 0)
    random = np.random.default_rng(3)
    recalls = []
    with psycopg.connect(large_catalogue.url) as connection:
        connection.execute("update recsys.settings set value = '50' where key = 'search.exact_limit'")
        connection.execute(f"create policy visible on recsys.items using (id % {one_in} = 0)")
        connection.execute("alter table recsys.items enable row level security")
        connection.execute("create role visitor in role recsys_app")
        connection.execute("set local role visitor")
        for _ in range(QUERIES):
            query = large_catalogue.embeddings[int(random.integers(EMBEDDED))]
            query = query + 0.02 * random.standard_normal(384)
            order = np.argsort(-(large_catalogue.embeddings[visible] @ query), kind="stable")
            expected = {int(item) + 1 for item in visible[order[:n]]}
            found = connection.execute(
                "select item_id from recsys_api.search_items(%s::real[]::vector, %s)", (query.tolist(), n)
            ).fetchall()
            assert len(found) == n
            recalls.append(len(expected & {item for (item,) in found}) / n)
        connection.rollback()
    assert np.mean(recalls) >= 0.99

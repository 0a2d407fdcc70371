"""The search of targets by inner product: walks in bands of lengths, and a scan of what passes a filter."""

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

from recsys_pg.collaborative.length_classes import classify_lengths
from recsys_pg.collaborative.partitions import attach_partitions, create_partitions, index_partitions

ITEMS = 4_000
NICHE = slice(3_000, 3_060)
"""Items whose targets are short and lead mostly where no others do."""


def some_targets():
    """(ITEMS, 384) in 48 dimensions, whose lengths follow a power law: there are some in each band."""
    random = np.random.default_rng(4)
    targets = np.zeros((ITEMS, 384), np.float32)
    targets[:, :48] = random.standard_normal((ITEMS, 48))
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    targets *= np.maximum(0.02, random.permutation(np.arange(1, ITEMS + 1) ** -0.5))[:, None]
    targets[NICHE] *= 0.025 / np.linalg.norm(targets[NICHE], axis=1, keepdims=True)
    targets[NICHE, 100:103] = 0.02 * random.random((60, 3))
    return targets.astype(np.float16)


@pytest.fixture(scope="module")
def factors(server) -> Iterator[tuple[str, int]]:
    """A database with a model of these targets, and the model's id."""
    url = server.create_database()
    with psycopg.connect(url, autocommit=True) as connection:
        (model,) = connection.execute(
            "insert into recsys.models (purpose, name, revision, decays)"
            " values ('collaborative', 'by hand', '1', '{1}') returning id"
        ).fetchone()
        connection.execute(
            "insert into recsys.items (id, title, category, in_stock, price)"
            " select i, 'item ' || i, 'c' || mod(i, 40), mod(i, 5) <> 0, i from generate_series(1, %s) i",
            (ITEMS,),
        )
        create_partitions(connection, model)
        copy_in = f"copy recsys.item_factors_{model} (model_id, item_id, target, history) from stdin"
        with connection.cursor().copy(copy_in) as copy:
            for item, target in enumerate(some_targets(), start=1):
                vector = f"[{','.join(map(str, target.tolist()))}]"
                copy.write_row((model, item, vector, f'{{"{vector}"}}'))
        index_partitions(connection, model)
        attach_partitions(connection, model)
        classify_lengths(connection, model)
        connection.execute("vacuum analyze recsys.items, recsys.item_factors")
    yield url, model
    server.drop_database(url)


@pytest.fixture
def connection(factors) -> Iterator[psycopg.Connection]:
    with psycopg.connect(factors[0]) as connection:
        yield connection
        connection.rollback()


def queries(count=20):
    random = np.random.default_rng(8)
    vectors = np.zeros((count, 384), np.float32)
    vectors[:, :48] = random.standard_normal((count, 48))
    return vectors


def nearest(connection, model, query, filter="null", *, k=50, enough=10, passing=None, breadth=2_000):
    return connection.execute(
        "select item_id, score from recsys_api._nearest_factors("
        f"%s::real[]::vector, %s, %s, {filter}, %s, %s::bigint[], %s)",
        (query.tolist(), k, enough, model, passing, breadth),
    ).fetchall()


def exact(query, passes, k):
    """The items that pass and have the largest products, the largest first."""
    scores = some_targets().astype(np.float32) @ query.astype(np.float16).astype(np.float32)
    scores = np.where(passes, scores, -np.inf)
    return (np.argsort(-scores, kind="stable")[:k] + 1).tolist(), scores


def passing(which):
    items = np.arange(1, ITEMS + 1)
    return {
        "null": np.ones(ITEMS, bool),
        "recsys_api.item_filter(in_stock => true)": items % 5 != 0,
        "recsys_api.item_filter(categories => array['c3', 'c7', 'c11'])": np.isin(items % 40, [3, 7, 11]),
        "recsys_api.item_filter(max_price => 500)": items <= 500,
        "recsys_api._exclude(null, array(select generate_series(1, 3900, 2)::bigint))": (items % 2 == 0)
        | (items > 3900),
    }[which]


FILTERS = [
    "null",
    "recsys_api.item_filter(in_stock => true)",
    "recsys_api.item_filter(categories => array['c3', 'c7', 'c11'])",
    "recsys_api.item_filter(max_price => 500)",
    "recsys_api._exclude(null, array(select generate_series(1, 3900, 2)::bigint))",
]


def scan_from(connection, length):
    connection.execute("update recsys.models set scanned_from = %s where decays is not null", (length,))


@pytest.mark.parametrize("scanned_from", [None, 0.5, 0.25, 0.0625])
@pytest.mark.parametrize("filter", FILTERS)
def test_a_walk_finds_the_largest_products_of_those_that_pass(connection, factors, filter, scanned_from):
    scan_from(connection, scanned_from)
    passes = passing(filter)
    found = 0
    for query in queries():
        rows = nearest(connection, factors[1], query, filter)
        ids = [row[0] for row in rows]
        best, scores = exact(query, passes, 10)
        assert len(ids) == len(set(ids)) >= 10
        assert passes[np.array(ids) - 1].all()
        assert [row[1] for row in rows] == pytest.approx(scores[np.array(ids) - 1].tolist(), abs=1e-3)
        found += len(set(ids[:10]) & set(best))
    assert found >= 0.97 * 10 * len(queries())


def test_short_bands_are_left_out_where_they_cannot_hold_as_large_products(connection, factors):
    names = (
        "select c.relname, pg_stat_get_xact_numscans(c.oid)"
        " from pg_index i join pg_class c on c.oid = i.indexrelid"
        f" where i.indrelid = 'recsys.item_factors_{factors[1]}'::regclass and i.indpred is not null"
        " and pg_get_indexdef(c.oid) like '%hnsw%'"
    )
    scan_from(connection, None)
    targets = some_targets().astype(np.float32)
    longest_two = targets[np.argsort(-np.linalg.norm(targets, axis=1))[:2]].sum(axis=0)
    niche = np.zeros(384, np.float32)
    niche[100:103] = 1
    walked = []
    for query in (longest_two, niche):
        before = dict(connection.execute(names).fetchall())
        nearest(connection, factors[1], query, enough=1)
        after = dict(connection.execute(names).fetchall())
        assert len(before) == 7
        assert all(after[name] <= before[name] + 1 for name in before)
        walked.append(sum(after.values()) - sum(before.values()))
    # the longest of the niche are in the fifth
    assert walked[0] == 3
    assert walked[1] >= 5


def test_the_longest_are_compared_where_these_are_few(connection, factors):
    lengths = np.linalg.norm(some_targets().astype(np.float32), axis=1)
    (stored,) = connection.execute(
        "select scanned_from from recsys.models where id = %s", (factors[1],)
    ).fetchone()
    # all bands that are not of the shortest have fewer than 4,000
    assert stored == 0.0625
    assert 100 < (lengths > stored).sum() < ITEMS / 4
    targets = some_targets().astype(np.float32)
    query = targets[np.argsort(-lengths)[:2]].sum(axis=0)
    names = (
        "select sum(pg_stat_get_xact_numscans(i.indexrelid))"
        " from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam"
        f" where a.amname = 'hnsw' and i.indrelid = 'recsys.item_factors_{factors[1]}'::regclass"
    )
    before = connection.execute(names).fetchone()
    rows = nearest(connection, factors[1], query, enough=1)
    assert connection.execute(names).fetchone() == before
    best, _ = exact(query, lengths > stored, 50)
    assert [row[0] for row in rows] == best
    # long ones that have come since are compared as well
    connection.execute(
        "update recsys.item_factors f set target = l.target from recsys.item_factors l"
        " where l.item_id = %s and f.item_id = %s and f.model_id = l.model_id",
        (best[0], int(np.argmin(lengths)) + 1),
    )
    assert int(np.argmin(lengths)) + 1 in [row[0] for row in nearest(connection, factors[1], query)[:2]]


@pytest.mark.parametrize("scanned_from", [None, 0.125])
def test_what_is_short_is_found_by_those_who_like_nothing_else(connection, factors, scanned_from):
    scan_from(connection, scanned_from)
    found = 0
    for query in queries(10):
        query[100:103] = 40
        ids = [row[0] for row in nearest(connection, factors[1], query)[:10]]
        best, _ = exact(query, np.ones(ITEMS, bool), 10)
        assert {item - 1 for item in best} & set(range(3_000, 3_060))
        found += len(set(ids) & set(best))
    assert found >= 90


@pytest.mark.parametrize("filter", FILTERS[1:4])
def test_a_scan_finds_exactly_the_largest_products(connection, factors, filter):
    passes = passing(filter)
    ids = (np.flatnonzero(passes) + 1).tolist()
    assert sorted(connection.execute(f"select recsys_api._passing_ids({filter})").fetchone()[0]) == ids
    for query in queries(5):
        connection.execute("update recsys.models set length_classes = null, class_lengths = null")
        rows = nearest(connection, factors[1], query, filter, k=30, enough=10, passing=ids)
        best, scores = exact(query, passes, 20)
        assert [row[1] for row in rows[:20]] == pytest.approx(scores[np.array(best) - 1].tolist(), abs=1e-3)
        assert len(rows) == 30
        assert passes[np.array([row[0] for row in rows]) - 1].all()


def test_a_walk_that_finds_too_few_is_followed_by_a_scan(connection, factors):
    query = queries(1)[0]
    _, scores = exact(query, np.ones(ITEMS, bool), 1)
    last = (np.argsort(scores)[:300] + 1).tolist()
    filter = f"recsys_api.item_filter(item_ids => array{last})"
    rows = nearest(connection, factors[1], query, filter, k=20, breadth=100)
    best, _ = exact(query, np.isin(np.arange(1, ITEMS + 1), last), 20)
    assert [row[1] for row in rows] == pytest.approx(scores[np.array(best) - 1].tolist(), abs=1e-3)


def test_settings_of_the_session_are_as_before(connection, factors):
    connection.execute("set hnsw.ef_search = 123; set hnsw.iterative_scan = strict_order")
    for filter, breadth in [*((filter, 2_000) for filter in FILTERS[:2]), (FILTERS[3], 5)]:
        nearest(connection, factors[1], queries(1)[0], filter, breadth=breadth)
        shown = connection.execute(
            "select current_setting('hnsw.ef_search'), current_setting('hnsw.iterative_scan')"
        )
        assert shown.fetchone() == ("123", "strict_order")


def test_few_that_pass_are_all_told_and_many_are_walked(large_catalogue):
    with psycopg.connect(large_catalogue.url) as connection:

        def plan(filter):
            return connection.execute(
                f"select ids, breadth from recsys_api._few_passing({filter}, 10)"
            ).fetchone()

        few = "recsys_api.item_filter(categories => array['Category 3'])"
        ids, _ = plan(few)
        assert sorted(ids) == [item for item in range(1, 20_001) if item % 50 == 3]
        many = "recsys_api.item_filter(in_stock => true)"
        connection.execute("update recsys.settings set value = '10000' where key = 'search.scan_limit'")
        ids, breadth = plan(many)
        assert ids is None
        # 4,000 embedded ones pass
        assert breadth == pytest.approx(4_000 * 5_000 / 10_000, rel=0.2)
        connection.execute("update recsys.settings set value = '0' where key = 'search.scan_limit'")
        assert plan(few) == (None, 20_000)
        connection.rollback()
        # where the copies may not be read, nothing is known of how many pass
        connection.execute("select recsys_api.define_rule('of_three', $$item.title = 'Item 3'$$)")
        assert plan("recsys_api.item_filter(rule => 'of_three')") == (None, 20_000)
        connection.rollback()


@pytest.mark.parametrize("more", ["", ", in_stock => true", ", exclude_item_ids => '{7, 8, 9}'"])
def test_what_passes_by_price_is_told_whatever_the_bands(large_catalogue, more):
    bounds = ["max_price => 5", "min_price => 97", "min_price => 7, max_price => 7.7"]
    bounds += ["min_price => 20, max_price => 61.5"]
    # both in one band, one price, none, and the ends of all bands
    bounds += ["min_price => 20.05, max_price => 20.1", "min_price => 3, max_price => 3", "max_price => 0"]
    bounds += ["min_price => 0, max_price => 1e15"]
    counts = []
    with psycopg.connect(large_catalogue.url) as connection:
        for which in bounds:
            filter = f"recsys_api.item_filter({which}{more})"
            (ids,) = connection.execute(f"select recsys_api._passing_ids({filter})").fetchone()
            (conditions,) = connection.execute(f"select recsys_api._filter_conditions({filter})").fetchone()
            (true,) = connection.execute(
                "select array(select item.id from recsys.items item where true "
                f"{conditions.replace('$1', filter)})"
            ).fetchone()
            assert sorted(ids) == sorted(true)
            counts.append(len(ids))
    assert min(counts[:4]) > 50
    assert counts[7] > 15_000 or more == ", in_stock => true"


def classes_of_lengths(connection, model):
    return connection.execute(
        "select item_id, recsys_api._length_class(m.length_classes, f.item_id), f.length, m.class_lengths"
        " from recsys.models m join recsys.item_factors f on f.model_id = m.id where m.id = %s order by 1",
        (model,),
    ).fetchall()


def test_the_longest_are_in_the_highest_classes_and_what_is_new_and_long_as_well(connection, factors):
    model = factors[1]
    rows = classes_of_lengths(connection, model)
    numbers = [number for _, number, _, _ in rows]
    assert [sum(number >= least for number in numbers) for least in (1, 2, 3)] == [
        ITEMS // 4,
        ITEMS // 8,
        ITEMS // 16,
    ]
    assert all(number == sum(length >= least for least in limits) for _, number, length, limits in rows)
    longest, of_class_2 = (next(item for item, number, _, _ in rows if number == wanted) for wanted in (3, 2))
    short, other = [item for item, number, _, _ in rows if number == 0][:2]
    for item, like in ((short, longest), (other, of_class_2), (longest, of_class_2)):
        connection.execute(
            "update recsys.item_factors f set target = l.target from recsys.item_factors l"
            " where l.model_id = f.model_id and l.item_id = %s and f.model_id = %s and f.item_id = %s",
            (like, model, item),
        )
    connection.execute(
        "select recsys_api._classify_lengths(%s, %s)",
        (model, [short, other, longest, 5, 6, 7]),
    )
    after = {item: number for item, number, _, _ in classes_of_lengths(connection, model)}
    changed = {item: after[item] for item, number, _, _ in rows if number != after[item]}
    # what became shorter keeps its class
    assert changed == {short: 3, other: 2}


def test_of_many_that_pass_the_long_ones_are_enough_where_they_are_liked(connection, factors):
    model = factors[1]
    items = np.arange(1, ITEMS + 1)
    passes = items % 5 != 0
    lengths = np.linalg.norm(some_targets().astype(np.float32), axis=1)
    is_long = lengths >= np.sort(lengths)[-(ITEMS // 16)]
    ids = items[passes].tolist()
    targets = some_targets().astype(np.float32)
    query = targets[np.argsort(-lengths)[:8]].sum(axis=0)
    rows = nearest(connection, model, query, passing=ids, enough=2)
    assert is_long[np.array([row[0] for row in rows]) - 1].all()
    assert [row[0] for row in rows[:4]] == exact(query, passes, 4)[0]
    # whoever likes the long ones little is shown the others
    for query in 0.1 * queries(5):
        query[100:103] = 40
        rows = nearest(connection, model, query, passing=ids)
        best, scores = exact(query, passes, 20)
        assert {item - 1 for item in best[:10]} & set(range(NICHE.start, NICHE.stop))
        assert [row[1] for row in rows[:20]] == pytest.approx(scores[np.array(best) - 1].tolist(), abs=1e-3)


@pytest.mark.parametrize("n", [101, 501, 1000])
@pytest.mark.parametrize("controls", ["", ", diversity => 0.3"])
def test_long_lists_are_full_and_have_no_item_twice(connection, factors, n, controls):
    connection.execute("update recsys.models set is_active = true where id = %s", (factors[1],))
    for filter in ("null", FILTERS[1], FILTERS[3]):
        rows = connection.execute(
            "select item_id from recsys_api.recommend_for_items("
            f"array[7, 8, 9]::bigint[], n => {n}, filter => {filter}{controls})"
        ).fetchall()
        ids = [item for (item,) in rows]
        passes = passing(filter)
        assert len(ids) == len(set(ids)) == min(n, passes.sum() - passes[6:9].sum())
        assert passes[np.array(ids) - 1].all()


def test_a_rule_may_name_what_looks_like_a_parameter(connection, factors):
    connection.execute("update recsys.items set title = 'under $100' where mod(id, 2) = 0 or mod(id, 3) = 0")
    connection.execute("select recsys_api.define_rule('cheap', $$item.title = 'under $100'$$)")
    query = queries(1)[0]
    rows = nearest(connection, factors[1], query, "recsys_api.item_filter(rule => 'cheap')")
    items = np.arange(1, ITEMS + 1)
    best, _ = exact(query, (items % 2 == 0) | (items % 3 == 0), 10)
    assert len({row[0] for row in rows[:10]} & set(best)) >= 9

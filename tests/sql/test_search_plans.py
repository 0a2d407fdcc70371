"""Plan and recall of a search stay: prepared or not, without statistics, after a change of everything."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import psycopg
import pytest
from pgvector import Vector
from pgvector.psycopg import register_vector

from recsys_pg import db

ITEMS = 4_000  # with fewer, the planner rightly prefers a sort of all to a walk of a bloated index
N = 5
IDS = np.arange(1, ITEMS + 1)
TOPIC = IDS % 20
PRICES = IDS * 7919 % 1_000 / 10
SETTINGS = {"ef_search": 100, "exact_limit": 250, "scan_limit": 5_000, "rerank": 100}

# what is asked beside the query, what passes, and the strategy that answers, a walk tried before it or not
SEARCHES = {
    "none": ("null", np.full(ITEMS, True), "index_walk"),
    "a topic": ("recsys_api.item_filter('{Topic 3}')", TOPIC == 3, "exact"),
    "few prices": ("recsys_api.item_filter(max_price => 1)", PRICES <= 1, "exact"),
    "some prices": ("recsys_api.item_filter(max_price => 20)", PRICES <= 20, "code_scan"),
    "most prices": ("recsys_api.item_filter(max_price => 95)", PRICES <= 95, "index_walk"),
}
READS = {
    "index_walk": "recsys.items_embedding_idx",
    "exact": "recsys.items_pkey",
    "code_scan": "recsys.items_pkey",
}


def unit_vectors(seed):
    """Of each item, near to those of its topic."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((20, 384))[TOPIC] + 1.2 * random.standard_normal((ITEMS, 384))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def set_settings(connection, settings):
    for name, value in settings.items():
        changed = connection.execute(
            "update recsys.settings set value = %s::text::jsonb where key = %s", (value, f"search.{name}")
        )
        assert changed.rowcount == 1


@dataclass
class Shop:
    """A database of its own and the vectors that are in it; row i belongs to item i + 1."""

    url: str
    embeddings: npt.NDArray[np.float32]

    def connect(self):
        connection = psycopg.connect(self.url, autocommit=True)
        register_vector(connection)
        return connection


@pytest.fixture(scope="module")
def loaded(server):
    """The name of a database into which 4,000 items were copied, of which PostgreSQL knows no statistics."""
    url = server.create_database()
    embeddings = unit_vectors(1)
    with psycopg.connect(url) as connection:
        register_vector(connection)
        for table in ("items", "searchable_items"):
            connection.execute(f"alter table recsys.{table} set (autovacuum_enabled = off)")
        connection.execute(
            "alter index recsys.items_embedding_idx set (ef_construction = 100)"
        )  # faster to fill
        set_settings(connection, SETTINGS)
        with connection.cursor().copy(
            "copy recsys.items (id, title, category, price, embedding) from stdin"
        ) as copy:
            for i, embedding in enumerate(embeddings):
                copy.write_row((i + 1, f"Item {i + 1}", f"Topic {TOPIC[i]}", PRICES[i], Vector(embedding)))
    yield db.connection_parameters(url)["dbname"]
    server.drop_database(url)


@pytest.fixture
def shop(server, loaded):
    url = server.create_database(loaded)
    yield Shop(url, unit_vectors(1))
    server.drop_database(url)


def numbers_of_scans(connection):
    relations = {*READS.values(), "recsys.items"}
    query = "select pg_stat_get_xact_numscans(%s::regclass)"
    return {name: connection.execute(query, (name,)).fetchone()[0] for name in relations}


def assert_plan_and_recall(shop):
    """Every search takes its way, reads no table of vectors from end to end, and finds the nearest."""
    random = np.random.default_rng(9)
    with shop.connect() as connection, connection.transaction():
        recalls = []
        for name, (filter, passes, strategy) in SEARCHES.items():
            for row in range(10):
                query = shop.embeddings[row * 7] + 0.02 * random.standard_normal(384)
                arguments = f"%s, {N}, {filter}"
                before = numbers_of_scans(connection)
                found = connection.execute(
                    f"select item_id from recsys_api.search_items({arguments})", (Vector(query),)
                ).fetchall()
                after = numbers_of_scans(connection)
                steps = connection.execute(
                    f"select strategy from recsys_api.explain_search({arguments})", (Vector(query),)
                ).fetchall()
                assert steps[-1] == (strategy,), name
                assert after[READS[strategy]] > before[READS[strategy]], name
                assert after["recsys.items"] == before["recsys.items"], name
                expected = np.flatnonzero(passes)
                expected = expected[np.argsort(-(shop.embeddings[expected] @ query))][:N] + 1
                assert len(found) == len(expected), name
                recalls.append(len({i for (i,) in found} & set(expected)) / len(expected))
        assert np.mean(recalls) >= 0.99


def replace_embeddings(shop, seed):
    """Give every item another vector."""
    shop.embeddings = unit_vectors(seed)
    with shop.connect() as connection, connection.transaction():
        connection.execute("create temporary table vectors (id bigint, embedding vector(384)) on commit drop")
        with connection.cursor().copy("copy vectors from stdin (format binary)") as copy:
            copy.set_types(["int8", "vector"])
            for i, embedding in enumerate(shop.embeddings):
                copy.write_row((i + 1, Vector(embedding)))
        connection.execute(
            "update recsys.items i set embedding = v.embedding from vectors v where v.id = i.id"
        )


def test_a_table_that_was_just_loaded_has_its_plans_and_its_recall(shop):
    with shop.connect() as connection:
        assert connection.execute(
            "select count(*) from pg_stats where schemaname = 'recsys' and tablename ~ 'items$'"
        ).fetchone() == (0,)
    assert_plan_and_recall(shop)


def test_after_a_change_of_all_prices_and_stocks_they_stay(shop):
    with shop.connect() as connection:
        for factor in (1.0001, 0.9999, 1):
            connection.execute(
                "update recsys.items set price = price * %s, in_stock = not in_stock", (factor,)
            )
        connection.execute("update recsys.items set price = round(price, 1)")
    assert_plan_and_recall(shop)
    with shop.connect() as connection:
        connection.execute("vacuum analyze recsys.items, recsys.searchable_items")
    assert_plan_and_recall(shop)


def test_after_a_change_of_all_vectors_they_stay_before_and_after_a_vacuum(shop):
    replace_embeddings(shop, 2)
    assert_plan_and_recall(shop)
    with shop.connect() as connection:
        connection.execute("vacuum analyze recsys.items, recsys.searchable_items")
    assert_plan_and_recall(shop)


def test_the_nearest_of_what_is_left_are_found_where_all_was_deleted(shop):
    kept = ~np.isin(TOPIC, [1, 3, 8, 15])
    queries = shop.embeddings[~kept][:30]  # near to what is gone, which the index holds until the vacuum
    with shop.connect() as connection:
        set_settings(connection, {"ef_search": 250})
        connection.execute("delete from recsys.items where id = any (%s)", (IDS[~kept].tolist(),))
        for state in ("deleted", "vacuumed"):
            recalls = []
            for query in queries:
                nearest = np.flatnonzero(kept)[np.argsort(-(shop.embeddings[kept] @ query))][:10] + 1
                found = connection.execute(
                    "select item_id from recsys_api.search_items(%s)", (Vector(query),)
                ).fetchall()
                assert len(found) == 10, state
                recalls.append(len({item_id for (item_id,) in found} & set(nearest)) / 10)
            assert np.mean(recalls) >= 0.99, state
            connection.execute("vacuum recsys.items, recsys.searchable_items")


@pytest.mark.parametrize("emptied", ["truncate recsys.items cascade", "delete from recsys.items"])
def test_an_emptied_catalogue_gives_nothing_and_can_be_filled_again(shop, emptied):
    query = Vector(shop.embeddings[0])
    filters = [filter for filter, _, _ in SEARCHES.values()]

    def found(connection):
        return [
            connection.execute(
                f"select array(select item_id from recsys_api.search_items(%s, 10, {filter}) order by rank)",
                (query,),
            ).fetchone()[0]
            for filter in filters
        ]

    with shop.connect() as connection:
        connection.execute(emptied)
        assert found(connection) == [[]] * len(filters)
        connection.execute(
            "insert into recsys.items (id, title, category, price, embedding)"
            " values (7, 'New', 'Topic 3', 1, %s)",
            (query,),
        )
        assert found(connection) == [[7]] * len(filters)
        connection.execute("vacuum analyze recsys.items, recsys.searchable_items")
        assert found(connection) == [[7]] * len(filters)


@pytest.mark.parametrize("embedded", [0, 1, 9, 10, 11])
def test_a_few_embedded_items_among_many_are_all_found(shop, embedded):
    with shop.connect() as connection:
        connection.execute("update recsys.items set embedding = null where id > %s", (embedded,))
        for filter, passes, _ in SEARCHES.values():
            passing = np.flatnonzero(passes[:embedded])
            nearest = passing[np.argsort(-(shop.embeddings[passing] @ shop.embeddings[0]))] + 1
            found = connection.execute(
                f"select item_id from recsys_api.search_items(%s, 10, {filter})",
                (Vector(shop.embeddings[0]),),
            ).fetchall()
            assert [item_id for (item_id,) in found] == list(nearest[:10])


PREPARED = """
prepare search(vector, text[], numeric) as
    select array(
        select item_id from recsys_api.search_items($1, 5, recsys_api.item_filter($2, max_price => $3)));
prepare explain(vector, text[], numeric) as
    select array(
        select strategy from recsys_api.explain_search($1, 5, recsys_api.item_filter($2, max_price => $3)));
"""
PARAMETERS = {"none": "null, null", "a topic": "'{Topic 3}', null"} | {
    name: f"null, {price}" for name, price in (("few prices", 1), ("some prices", 20), ("most prices", 95))
}


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan", "force_custom_plan"])
def test_a_prepared_search_goes_the_same_way_each_of_twenty_times(shop, mode):
    with shop.connect() as connection, connection.transaction():
        connection.execute("analyze recsys.items, recsys.searchable_items")
        connection.execute(f"set local plan_cache_mode = {mode}")
        connection.execute(PREPARED)
        query = Vector(shop.embeddings[2]).to_text()
        outcomes = {name: [] for name in SEARCHES}
        for _ in range(20):
            # one after the other, so that no plan can serve the searches before and after it alike by chance
            for name, parameters in PARAMETERS.items():
                before = numbers_of_scans(connection)
                (ids,) = connection.execute(f"execute search('{query}', {parameters})").fetchone()
                after = numbers_of_scans(connection)
                (steps,) = connection.execute(f"execute explain('{query}', {parameters})").fetchone()
                scans = {relation: after[relation] - before[relation] for relation in after}
                outcomes[name].append((ids, steps, scans))
        (generic, custom) = connection.execute(
            "select generic_plans, custom_plans from pg_prepared_statements where name = 'search'"
        ).fetchone()
        assert generic + custom == 20 * len(SEARCHES)
        assert (generic > 0, custom > 0) == {
            "auto": (True, True),
            "force_generic_plan": (True, False),
            "force_custom_plan": (False, True),
        }[mode]
    for name, (_, passes, strategy) in SEARCHES.items():
        first = outcomes[name][0]
        assert outcomes[name] == [first] * 20
        ids, steps, scans = first
        assert steps[-1] == strategy
        assert scans[READS[strategy]] > 0
        assert scans["recsys.items"] == 0
        passing = np.flatnonzero(passes)
        nearest = passing[np.argsort(-(shop.embeddings[passing] @ shop.embeddings[2]))][:N] + 1
        assert set(ids) == set(nearest[: len(ids)])
        assert len(ids) == len(nearest)

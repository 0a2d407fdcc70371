"""Which indexes the functions use on 20,000 items and users and 18,000 interactions.

The statements inside a function cannot be explained from outside, but the transaction counts what they read.
"""

import psycopg
import pytest

ITEM_QUERY = "(select embedding from recsys.items where id = 1)"
READS = {
    "hybrid": "select * from recsys_api.recommend_for_user(5)",
    "item_based": "select * from recsys_api.recommend_for_user(5, method => 'item_based')",
    "user_based": "select * from recsys_api.recommend_for_user(5, method => 'user_based')",
    "content": "select * from recsys_api.recommend_for_user(5, method => 'content')",
    "popular": "select * from recsys_api.recommend_for_user(5, method => 'popular')",
    "diverse": "select * from recsys_api.recommend_for_user(5, diversity => 0.5)",
    "in stock": "select * from recsys_api.recommend_for_user("
    "5, filter => recsys_api.item_filter(in_stock => true))",
    "by tag": "select * from recsys_api.recommend_for_user("
    "5, filter => recsys_api.item_filter(tags => '{tag 3}'))",
    "in a category": "select * from recsys_api.recommend_for_user("
    "5, filter => recsys_api.item_filter(categories => '{Category 7}'))",
    "basket": "select * from recsys_api.recommend_for_items('{1,2,3}')",
    "similar": "select * from recsys_api.similar_items(1)",
    "search": f"select * from recsys_api.search_items({ITEM_QUERY})",
    "popular items": "select * from recsys_api.popular_items()",
    "similar users": "select * from recsys_api.similar_users(5)",
    "explain": "select * from recsys_api.explain_recommendation(5, 4711)",
}
TABLES = (
    "recsys.items",
    "recsys.users",
    "recsys.interactions",
    "recsys.item_neighbors",
    "recsys.item_popularity",
)


def scans(connection, *relations):
    """How often each relation was scanned in this transaction: tables sequentially, indexes by walks."""
    return {
        relation: connection.execute(
            "select pg_stat_get_xact_numscans(%s::regclass)", (relation,)
        ).fetchone()[0]
        for relation in relations
    }


@pytest.mark.parametrize("name", READS)
def test_no_read_scans_a_large_table_from_end_to_end(large_catalogue, name):
    with psycopg.connect(large_catalogue.url) as connection:
        before = scans(connection, *TABLES)
        assert connection.execute(READS[name]).fetchall()
        assert scans(connection, *TABLES) == before


def test_the_counter_of_sequential_scans_counts(large_catalogue):
    with psycopg.connect(large_catalogue.url) as connection:
        connection.execute("select max(price) from recsys.items")
        assert scans(connection, "recsys.items") == {"recsys.items": 1}


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("search", "recsys.items_embedding_idx"),
        ("content", "recsys.items_embedding_idx"),
        ("hybrid", "recsys.items_embedding_idx"),
        ("hybrid", "recsys.interactions_user_id_occurred_at_idx"),
        ("popular items", "recsys.item_popularity_log2_weight_idx"),
        ("similar users", "recsys.users_embedding_idx"),
    ],
)
def test_a_read_walks_the_index_made_for_it(large_catalogue, name, index):
    with psycopg.connect(large_catalogue.url) as connection:
        connection.execute(READS[name])
        assert scans(connection, index)[index] > 0


def test_a_recommendation_reads_only_the_users_part_of_the_interactions(large_catalogue):
    with psycopg.connect(large_catalogue.url) as connection:
        connection.execute(READS["hybrid"])
        (fetched,) = connection.execute(
            "select pg_stat_get_xact_tuples_returned('recsys.interactions_user_id_occurred_at_idx'::regclass)"
        ).fetchone()
        assert 0 < fetched <= 4 * 60


def test_the_history_is_read_from_the_index_alone(large_catalogue):
    with psycopg.connect(large_catalogue.url) as connection:
        plan = "\n".join(
            row[0]
            for row in connection.execute(
                "explain select i.item_id, i.kind, i.value, i.occurred_at from recsys.interactions i"
                " where i.user_id = 5 order by i.occurred_at desc, i.id desc limit 200"
            )
        )
    assert "Index Only Scan Backward using interactions_user_id_occurred_at_idx" in plan

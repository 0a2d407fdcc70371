"""similar_items and recommend_for_items: from items to items."""

import pytest
from psycopg.rows import namedtuple_row


def similar(connection, item_id, arguments=", n => 60"):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(
        f"select * from recsys_api.similar_items(item_id => %s{arguments})".encode(), (item_id,)
    ).fetchall()


def for_items(connection, item_ids, arguments=", n => 60"):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(
        f"select * from recsys_api.recommend_for_items(item_ids => %s{arguments})".encode(), (item_ids,)
    ).fetchall()


def test_the_item_itself_is_not_among_the_similar_ones(catalogue):
    assert {row.item_id for row in similar(catalogue, 5)} == set(range(1, 61)) - {5}


def test_learned_neighbors_come_first_by_the_weight_of_the_edge(catalogue):
    edges = catalogue.execute(
        "select e.id from recsys.item_neighbors n, unnest(n.neighbor_ids, n.weights) e (id, weight)"
        " where n.item_id = 5 and e.weight > 0 order by e.weight desc limit 2"
    ).fetchall()
    rows = similar(catalogue, 5)
    assert [(row.item_id,) for row in rows[:2]] == edges
    assert rows[0].reason == 'liked by people who liked "Drama 5"'


def test_similarity_is_the_cosine_of_the_embeddings(catalogue):
    for row in similar(catalogue, 5, ", n => 5"):
        (cosine,) = catalogue.execute(
            "select 1 - (a.embedding <=> b.embedding) from recsys.items a, recsys.items b"
            " where a.id = 5 and b.id = %s",
            (row.item_id,),
        ).fetchone()
        assert row.similarity == pytest.approx(cosine)


def test_an_item_outside_the_graph_is_compared_by_content(catalogue):
    rows = similar(catalogue, 59, ", n => 10")
    assert {row.category for row in rows} == {"Science"}
    assert {row.reason for row in rows} == {'similar to "Science 14"'}


def test_an_item_without_embedding_is_compared_by_the_graph(catalogue):
    rows = similar(catalogue, 58)
    assert [row.item_id for row in rows[:2]] == [56, 55]
    assert all(row.similarity is None for row in rows)
    assert len(rows) == 59


def test_an_item_that_nothing_is_known_of_gets_popular_ones(catalogue):
    rows = similar(catalogue, 60, ", n => 5")
    popular = catalogue.execute("select item_id from recsys_api.popular_items(n => 5)").fetchall()
    assert [(row.item_id,) for row in rows] == popular
    assert {row.reason for row in rows} == {"popular"}


def test_similar_items_pass_the_filter(catalogue):
    rows = similar(catalogue, 5, ", n => 60, filter => recsys_api.item_filter(categories => '{Horror}')")
    assert {row.item_id for row in rows} == set(range(31, 46))


def test_a_basket_lists_none_of_its_own_items(catalogue):
    rows = for_items(catalogue, [1, 2, 2, 31])
    assert {row.item_id for row in rows} == set(range(1, 61)) - {1, 2, 31}


def test_a_basket_of_one_item_ranks_as_similar_items_does(catalogue):
    basket = [(row.item_id, row.score) for row in for_items(catalogue, [20])]
    assert basket == [(row.item_id, row.score) for row in similar(catalogue, 20)]


def test_every_item_of_a_basket_counts(catalogue):
    rows = for_items(catalogue, [5, 35], ", n => 10")
    assert {row.category for row in rows} == {"Drama", "Horror"}
    assert {row.reason_item_id for row in rows} == {5, 35}


def test_without_factors_a_basket_gives_the_same_in_any_order_and_with_repetitions(catalogue):
    one, other = (for_items(catalogue, item_ids) for item_ids in ([5, 35, 20], [20, 5, 35, 5, 5]))
    assert [row._replace(score=0) for row in one] == [row._replace(score=0) for row in other]
    assert [row.score for row in one] == pytest.approx([row.score for row in other])


def test_an_empty_basket_gives_popular_items(catalogue):
    popular = catalogue.execute("select item_id from recsys_api.popular_items(n => 60)").fetchall()
    assert [(row.item_id,) for row in for_items(catalogue, [])] == popular


def test_weights_tell_how_much_each_item_counts(catalogue):
    even = for_items(catalogue, [1, 50])
    assert for_items(catalogue, [1, 50], ", n => 60, weights => '{1,1}'") == even
    first = for_items(catalogue, [1, 50], ", n => 60, weights => '{1,0}'")
    assert [row.item_id for row in first[:3]] == [
        row.item_id for row in for_items(catalogue, [1]) if row.item_id != 50
    ][:3]
    disliked = {
        row.item_id: row.score for row in for_items(catalogue, [1, 50], ", n => 60, weights => '{1,-1}'")
    }
    liked = {row.item_id: row.score for row in even}
    near = [row.item_id for row in for_items(catalogue, [50], ", n => 3")]
    assert all(disliked[item] < liked[item] for item in near)

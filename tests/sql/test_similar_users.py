"""similar_users: nearest taste vectors, the caller's own taste live."""

import pytest
from psycopg.rows import namedtuple_row


def similar(connection, user_id, n=10):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute("select * from recsys_api.similar_users(%s, n => %s)", (user_id, n)).fetchall()


def test_the_same_taste_group_is_nearest_and_the_user_is_not_listed(catalogue):
    rows = similar(catalogue, 1, 6)
    assert {row.user_id for row in rows} == {5, 9, 13, 17, 21, 25}
    assert [row.rank for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.similarity for row in rows] == sorted((row.similarity for row in rows), reverse=True)
    assert rows[0].external_id == f"person-{rows[0].user_id}"


def test_everybody_with_a_taste_is_listed_when_n_allows_it(catalogue):
    assert {row.user_id for row in similar(catalogue, 1, 100)} == set(range(2, 29))


@pytest.mark.parametrize("user_id", [29, 30])
def test_who_has_liked_nothing_resembles_nobody(catalogue, user_id):
    assert similar(catalogue, user_id) == []


def test_a_new_like_counts_in_its_own_transaction(catalogue):
    catalogue.execute("select recsys_api.record_interaction(30, 50, 'like')")
    assert {row.user_id for row in similar(catalogue, 30, 7)} == set(range(4, 29, 4))


def test_refreshing_tastes_without_news_writes_nothing(catalogue):
    assert catalogue.execute("select recsys_api.refresh_tastes()").fetchone() == (0,)


def test_refreshing_tastes_writes_who_changed_and_forgets_who_has_no_taste_left(catalogue):
    catalogue.execute("select recsys_api.record_interaction(30, 50, 'like')")
    catalogue.execute("delete from recsys.interactions where user_id = 1")
    assert catalogue.execute("select recsys_api.refresh_tastes()").fetchone() == (2,)
    assert catalogue.execute(
        "select id from recsys.users where embedding is null order by id"
    ).fetchall() == [(1,), (29,)]


def test_the_mean_of_the_catalogue_is_kept_with_the_model(catalogue):
    (distance,) = catalogue.execute(
        "select (select avg(embedding) from recsys.items) <-> center"
        " from recsys.models where purpose = 'embedding'"
    ).fetchone()
    assert distance < 1e-6

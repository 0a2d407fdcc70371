"""popular_items: weight, decay, filters and the time from which interactions count."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.rows import namedtuple_row

RECORD = (
    "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
    " values (30, %s, %s, timestamptz '2026-01-01 00:00+00' - %s * interval '1 day')"
)


def popular(connection, arguments="n => 60"):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(f"select * from recsys_api.popular_items({arguments})".encode()).fetchall()


@pytest.fixture
def forgotten(catalogue):
    """The catalogue without what people did."""
    catalogue.execute("delete from recsys.interactions")
    return catalogue


def refresh(connection):
    return connection.execute("select recsys_api.refresh_popularity()").fetchone()[0]


def test_the_score_is_the_decayed_weight_counted_back_from_the_newest_interaction(forgotten):
    forgotten.execute(RECORD, (1, "purchase", 30))
    forgotten.execute(RECORD, (2, "purchase", 0))
    forgotten.execute(RECORD, (3, "view", 0))
    forgotten.execute(RECORD, (3, "purchase", 60))
    refresh(forgotten)
    scores = [(row.item_id, round(row.score, 9)) for row in popular(forgotten, "n => 3")]
    assert scores == [(2, 1.0), (1, 0.5), (3, 0.1 + 0.25)]


def test_the_half_life_is_a_setting(forgotten):
    forgotten.execute("update recsys.settings set value = '10' where key = 'popularity.half_life_days'")
    forgotten.execute(RECORD, (1, "purchase", 20))
    forgotten.execute(RECORD, (2, "purchase", 0))
    refresh(forgotten)
    assert [row.score for row in popular(forgotten, "n => 2")] == pytest.approx([1, 0.25])


def test_since_gives_the_same_scores_as_the_stored_popularity(catalogue):
    stored = [(row.item_id, pytest.approx(row.score)) for row in popular(catalogue) if row.score]
    counted = [(row.item_id, row.score) for row in popular(catalogue, "n => 60, since => '2000-01-01'")]
    assert counted == stored


def test_since_counts_only_what_happened_from_then_on(forgotten):
    forgotten.execute(RECORD, (1, "purchase", 10))
    forgotten.execute(RECORD, (2, "view", 0))
    assert [row.item_id for row in popular(forgotten, "since => '2025-12-25'")] == [2]
    assert [row.item_id for row in popular(forgotten, "since => '2025-12-01'")] == [1, 2]


def test_dislikes_and_low_ratings_make_nothing_popular(forgotten):
    forgotten.execute(RECORD, (1, "dislike", 0))
    forgotten.execute(
        "insert into recsys.interactions (user_id, item_id, kind, value) values (30, 2, 'rating', 1)"
    )
    refresh(forgotten)
    assert popular(forgotten, "since => '2020-01-01'") == []
    assert all(row.score == 0 for row in popular(forgotten))


def test_items_without_interactions_follow_newest_first(catalogue):
    rows = popular(catalogue)
    known = [row for row in rows if row.score > 0]
    unknown = [row.item_id for row in rows if row.score == 0]
    assert rows == sorted(known, key=lambda row: (-row.score, row.item_id)) + rows[len(known) :]
    assert unknown == sorted(unknown, reverse=True)
    assert len(rows) == 60


def test_popular_items_pass_the_filter(catalogue):
    only = "filter => recsys_api.item_filter(categories => '{Comedy}', in_stock => true)"
    expected = {item for item in range(16, 31) if item % 3}
    assert {row.item_id for row in popular(catalogue, f"n => 60, {only}")} == expected
    assert {row.item_id for row in popular(catalogue, f"n => 60, {only}, since => '2000-01-01'")} <= expected


def test_refreshing_without_news_writes_nothing(catalogue):
    assert refresh(catalogue) == 0


def test_a_refresh_writes_only_what_changed_and_forgets_what_is_gone(catalogue):
    catalogue.execute(RECORD, (60, "purchase", 0))
    catalogue.execute("delete from recsys.interactions where item_id = 57")
    assert refresh(catalogue) == 2
    assert {row.item_id: row.score for row in popular(catalogue)}[57] == 0


def test_a_refresh_gets_along_with_the_deletion_of_an_item(catalogue_url):
    with psycopg.connect(catalogue_url, autocommit=True) as shop, psycopg.connect(catalogue_url) as worker:
        shop.execute(RECORD, (60, "purchase", 0))
        shop.execute("begin")
        shop.execute("delete from recsys.items where id = 60")
        with ThreadPoolExecutor() as pool:
            running = pool.submit(refresh, worker)
            waiting = "select count(*) from pg_locks where pid = %s and not granted"
            while not running.done() and shop.execute(waiting, (worker.info.backend_pid,)).fetchone() == (0,):
                time.sleep(0.01)
            shop.execute("commit")
            assert running.result() == 0


def test_a_very_long_time_does_not_overflow(forgotten):
    forgotten.execute(
        "insert into recsys.interactions (user_id, item_id, kind, occurred_at) values"
        " (30, 1, 'purchase', '1970-01-01'), (30, 2, 'purchase', '2026-01-01'), (30, 1, 'like', '0001-01-01')"
    )
    assert refresh(forgotten) > 0
    assert [row.item_id for row in popular(forgotten, "n => 2")] == [2, 1]
    assert [row.item_id for row in popular(forgotten, "n => 2, since => '-infinity'")] == [2, 1]


def test_the_first_count_does_not_look_through_what_it_has_added_for_each_item(empty_url):
    with psycopg.connect(empty_url, autocommit=True) as connection:
        # statistics of when there was none
        connection.execute("vacuum analyze recsys.item_popularity")
        connection.execute(
            """
            insert into recsys.users (id) values (1);
            insert into recsys.items (id, title) select i, 'item ' || i from generate_series(1, 3000) i;
            insert into recsys.interactions (user_id, item_id, kind)
            select 1, i.id, 'view' from recsys.items i;
            """
        )
        with connection.transaction():
            assert refresh(connection) == 3_000
            read = connection.execute(
                "select seq_tup_read from pg_stat_xact_user_tables"
                " where relid = 'recsys.item_popularity'::regclass"
            ).fetchone()[0]
    assert read <= 10 * 3_000

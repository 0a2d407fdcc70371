"""The views of recsys_report on the small catalogue."""

import datetime as dt
from decimal import Decimal

import pytest
from psycopg.rows import namedtuple_row


def report(connection, view, condition="true"):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(f"select * from recsys_report.{view} where {condition}".encode()).fetchall()


def test_interactions_are_counted_by_utc_day_and_kind(catalogue):
    catalogue.execute("set local timezone = 'Pacific/Auckland'")
    catalogue.execute(
        "insert into recsys.interactions (user_id, item_id, kind, occurred_at) values"
        " (1, 1, 'view', '2026-03-01 23:59:59+00'), (1, 2, 'view', '2026-03-01 00:00+00'),"
        " (2, 1, 'view', '2026-03-02 00:00+00'), (2, 1, 'like', '2026-03-02 00:00+00')"
    )
    rows = report(catalogue, "interactions_by_day", "day >= '2026-01-01'")
    assert sorted(rows) == [
        (dt.date(2026, 3, 1), "view", 2, 1, 2),
        (dt.date(2026, 3, 2), "like", 1, 1, 1),
        (dt.date(2026, 3, 2), "view", 1, 1, 1),
    ]


def test_top_items_have_their_counts_and_the_rank_of_popular_items(catalogue):
    rows = {row.item_id: row for row in report(catalogue, "top_items")}
    popular = catalogue.execute("select item_id, rank from recsys_api.popular_items(n => 20)").fetchall()
    assert all(rows[item_id].popularity_rank == rank for item_id, rank in popular)
    for item_id in (1, 57):
        counted = catalogue.execute(
            "select count(*), count(distinct user_id), max(occurred_at)"
            " from recsys.interactions where item_id = %s",
            (item_id,),
        ).fetchone()
        assert (rows[item_id].interactions, rows[item_id].users, rows[item_id].last_interaction_at) == counted


def test_the_category_mix_counts_items_stock_and_interactions(catalogue):
    catalogue.execute("insert into recsys.items (title, in_stock) values ('without category', false)")
    rows = {row.category: row for row in report(catalogue, "category_mix")}
    assert {category: row.items for category, row in rows.items()} == {
        "Drama": 15,
        "Comedy": 15,
        "Horror": 15,
        "Science": 15,
        None: 1,
    }
    assert rows[None].items_in_stock == 0
    assert rows[None].interactions == 0
    assert rows["Drama"].items_in_stock == 10
    assert sum(row.interaction_share for row in rows.values()) == pytest.approx(1, abs=1e-3)


def test_the_category_mix_of_a_shop_without_interactions_has_no_share(catalogue):
    catalogue.execute("delete from recsys.interactions")
    assert {row.interaction_share for row in report(catalogue, "category_mix")} == {None}


def test_coverage_counts_what_each_source_reaches(catalogue):
    (row,) = report(catalogue, "catalogue_coverage")
    assert row == (60, 58, 57, 48, 1)


def test_coverage_without_an_item_graph_and_without_items(catalogue):
    catalogue.execute("delete from recsys.models where purpose = 'collaborative'")
    (row,) = report(catalogue, "catalogue_coverage")
    assert row == (60, 58, 0, 48, 2)
    catalogue.execute("delete from recsys.items")
    assert report(catalogue, "catalogue_coverage") == [(0, 0, 0, 0, 0)]


def test_embedding_status_tells_what_waits_what_failed_and_since_when(catalogue):
    (row,) = report(catalogue, "embedding_status")
    assert (row.is_active, row.embedded, row.pending, row.failed) == (True, 58, 2, 0)
    catalogue.execute(
        "update recsys.embedding_jobs set requested_at = now() - interval '90 seconds' where item_id = 58"
    )
    catalogue.execute(
        "update recsys.embedding_jobs set failed_at = now(), last_error = 'no' where item_id = 60"
    )
    (row,) = report(catalogue, "embedding_status")
    assert (row.pending, row.failed, row.oldest_pending_seconds) == (1, 1, 90.0)


def test_embedding_status_of_an_empty_queue_has_no_oldest_job(catalogue):
    catalogue.execute("delete from recsys.embedding_jobs")
    (row,) = report(catalogue, "embedding_status")
    assert (row.pending, row.failed, row.oldest_pending_at, row.oldest_pending_seconds) == (0, 0, None, None)


def test_failed_embeddings_are_listed_with_their_error(catalogue):
    catalogue.execute(
        "update recsys.embedding_jobs set failed_at = now(), attempts = 5, last_error = 'out of memory'"
        " where item_id = 60"
    )
    (row,) = report(catalogue, "failed_embeddings")
    assert (row.item_id, row.external_id, row.title, row.attempts, row.last_error) == (
        60,
        "film-60",
        "Science 15",
        5,
        "out of memory",
    )


def test_the_active_models_are_listed(catalogue):
    catalogue.execute(
        "insert into recsys.models (purpose, name, revision) values ('collaborative', 'older', '0')"
    )
    assert sorted((row.purpose, row.name) for row in report(catalogue, "active_models")) == [
        ("collaborative", "by hand"),
        ("embedding", "sentence-transformers/all-MiniLM-L6-v2"),
    ]


def test_shares_are_exact_decimals(catalogue):
    assert all(isinstance(row.interaction_share, Decimal) for row in report(catalogue, "category_mix"))

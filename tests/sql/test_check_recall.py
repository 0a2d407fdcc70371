"""check_recall: what it runs, what it notices, what it keeps."""

import psycopg
import pytest
from psycopg.rows import namedtuple_row

BANDS = ["100 %", "50 to 100 %", "10 to 50 %", "3 to 10 %", "1 to 3 %", "0.1 to 1 %", "below 0.1 %"]


def check(connection, arguments=""):
    cursor = connection.cursor(row_factory=namedtuple_row)
    return cursor.execute(f"select * from recsys_api.check_recall({arguments})".encode()).fetchall()


def kept(connection, columns="*", condition="true"):
    return connection.execute(
        f"select {columns} from recsys_report.recall_checks where {condition}".encode()
    ).fetchall()


def replace_search(connection, answer):
    """Let every search answer with the rows of a query over its arguments query, k and filter."""
    connection.execute(
        f"""
        create or replace function recsys_api._search(
            query vector, k integer, filter recsys_api.filter,
            out ids bigint[], out distances double precision[], out steps recsys_api.search_step[])
        returns record language plpgsql stable set search_path from current as $$
        begin
            ids := array({answer});
            steps := recsys_api._add_step(null, 'exact', 0, 0, clock_timestamp());
        end $$
        """.encode()
    )


@pytest.fixture
def large(large_catalogue):
    with psycopg.connect(large_catalogue.url) as connection:
        yield connection
        connection.rollback()


def test_every_band_is_covered_and_recall_is_good(large):
    rows = check(large, "sample => 200")
    assert list(dict.fromkeys(row.band for row in rows)) == BANDS
    assert sum(row.searches for row in rows) == 200
    assert {row.strategy for row in rows} >= {"exact", "index_walk", "code_scan"}
    assert sum(row.searches * row.recall for row in rows) >= 0.99 * 200
    for row in rows:
        assert 0.5 <= row.worst_recall <= row.recall <= 1
        assert row.rows_missing == 0
        assert row.milliseconds > 0


def test_a_search_that_finds_the_wrong_items_is_noticed(large):
    replace_search(
        large,
        "select i.id from recsys.items i where i.embedding is not null"
        " order by (i.embedding <=> query) + 0 desc limit k",
    )
    rows = check(large, "sample => 24")
    assert all(row.recall < 0.5 for row in rows if row.band not in ("0.1 to 1 %", "below 0.1 %"))
    # what does not pass the filter counts as missing
    assert sum(row.rows_missing for row in rows) > 0
    assert sum(row.rows_missing for row in rows if row.band == "100 %") == 0


def test_a_search_that_returns_too_few_rows_is_noticed(large):
    replace_search(large, "select 1 where false")
    rows = [
        row
        for row in check(large, "sample => 24, n => 7")
        if row.band not in ("0.1 to 1 %", "below 0.1 %")  # where fewer than 7 may pass
    ]
    assert rows
    for row in rows:
        assert row.recall == 0
        assert row.rows_missing == 7 * row.searches


def test_a_search_that_misses_one_of_ten_has_recall_point_nine(large):
    replace_search(
        large,
        "select i.id from recsys.items i where i.embedding is not null and i.id is distinct from"
        " filter.exclude_item_ids[1] order by (i.embedding <=> query) + 0 offset 1 limit k",
    )
    (unfiltered,) = [row for row in check(large, "sample => 24") if row.band == "100 %"]
    assert (unfiltered.recall, unfiltered.worst_recall, unfiltered.rows_missing) == (
        pytest.approx(0.9),
        pytest.approx(0.9),
        0,
    )


def test_equally_near_items_count_whichever_is_found(catalogue):
    catalogue.execute(
        "update recsys.items i set embedding = o.embedding from recsys.items o"
        " where o.id = 1 and i.embedding is not null"
    )
    assert {row.recall for row in check(catalogue, "sample => 60, n => 5")} == {1}


def test_a_catalogue_without_categories_tags_and_prices_is_checked(catalogue):
    catalogue.execute(
        """
        create temporary table vectors on commit drop as
            select embedding from recsys.items where embedding is not null;
        delete from recsys.items;
        insert into recsys.items (title, embedding) select 'Untold', v.embedding from vectors v
        """
    )
    rows = check(catalogue, "sample => 80")
    assert len({row.band for row in rows}) >= 4
    assert all(row.recall == 1 and row.rows_missing == 0 for row in rows)


def test_a_check_is_kept_and_the_report_knows_the_latest(catalogue):
    first = check(catalogue, "sample => 16, n => 3")
    assert len(kept(catalogue, condition="is_latest")) == len(first)
    second = check(catalogue, "sample => 8")
    reported = kept(
        catalogue,
        "band, strategy, searches, recall, worst_recall, rows_missing, milliseconds",
        "is_latest",
    )
    assert reported == [tuple(row) for row in second]
    assert len(kept(catalogue)) == len(first) + len(second)
    assert kept(catalogue, "distinct n, items, is_latest", "not is_latest") == [(3, 58, False)]
    assert kept(catalogue, "count(distinct checked_at)") == [(2,)]


def test_in_a_read_only_transaction_a_check_is_returned_and_not_kept(catalogue):
    catalogue.execute("set transaction read only")
    assert check(catalogue, "sample => 8")
    assert kept(catalogue) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("sample => 0", "sample is 0,"),
        ("sample => 10001", "sample is 10001,"),
        ("sample => null", "sample is NULL,"),
        ("n => 0", "n is 0,"),
        ("n => 1001", "n is 1001,"),
        ("n => null", "n is NULL,"),
    ],
)
def test_arguments_out_of_range_are_named(catalogue, arguments, named):
    with pytest.raises(psycopg.Error, match=named) as caught:
        check(catalogue, arguments)
    assert caught.value.sqlstate == "RS010"
    assert caught.value.diag.message_hint


def test_without_embedded_items_there_is_nothing_to_check(server, empty_url):
    with (
        psycopg.connect(empty_url) as connection,
        pytest.raises(psycopg.Error, match="no item has an embedding") as caught,
    ):
        check(connection)
    assert caught.value.sqlstate == "RS010"
    assert "recsys-pg worker" in caught.value.diag.message_hint


def test_one_embedded_item_is_enough(catalogue):
    catalogue.execute("delete from recsys.items where id <> 1")
    rows = check(catalogue, "sample => 16")
    assert sum(row.searches for row in rows) == 16
    assert {(row.recall, row.rows_missing) for row in rows} == {(1, 0)}


def real_filters(connection, number=20):
    return connection.execute(
        "select (s.filter).categories, (s.filter).tags, (s.filter).attributes, (s.filter).rule"
        " from recsys_api._recall_searches(array_fill(null::double precision, array[%s])) s",
        (number,),
    ).fetchall()


def test_filters_that_searches_used_are_replayed(catalogue):
    catalogue.execute(
        "select recsys_api._sample_filter(recsys_api.item_filter(categories => '{Drama}'), 'exact', 1, 1);"
        "select recsys_api._sample_filter(recsys_api.item_filter(attributes => '{\"a b\": \"x''y\"}'),"
        " 'exact', 1, 1)"
    )
    replayed = real_filters(catalogue)
    assert len(replayed) == 20
    assert (["Drama"], None, None, None) in replayed
    assert (None, None, {"a b": "x'y"}, None) in replayed
    assert all(row.recall == 1 for row in check(catalogue, "sample => 24"))


def test_filters_whose_rule_is_gone_or_broken_are_left_out(catalogue):
    catalogue.execute(
        "create table public.mine (item_id bigint);"
        "select recsys_api.define_rule('broken', 'id in (select item_id from public.mine)');"
        "select recsys_api.define_rule('cheap', 'price < 10');"
        "drop table public.mine"
    )
    for rule in ("broken", "cheap", "gone"):
        catalogue.execute(
            "select recsys_api._sample_filter(recsys_api.item_filter(rule => %s), 'exact', 1, 1)", (rule,)
        )
    assert {rule for *_, rule in real_filters(catalogue)} == {"cheap"}
    check(catalogue, "sample => 24")


KEEP_A_TEXT = """
select recsys_api.remember_query('a film', (select sum(embedding) from recsys.items where id in (3, 4)))
"""


def queries(connection, number=48):
    """How many queries are an item that is left out, a kept text, the taste of a user, or none of these."""
    return connection.execute(
        """
        select count(*) filter (where i.id is not null), count(*) filter (where q.query is not null),
            count(*) filter (where u.id is not null), count(*) filter (where i.id is null and q.query is null
                and u.id is null)
        from recsys_api._recall_searches(array_fill(0.5::double precision, array[%s])) s
        left join recsys.items i on array[i.id] = (s.filter).exclude_item_ids and i.embedding = s.query
        left join recsys.query_embeddings q on q.embedding = s.query
        left join recsys.users u on u.embedding = s.query
        """,
        (number,),
    ).fetchone()


def test_one_query_in_two_is_an_item_that_is_left_out_of_its_own_answer(catalogue):
    catalogue.execute("update recsys.users set embedding = null, embedding_model_id = null")
    assert queries(catalogue) == (24, 0, 0, 24)


def test_the_other_queries_are_texts_and_tastes(catalogue):
    catalogue.execute("select recsys_api.refresh_tastes()")
    catalogue.execute(KEEP_A_TEXT)
    items, texts, tastes, means = queries(catalogue, 400)  # more than there are texts and users
    assert (items, means) == (200, 0)
    assert texts > 0
    assert tastes > 0


def test_texts_and_tastes_of_another_model_are_no_queries(catalogue):
    catalogue.execute(
        f"select recsys_api.refresh_tastes(); {KEEP_A_TEXT};"
        "update recsys.models set is_active = false where purpose = 'embedding'"
    )
    assert queries(catalogue) == (24, 0, 0, 24)


@pytest.mark.parametrize("share", [0.3, 0.05, 0.005])
def test_made_filters_are_of_all_kinds_and_about_the_share_passes(large, share):
    filters = large.execute(
        """
        select bool_or((s.filter).categories is not null), bool_or((s.filter).tags is not null),
            bool_or((s.filter).in_stock), bool_or((s.filter).min_price is not null),
            percentile_cont(0.5) within group (order by e.rows_passing) / 5000
        from recsys_api._recall_searches(array_fill(%s::double precision, array[40])) s,
            recsys_api._exact_answer(s.query, 10, s.filter) e
        """,
        (share,),
    ).fetchone()
    assert filters[:4] == (True, True, True, True)
    assert share / 2 < filters[4] < 2 * share


def test_the_exact_answer_counts_what_passes_and_knows_the_last_distance(catalogue):
    asked = "(select embedding from recsys.items where id = 1)"
    drama = "recsys_api.item_filter(categories => '{Drama}')"
    expected = catalogue.execute(
        f"select (embedding <=> {asked}) + 0 as distance from recsys.items"
        " where category = 'Drama' and embedding is not null order by distance".encode()
    ).fetchall()
    for k in (1, 3, 1000):
        (passing, distance) = catalogue.execute(
            f"select * from recsys_api._exact_answer({asked}, %s, {drama})".encode(), (k,)
        ).fetchone()
        assert passing == len(expected)
        assert distance == expected[:k][-1][0]
    nothing = (
        f"select * from recsys_api._exact_answer({asked}, 3, recsys_api.item_filter(item_ids => '{{}}'))"
    )
    assert catalogue.execute(nothing.encode()).fetchone() == (0, None)

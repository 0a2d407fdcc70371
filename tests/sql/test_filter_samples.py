"""The sample of filters that searches used: what is kept, and that keeping it disturbs nobody."""

import psycopg
import pytest


def sample(connection, filter, strategy="code_scan", rows_passing=5, milliseconds=3.5):
    connection.execute(
        f"select recsys_api._sample_filter(recsys_api.item_filter({filter}), %s, %s, %s)".encode(),
        (strategy, rows_passing, milliseconds),
    )


def samples(connection, columns="category, tags, attributes, rule"):
    return connection.execute(
        f"select {columns} from recsys.filter_samples order by slot".encode()
    ).fetchall()


def test_a_sample_keeps_the_filter_and_what_its_search_took(catalogue):
    sample(
        catalogue, "categories => '{Drama}', tags => '{old,classic,old}', attributes => '{\"year\": 1999}'"
    )
    assert samples(catalogue, "category, tags, attributes, rule, strategy, rows_passing, milliseconds") == [
        ("Drama", ["classic", "old"], {"year": 1999}, None, "code_scan", 5, 3.5)
    ]


def test_a_sample_stands_for_the_searches_that_were_not_sampled(catalogue):
    for share in ("0.01", "0.5", "1", "0"):
        catalogue.execute("update recsys.settings set value = %s where key = 'search.sample_share'", (share,))
        sample(catalogue, "categories => '{Drama}'")
    assert samples(catalogue, "searches") == [(100,), (2,), (1,), (1,)]


@pytest.mark.parametrize(
    "filter",
    [
        "",
        "in_stock => true, min_price => 3, max_price => 5",
        "item_ids => '{1,2,3}', exclude_item_ids => '{4}'",
        "categories => '{Drama,Comedy}'",
        "categories => '{}', tags => '{}', attributes => '{}'",
        "tags => array(select 'a tag of some length ' || i from generate_series(1, 100) i)",
        "attributes => jsonb_build_object('k', repeat('x', 2000))",
    ],
    ids=["none", "price and stock", "ids", "two categories", "empty", "100 tags", "2 kB"],
)
def test_a_filter_that_no_index_could_serve_is_not_kept(catalogue, filter):
    sample(catalogue, filter)
    assert samples(catalogue) == []


def test_prices_and_ids_are_not_kept(catalogue):
    sample(catalogue, "rule => 'vegan', categories => '{Drama,Comedy}', max_price => 5, item_ids => '{1,2}'")
    assert samples(catalogue) == [(None, None, None, "vegan")]


def test_the_sample_is_a_ring_of_ten_thousand(catalogue):
    catalogue.execute(
        "select recsys_api._sample_filter(recsys_api.item_filter(array['c' || i]), 'exact', 1, 1)"
        " from generate_series(1, 10003) i"
    )
    assert catalogue.execute(
        "select count(*), count(*) filter (where category in ('c1', 'c2', 'c3')),"
        " count(*) filter (where category in ('c4', 'c10003')) from recsys.filter_samples"
    ).fetchone() == (10_000, 0, 2)


def test_a_transaction_that_samples_much_holds_few_locks(catalogue):
    catalogue.execute(
        "select recsys_api._sample_filter(recsys_api.item_filter(categories => '{c}'), 'exact', 1, 1)"
        " from generate_series(1, 5000) i"
    )
    (locks,) = catalogue.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    ).fetchone()
    assert locks == 64


@pytest.mark.parametrize(
    "transaction",
    ["read only", "isolation level repeatable read", "isolation level serializable"],
)
def test_a_transaction_that_it_could_break_is_left_alone(catalogue, transaction):
    catalogue.execute(f"set transaction {transaction}".encode())
    sample(catalogue, "categories => '{Drama}'")
    assert samples(catalogue) == []
    assert catalogue.execute("select pg_current_xact_id_if_assigned()").fetchone() == (None,)


def test_a_stable_function_may_sample(catalogue):
    catalogue.execute(
        """
        create function pg_temp.search() returns integer language plpgsql stable as $$
        begin
            perform recsys_api._sample_filter(recsys_api.item_filter(categories => '{Drama}'), 'exact', 1, 1);
            return 1;
        end $$
        """
    )
    assert catalogue.execute("select pg_temp.search() from generate_series(1, 3)").fetchall() == [(1,)] * 3
    assert len(samples(catalogue)) == 3


def test_two_callers_never_wait_for_a_slot(catalogue_url):
    with psycopg.connect(catalogue_url) as first, psycopg.connect(catalogue_url, autocommit=True) as second:
        sample(first, "categories => '{First}'")
        second.execute("set lock_timeout = '2s'")
        second.execute("select setval('recsys.filter_samples_slot_seq', 0, false)")
        sample(second, "categories => '{Second}'")  # the slot that the first has not committed
        sample(second, "categories => '{Third}'")
        first.commit()
        assert samples(second) == [("First", None, None, None), ("Third", None, None, None)]


def test_a_transaction_that_only_reads_and_samples_writes_no_log(catalogue_url):
    with psycopg.connect(catalogue_url, autocommit=True) as connection:
        sample(connection, "categories => '{Drama}'")  # the first reads what later ones find cached
        connection.execute("checkpoint")
        before = connection.execute("select pg_current_wal_insert_lsn()").fetchone()
        with connection.transaction():
            sample(connection, "categories => '{Drama}'")
            after = connection.execute("select pg_current_wal_insert_lsn()").fetchone()
    assert after == before


def test_the_application_samples_but_reads_no_samples(role_server, catalogue):
    catalogue.execute("set local role recsys_app")
    sample(catalogue, "categories => '{Drama}'")
    assert catalogue.execute(
        "select recsys_api._search_index(recsys_api.item_filter(categories => '{Drama}'))"
    ).fetchone() == (None,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        samples(catalogue)


@pytest.mark.parametrize(
    "measured",
    [
        {"strategy": "x" * 1000},
        {"strategy": None},
        {"milliseconds": -5},
        {"milliseconds": float("nan")},
        {"milliseconds": 1e300},
        {"rows_passing": -1},
    ],
)
def test_nobody_can_put_what_no_search_measured_into_the_sample(catalogue, measured):
    sample(catalogue, "categories => '{Drama}'", **measured)
    assert samples(catalogue) == []

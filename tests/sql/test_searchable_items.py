"""recsys.searchable_items is in step with recsys.items after every kind of write, and costs little."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

VECTOR = "array_fill(3::real, array[384])::vector"
OTHER_VECTOR = "(select embedding from recsys.items where id = 2)"
DIFFERENCES = """
with expected as (
    select id, price,
        recsys.kept_price_band((select s.price_band from recsys.searchable_items s where s.id = i.id), price),
        in_stock, category, created_at, recsys.embedding_code(embedding), tags, attributes
    from recsys.items i where embedding is not null
)
select 'missing', * from (select * from expected except select * from recsys.searchable_items)
union all
select 'wrong', * from (select * from recsys.searchable_items except select * from expected)
"""

WRITES = {
    "insert": "insert into recsys.items (title, category, tags, price, embedding)"
    f" values ('a', 'b', '{{c}}', 7, {VECTOR})",
    "insert without a vector": "insert into recsys.items (title) values ('a')",
    "title": "update recsys.items set title = 'Another title' where id = 1",
    "description": "update recsys.items set description = 'Another story.' where id = 1",
    "category": "update recsys.items set category = 'Western' where id = 1",
    "category with a vector": f"update recsys.items set category = 'x', embedding = {VECTOR} where id = 1",
    "no category": f"update recsys.items set category = null, embedding = {VECTOR} where id = 1",
    "tags": "update recsys.items set tags = '{another}' where id = 1",
    "tags with a vector": f"update recsys.items set tags = '{{another}}', embedding = {VECTOR} where id = 1",
    "price": "update recsys.items set price = 1234.5 where id = 1",
    "no price": "update recsys.items set price = null where id = 1",
    "price of nothing": "update recsys.items set price = 0 where id = 1",
    "prices": "update recsys.items set price = coalesce(price, 1) * 3",
    "in_stock": "update recsys.items set in_stock = not in_stock where id <= 20",
    "attributes": "update recsys.items set attributes = attributes || '{\"new\": [1, null]}' where id = 1",
    "created_at": "update recsys.items set created_at = '2020-02-02' where id = 1",
    "external_id": "update recsys.items set external_id = 'another key' where id = 1",
    "everything": "update recsys.items set price = 1, in_stock = not in_stock, category = 'x', tags = '{y}',"
    f" attributes = '{{}}', created_at = now(), title = 'z', embedding = {VECTOR} where id = 1",
    "a first vector": f"update recsys.items set embedding = {VECTOR} where id = 58",
    "another vector": f"update recsys.items set embedding = {OTHER_VECTOR} where id = 1",
    "the same vector": "update recsys.items set embedding = embedding where id = 1",
    "no vector": "update recsys.items set embedding = null where id = 1",
    "price of an item without a vector": "update recsys.items set price = 3 where id = 58",
    "id": "update recsys.items set id = 1001 where id = 1",
    "id and all else": f"update recsys.items set id = 99, price = 3, embedding = {OTHER_VECTOR} where id = 1",
    "id and no vector": "update recsys.items set id = 1001, embedding = null where id = 1",
    "ids": "update recsys.items set id = id + 1000",
    "delete": "delete from recsys.items where id in (1, 2, 58)",
    "delete all": "delete from recsys.items",
    "truncate": "truncate recsys.items cascade",
    "upsert": "insert into recsys.items (id, title, price) values (1, 'Another title', 3), (2000, 'New', 4)"
    " on conflict (id) do update set price = excluded.price, title = excluded.title",
    "upsert of a vector": "insert into recsys.items (id, title, embedding)"
    f" values (1, 'a', {VECTOR}), (58, 'b', {VECTOR})"
    " on conflict (id) do update set embedding = excluded.embedding",
    "merge": "merge into recsys.items i"
    " using (values (1, 5), (2, null), (2000, 9)) n (id, price) on n.id = i.id"
    " when matched and n.price is null then delete when matched then update set price = n.price"
    f" when not matched then insert (id, title, embedding) values (n.id, 'New', {VECTOR})",
    "chained": "with gone as (delete from recsys.items where id = 1 returning price)"
    " update recsys.items i set price = g.price + 1 from gone g where i.id = 2",
}


@pytest.fixture
def items(catalogue):
    """The catalogue without what refers to its items, so that their ids may change."""
    for table in ("interactions", "item_popularity", "item_neighbors", "embedding_jobs"):
        catalogue.execute(f"delete from recsys.{table}")
    return catalogue


def differences(connection):
    return connection.execute(DIFFERENCES).fetchall()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_the_copy_follows_a_write_in_the_same_statement(items, write):
    assert differences(items) == []
    assert items.execute(write).rowcount != 0
    assert differences(items) == []


def test_the_comparison_sees_a_difference(items):
    items.execute("update recsys.searchable_items set price = 77 where id = 1")
    items.execute("delete from recsys.searchable_items where id = 2")
    assert sorted((row[0], row[1]) for row in differences(items)) == [
        ("missing", 1),
        ("missing", 2),
        ("wrong", 1),
    ]


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(WRITES)), st.booleans()),
        min_size=2,
        max_size=12,
        unique_by=lambda step: step[0],
    )
)
def test_the_copy_follows_any_writes_in_any_order_undone_or_not(items, writes):
    with items.transaction(force_rollback=True):
        for name, is_undone in writes:
            try:
                with items.transaction(force_rollback=is_undone):
                    items.execute(WRITES[name])
                    assert differences(items) == []
            except psycopg.IntegrityError:  # an id that an earlier write has taken, or has a job for
                pass
            assert differences(items) == []


def test_the_copy_follows_copy(items):
    with items.cursor().copy("copy recsys.items (id, title, price, embedding) from stdin") as copy:
        for i in range(100, 110):
            copy.write_row((i, "Copied", None if i % 2 else i, str([float(i)] * 384) if i % 3 else None))
    assert differences(items) == []
    assert items.execute(
        "select count(*) from recsys.searchable_items where id between 100 and 109"
    ).fetchone() == (7,)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("price = price + 1", "price = price + 2, in_stock = false"),
        ("price = 3", f"embedding = {VECTOR}"),
        (f"embedding = {VECTOR}", "price = 3"),
        ("embedding = null", "price = 3"),
        ("price = 3", "embedding = null"),
        ("title = 'Another title'", f"embedding = {OTHER_VECTOR}"),
        (f"title = 'Another title', embedding = {VECTOR}", "title = 'A third title'"),
        ("id = 1001", "price = 3"),
    ],
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_copy_follows_two_sessions_that_change_one_item(catalogue_url, first, second, end):
    with (
        psycopg.connect(catalogue_url) as one,
        psycopg.connect(catalogue_url) as two,
        psycopg.connect(catalogue_url, autocommit=True) as observer,
    ):
        observer.execute("truncate recsys.interactions, recsys.item_popularity, recsys.item_neighbors")
        one.execute(f"update recsys.items set {first} where id = 1")
        two.pgconn.send_query(f"update recsys.items set {second} where id = 1".encode())
        waits = "select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        for _ in range(1000):
            if observer.execute(waits, (two.info.backend_pid,)).fetchone() == (1,):
                break
        else:
            pytest.fail("the second session does not wait for the first")
        getattr(one, end)()
        while two.pgconn.get_result():
            pass
        two.commit()
        assert differences(observer) == []


def test_an_item_that_is_inserted_while_another_session_reads_is_copied_once(catalogue_url):
    insert = (
        f"insert into recsys.items (id, title, embedding) values (%s, 'New', {VECTOR}) on conflict do nothing"
    )
    with psycopg.connect(catalogue_url) as one, psycopg.connect(catalogue_url) as two:
        two.execute("set transaction isolation level repeatable read")
        assert differences(two) == []
        one.execute(insert, (200,))
        one.commit()
        assert differences(two) == []
        two.execute(insert, (201,))
        two.commit()
        assert differences(one) == []
        assert one.execute("select count(*) from recsys.searchable_items where id >= 200").fetchone() == (2,)


def changes(connection, table):
    """Rows of a table that this transaction inserted, updated and, of these, updated in place (HOT)."""
    return connection.execute(
        "select pg_stat_get_xact_tuples_inserted(c), pg_stat_get_xact_tuples_updated(c),"
        " pg_stat_get_xact_tuples_hot_updated(c) from (values (%s::regclass)) v (c)",
        (table,),
    ).fetchone()


@pytest.mark.parametrize(
    ("change", "copied_in_place"),
    [
        ("price = price * 0.9", True),
        ("price = price * 1.1", True),
        ("in_stock = not in_stock", True),
        ("price = price * 1.1, in_stock = not in_stock", True),
        ("price = price * 1.2", False),  # the band of prices, which is indexed, is another
    ],
)
def test_a_price_or_stock_change_touches_no_vector_index_and_no_queue(
    large_catalogue, change, copied_in_place
):
    with psycopg.connect(large_catalogue.url) as connection:
        # one item a page: there is room for one more version of it
        connection.execute(
            "create temporary table chosen on commit drop as select min(id) as id"
            " from recsys.searchable_items where price > 1"
            " group by (ctid::text::point)[0] order by 1 limit 50"
        )
        rows = connection.execute(
            f"update recsys.items i set {change} from chosen c where c.id = i.id"
        ).rowcount
        assert rows == 50
        assert changes(connection, "recsys.items") == (0, 50, 50)
        assert changes(connection, "recsys.searchable_items") == (0, 50, 50 if copied_in_place else 0)
        assert changes(connection, "recsys.embedding_jobs") == (0, 0, 0)
        assert differences(connection) == []
        connection.rollback()


@pytest.mark.parametrize("column", ["title = title", "updated_at = now()", "external_id = 'key ' || id"])
def test_what_no_filter_asks_for_leaves_the_copy_alone(catalogue, column):
    catalogue.execute(f"update recsys.items set {column} where id <= 5")
    assert changes(catalogue, "recsys.items")[1] == 5
    assert changes(catalogue, "recsys.searchable_items") == (0, 0, 0)


def test_the_bands_of_prices_keep_their_order(catalogue):
    prices = (
        "(select exp(n / 50.0)::numeric - 1 from generate_series(0, 1500) n"
        " union values (0), (1e-9), (1e400))"
    )
    assert catalogue.execute(
        "select count(*) from (select recsys.price_band(p), lag(recsys.price_band(p)) over (order by p)"
        f" from {prices} v (p)) b (band, before) where band < before"
    ).fetchone() == (0,)


@pytest.mark.parametrize("seed", [0.1, 0.2, 0.3])
def test_filters_by_price_stay_exact_while_prices_move_within_and_out_of_their_bands(catalogue, seed):
    catalogue.execute("select setseed(%s)", (seed,))
    catalogue.execute("update recsys.items set price = 5 * exp(random())::numeric")
    [(embedded,)] = catalogue.execute("select array_agg(id) from recsys.searchable_items").fetchall()
    kept = 0
    for _ in range(4):
        catalogue.execute("update recsys.items set price = price * exp(0.3 * (random() - 0.5))::numeric")
        kept += catalogue.execute(
            "select count(*) from recsys.searchable_items where price_band <> recsys.price_band(price)"
        ).fetchone()[0]
        for bounds in (
            "max_price => 9",
            "min_price => 9",
            "min_price => 7, max_price => 11",
            "min_price => 9.4, max_price => 9.5",
        ):
            found, expected, searched = catalogue.execute(
                f"""
                select array(select unnest(recsys_api._passing_ids(f)) order by 1),
                    array(select i.id from recsys.items i
                        where (i.price >= (f).min_price or (f).min_price is null)
                            and (i.price <= (f).max_price or (f).max_price is null) order by 1),
                    array(select s.item_id from recsys_api.search_items(
                        (select embedding from recsys.items where id = 2), 60, f) s order by 1)
                from recsys_api.item_filter({bounds}) f
                """
            ).fetchone()
            assert found == expected
            assert searched == [item for item in expected if item in embedded]
    assert kept > 0
    assert differences(catalogue) == []

"""Row-level security on the catalogue and on the application's tables: nobody finds what he may not see."""

import contextlib

import psycopg
import pytest
from sqlalchemy import NullPool

from recsys_pg import db, schema
from recsys_pg.cli.checks.filters import row_security

VECTOR = "(select embedding from recsys.items where id = 2)"

# recsys_app sees the items of one market, which a table of the application says; and only its own notes
APPLICATION = """
create schema app;
create table app.markets (item_id bigint primary key, market text not null);
insert into app.markets
select i, case when i % 2 = 0 then 'even' else 'odd' end from generate_series(1, 60) i;
create table app.notes (item_id bigint, author text);
insert into app.notes values (2, 'ann'), (4, 'ann'), (3, 'ann'), (6, 'bob');
alter table app.notes enable row level security;
create policy own_notes on app.notes using (author = current_setting('app.author', true));
create function app.spy(id bigint) returns boolean language plpgsql stable cost 0.0001 as $$
begin
    raise notice 'saw %', id;
    return true;
end $$;
grant usage on schema app to recsys_app;
grant select on app.markets, app.notes to recsys_app;
"""
SECURE = """
create policy own_market on recsys.items for select using (
    id in (select m.item_id from app.markets m where m.market = current_setting('app.market', true)));
alter table recsys.items enable row level security;
"""
LISTS = {
    "search_items": f"search_items({VECTOR}, ",
    "similar_items": "similar_items(2, ",
    "recommend_for_user": "recommend_for_user(1, ",
    "recommend_for_items": "recommend_for_items('{2}', ",
    "popular_items": "popular_items(",
    "popular_items since": "popular_items(since => '2025-01-01', ",
}


@pytest.fixture(scope="module")
def shop_url(role_server, catalogue_template):
    """A catalogue under a policy, as `recsys-pg migrate` leaves it."""
    url = role_server.create_database(catalogue_template)
    with psycopg.connect(url) as connection:
        connection.execute(APPLICATION)
        connection.execute(SECURE)
    migrate(url)
    yield url
    role_server.drop_database(url)


@pytest.fixture
def shop(shop_url):
    """A transaction of the owner, rolled back after the test."""
    with psycopg.connect(shop_url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def customer(shop):
    """The same transaction as recsys_app, which sees the items with even ids."""
    become_customer(shop)
    return shop


def migrate(url):
    schema.migrate(db.create_engine(url, poolclass=NullPool))


def become_customer(connection, market="even"):
    connection.execute("set local role recsys_app")
    connection.execute("select set_config('app.market', %s, true)", (market,))


def ids(connection, call):
    return [item_id for (item_id,) in connection.execute(f"select item_id from recsys_api.{call}")]


def define(connection, predicate):
    connection.execute("select recsys_api.define_rule('mine', %s)", (predicate,))


@pytest.mark.parametrize("call", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize(
    "conditions",
    [
        "",
        "in_stock => true",
        "min_price => 3",
        "tags => '{classic}'",
        'attributes => \'{"languages": ["en"]}\'',
    ],
)
def test_no_list_shows_a_forbidden_item_nor_fewer_than_are_permitted(shop, call, conditions):
    listed = f"{call} filter => recsys_api.item_filter({conditions}), n => "
    everything = ids(shop, f"{listed} 60)")
    become_customer(shop)
    permitted = ids(shop, f"{listed} 60)")
    assert permitted
    assert all(item_id % 2 == 0 for item_id in permitted)
    if not call.startswith("recommend"):  # what the others may list depends on the history, and what it shows
        assert set(permitted) == {item_id for item_id in everything if item_id % 2 == 0}
    assert ids(shop, f"{listed} 5)") == permitted[:5]


def test_who_may_see_nothing_finds_nothing(shop):
    become_customer(shop, market="")
    vector = "array_fill(1::real, array[384])::vector"
    assert ids(shop, f"search_items({vector})") == []
    assert ids(shop, f"search_items({vector}, filter => recsys_api.item_filter(in_stock => true))") == []
    assert ids(shop, "popular_items()") == []


def test_a_forbidden_item_does_not_exist_for_the_caller(customer):
    for call in ("similar_items(3)", "recommend_for_items('{3}')"):
        with pytest.raises(psycopg.DatabaseError) as raised, customer.transaction():
            ids(customer, call)
        assert raised.value.sqlstate == "RS002"


def test_reasons_name_permitted_items_only(customer):
    rows = customer.execute(
        "select r.reason, r.reason_item_id from generate_series(1, 28) u,"
        " recsys_api.recommend_for_user(u, n => 60) r"
    ).fetchall()
    assert {reason_item_id is None for _, reason_item_id in rows} == {False, True}
    assert all(reason and (item_id is None or item_id % 2 == 0) for reason, item_id in rows)
    explained = "select item_id from recsys_api.explain_recommendation(1, 2)"
    assert all(item_id % 2 == 0 for (item_id,) in customer.execute(explained))


def test_an_explicit_list_of_ids_opens_nothing(customer):
    chosen = "recsys_api.item_filter(item_ids => '{1,2,3,4}')"
    assert set(ids(customer, f"search_items({VECTOR}, filter => {chosen})")) == {2, 4}
    assert set(ids(customer, f"popular_items(filter => {chosen})")) == {2, 4}


def test_the_owner_is_under_no_policy(shop):
    assert len(ids(shop, f"search_items({VECTOR}, n => 60)")) == 58


@pytest.mark.parametrize("predicate", ["true", "item.id is not null or true", "item.title is not null"])
def test_a_rule_never_widens_what_the_caller_may_see(shop, predicate):
    define(shop, predicate)
    become_customer(shop)
    for call in LISTS.values():
        rows = ids(shop, f"{call} n => 60, filter => recsys_api.item_filter(rule => 'mine'))")
        assert rows
        assert all(item_id % 2 == 0 for item_id in rows)


def test_a_rule_reads_the_applications_rows_that_the_caller_may_see(shop):
    define(shop, "exists (select from app.notes n where n.item_id = item.id)")
    noted = f"search_items({VECTOR}, filter => recsys_api.item_filter(rule => 'mine'))"
    assert set(ids(shop, noted)) == {2, 3, 4, 6}
    become_customer(shop)
    assert ids(shop, noted) == []
    shop.execute("set local app.author = 'ann'")
    assert set(ids(shop, noted)) == {2, 4}
    shop.execute("set local app.author = 'bob'")
    assert ids(shop, noted) == [6]


def test_a_rule_is_not_even_asked_about_a_forbidden_item(shop):
    define(shop, "app.spy(item.id)")
    become_customer(shop)
    seen = []
    shop.add_notice_handler(lambda notice: seen.append(int(notice.message_primary.removeprefix("saw "))))
    for call in LISTS.values():
        ids(shop, f"{call} n => 60, filter => recsys_api.item_filter(rule => 'mine'))")
    assert seen
    assert all(item_id % 2 == 0 for item_id in seen)


def test_the_copy_of_the_items_shows_nothing_to_whom_a_policy_applies(shop):
    shop.execute("grant select on recsys.searchable_items to recsys_app")
    assert shop.execute("select count(*) from recsys.searchable_items").fetchone() == (58,)
    become_customer(shop)
    assert shop.execute("select count(*) from recsys.searchable_items").fetchone() == (0,)


def test_who_writes_the_catalogue_under_a_policy_keeps_the_copy_in_step(shop):
    shop.execute("grant insert, update, delete on recsys.items to recsys_app")
    shop.execute("create policy writing on recsys.items using (id % 2 = 0 or id > 60)")
    become_customer(shop)
    shop.execute("update recsys.items set price = 99 where id = 2")
    shop.execute("delete from recsys.items where id = 4")
    shop.execute("reset role")
    copy = "select id, price from recsys.searchable_items where id in (2, 4)"
    assert shop.execute(copy).fetchall() == [(2, 99)]


def test_migrate_secures_the_copy_with_the_items_and_frees_it_again(role_server, catalogue_url):
    @contextlib.contextmanager
    def owner():
        with psycopg.connect(catalogue_url, autocommit=True) as connection:
            yield connection

    def secured_copies(connection):
        copies = (
            "select count(*) from pg_class where relrowsecurity"
            " and oid in ('recsys.searchable_items'::regclass, 'recsys.item_texts'::regclass)"
        )
        return connection.execute(copies).fetchone()[0]

    def examined():
        with db.create_engine(catalogue_url, poolclass=NullPool).connect() as connection:
            return {(finding.level, finding.remedy) for finding in row_security(connection)}

    assert examined() == {("ok", "")}
    with owner() as connection:
        assert secured_copies(connection) == 0
        connection.execute(APPLICATION)
        connection.execute(SECURE)
    assert examined() == {("fail", "Run: recsys-pg migrate.")}
    migrate(catalogue_url)
    migrate(catalogue_url)
    assert examined() == {("ok", "")}
    with owner() as connection:
        assert secured_copies(connection) == 2
        connection.execute("alter table recsys.items disable row level security")
    assert examined() == {("warn", "Run: recsys-pg migrate.")}
    # until then, searches still find what they read
    with psycopg.connect(catalogue_url) as connection:
        become_customer(connection)
        listed = f"search_items({VECTOR}, n => 60, filter => recsys_api.item_filter(in_stock => true))"
        assert len(ids(connection, listed)) > 30
    migrate(catalogue_url)
    assert examined() == {("ok", "")}
    with owner() as connection:
        assert secured_copies(connection) == 0

"""Whoever calls, from wherever: plain roles, fresh sessions, read-only ones, views, search paths."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import make_conninfo

from recsys_pg import db, schema

READS = (
    "select * from recsys_api.recommend_for_user(1)",
    "select * from recsys_api.recommend_for_user(1, method => 'user_based')",
    "select * from recsys_api.recommend_for_user(1, diversity => 0.3)",
    "select * from recsys_api.recommend_for_items('{1,50}')",
    "select * from recsys_api.similar_items(1)",
    "select * from recsys_api.search_items((select embedding from recsys.items where id = 1))",
    "select * from recsys_api.popular_items()",
    "select * from recsys_api.popular_items(since => '2025-01-01')",
    "select * from recsys_api.similar_users(1)",
    "select * from recsys_api.explain_recommendation(1, 8)",
)
SETTINGS = (
    "hnsw.ef_search",
    "hnsw.iterative_scan",
    "hnsw.max_scan_tuples",
    "search_path",
    "jit",
    "plan_cache_mode",
)


def as_role(url, role, password):
    return make_conninfo(url, user=role, password=password)


@pytest.fixture
def app_url(role_server, shared_catalogue_url) -> Iterator[str]:
    """The catalogue, as a new role whose only right is to be an application."""
    role, password = f"recsys_test_{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
    with psycopg.connect(role_server.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {} login password {} in role recsys_app").format(
                sql.Identifier(role), sql.Literal(password)
            )
        )
    yield as_role(shared_catalogue_url, role, password)
    with psycopg.connect(role_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


@pytest.mark.parametrize("read", READS)
def test_the_first_statement_of_a_plain_roles_new_session_may_be_any_read(catalogue, app_url, read):
    expected = catalogue.execute(read).fetchall()
    with psycopg.connect(app_url, autocommit=True) as connection:
        assert connection.execute(read).fetchall() == expected


@pytest.mark.parametrize("read", READS)
def test_a_read_only_transaction_reads_everything(catalogue, read):
    expected = catalogue.execute(read).fetchall()
    catalogue.rollback()
    catalogue.execute("set transaction read only")
    assert catalogue.execute(read).fetchall() == expected


@pytest.mark.parametrize("read", READS)
def test_the_settings_of_the_callers_session_stay_as_they_were(shared_catalogue_url, read):
    with psycopg.connect(shared_catalogue_url) as connection:
        connection.execute("select '[1]'::vector")  # loads the library, whose settings these are
        connection.execute("set hnsw.ef_search = 77")
        connection.execute("set hnsw.iterative_scan = 'strict_order'")
        connection.execute("set hnsw.max_scan_tuples = 12345")

        def values():
            return [connection.execute(f"show {name}").fetchone() for name in SETTINGS]

        before = values()
        connection.execute(read)
        assert values() == before
        connection.commit()
        assert values() == before


def test_a_failing_call_leaves_the_settings_as_they_were(shared_catalogue_url):
    with psycopg.connect(shared_catalogue_url, autocommit=True) as connection:
        connection.execute("select '[1]'::vector")
        connection.execute("set hnsw.ef_search = 77")
        with pytest.raises(psycopg.Error):
            connection.execute("select * from recsys_api.search_items(null)")
        assert connection.execute("show hnsw.ef_search").fetchone() == ("77",)


@pytest.mark.parametrize("read", READS)
def test_an_empty_search_path_changes_nothing(catalogue, read):
    expected = catalogue.execute(read).fetchall()
    catalogue.execute("set local search_path = ''")
    assert catalogue.execute(read).fetchall() == expected


@pytest.mark.parametrize("read", READS)
def test_a_search_path_full_of_traps_changes_nothing(catalogue, read):
    expected = catalogue.execute(read).fetchall()
    catalogue.execute(
        """
        create schema trap;
        create table trap.items (id bigint);
        create function trap.now() returns timestamptz language sql as $$ select 'infinity'::timestamptz $$;
        create function trap.least(integer, integer) returns integer language sql as $$ select 1 $$;
        set local search_path = trap, pg_catalog, public;
        """
    )
    assert catalogue.execute(read).fetchall() == expected


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan", "auto"])
def test_a_prepared_statement_gives_the_same_rows_each_time(catalogue, mode):
    catalogue.execute(f"set local plan_cache_mode = {mode}")
    catalogue.execute(
        "prepare recommend (bigint, integer, text[]) as select * from recsys_api.recommend_for_user("
        "$1, $2, recsys_api.item_filter(categories => $3))"
    )
    for user_id, category in ((1, "Drama"), (3, "Horror"), (30, "Comedy")):
        call = (user_id, f"{{{category}}}")
        expected = catalogue.execute(
            "select * from recsys_api.recommend_for_user("
            "%s, 5, recsys_api.item_filter(categories => %s::text[]))",
            call,
        ).fetchall()
        assert len(expected) == 5
        for _ in range(20):
            rows = catalogue.execute(
                f"execute recommend ({user_id}, 5, '{{{category}}}')".encode()
            ).fetchall()
            assert rows == expected


def test_a_user_may_build_views_on_the_functions(catalogue):
    catalogue.execute(
        """
        create view public.front_page as
        select u.id as user_id, r.title, r.score
        from recsys.users u
        cross join lateral recsys_api.recommend_for_user(u.id, n => 3) r
        """
    )
    assert catalogue.execute(
        "select count(*), count(distinct user_id) from public.front_page"
    ).fetchone() == (90, 30)


def test_a_call_joins_with_the_callers_tables(catalogue):
    catalogue.execute("create temporary table orders as select 1 as user_id, 8 as item_id")
    rows = catalogue.execute(
        "select r.item_id from recsys_api.recommend_for_user(1, n => 60) r left join orders o using (item_id)"
        " where o.item_id is null order by r.rank limit 3"
    ).fetchall()
    assert (8,) not in rows
    assert len(rows) == 3


@pytest.mark.parametrize("vector_schema", ["ext", "Weird schema"])
def test_pgvector_may_live_in_any_schema(server, request, vector_schema):
    url = server.create_database("template0")
    request.addfinalizer(lambda: server.drop_database(url))
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(vector_schema)
        connection.execute(sql.SQL("create schema {}").format(name))
        connection.execute(sql.SQL("create extension vector schema {}").format(name))
    engine = db.create_engine(url, poolclass=sa.NullPool)
    schema.migrate(engine)
    schema.migrate(engine)
    with psycopg.connect(url) as connection:
        connection.execute(
            sql.SQL(
                "insert into recsys.items (title, embedding)"
                " select 'Item ' || i, ('[' || i || repeat(',1', 383) || ']')::{}.vector"
                " from generate_series(1, 20) i"
            ).format(name)
        )
        connection.execute("insert into recsys.users (id) values (1)")
        connection.execute("select recsys_api.record_interaction(1, 3, 'like')")
        connection.execute("select recsys_api.refresh_popularity(), recsys_api.refresh_tastes()")
        for read in READS[:-1]:
            call = read.replace("'{1,50}'", "'{1,20}'")
            assert connection.execute(call).fetchall() or "similar_users" in call

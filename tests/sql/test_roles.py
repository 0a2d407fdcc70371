"""Who may do what: recsys_app, recsys_reporter, and everybody else."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

DENIED = psycopg.errors.InsufficientPrivilege
VIEWS = (
    "active_models",
    "catalogue_coverage",
    "category_mix",
    "embedding_status",
    "failed_embeddings",
    "interactions_by_day",
    "recall_checks",
    "search_indexes",
    "top_items",
)
FUNCTIONS = (
    "recommend_for_user(1)",
    "recommend_for_user(1, method => 'user_based')",
    "recommend_for_user(1, diversity => 0.5)",
    "recommend_for_user(1, rotation => 1, new_item_share => 0.5)",
    "recommend_for_user(1, popularity_damping => 1, max_per_category => 2)",
    "item_pin(1, 2)",
    "item_boost(recsys_api.item_filter(in_stock => true), 2)",
    "recommend_for_items('{1}')",
    "similar_items(1)",
    "search_items((select embedding from recsys.items where id = 1))",
    "explain_search((select embedding from recsys.items where id = 1))",
    "search_text('drama')",
    "popular_items()",
    "popular_items(since => '2025-01-01')",
    "similar_users(1)",
    "explain_recommendation(1, 8)",
    "item_filter(in_stock => true)",
    "item_id('film-1')",
    "user_id('person-1')",
    "export_user(1)",
)
WRITES = (
    "select recsys_api.check_recall()",
    "select recsys_api.define_rule('a', 'true')",
    "select recsys_api.forget_user(1)",
    "select recsys_api.drop_rule('a')",
    "select recsys_api.define_scenario('a')",
    "select recsys_api.drop_scenario('a')",
    "insert into recsys.scenarios (name) values ('a')",
    "update recsys.scenario_boosts set factor = 2",
    "delete from recsys.scenario_pins",
    "delete from recsys.filter_rules",
    "update recsys.catalogue_language set language = 'german'",
    "delete from recsys.item_texts",
    "delete from recsys.searchable_items",
    "insert into recsys.items (title) values ('x')",
    "update recsys.items set price = 1",
    "delete from recsys.items",
    "truncate recsys.interactions",
    "update recsys.interactions set kind = 'view'",
    "delete from recsys.interactions",
    "update recsys.users set external_id = 'x'",
    "update recsys.users set embedding = null",
    "delete from recsys.users",
    "update recsys.settings set value = '1'",
    "insert into recsys.models (purpose, name, revision) values ('collaborative', 'x', '1')",
    "update recsys.models set is_active = false",
    "insert into recsys.item_neighbors values (1, 1, '{}', '{}')",
    "delete from recsys.item_popularity",
    "update recsys.interaction_kinds set weight = 1",
    "delete from recsys.embedding_jobs",
    "insert into recsys.embedding_jobs (item_id, model_id) values (1, 1)",
    "delete from recsys.api_objects",
    "create table recsys.mine ()",
    "create function recsys_api.mine() returns integer language sql as 'select 1'",
    "drop function recsys_api.popular_items",
    "select recsys_api.refresh_popularity()",
    "select recsys_api.refresh_tastes()",
    "select recsys_api._refresh_center()",
    "select recsys_api._classify_lengths(1, array[1])",
    "select recsys_api._refresh_tastes(array[1, 2])",
    "select recsys_api._refresh_due_tastes(10)",
)


def login(url, role) -> psycopg.Connection:
    """A new session of a role, whose password this sets, for servers that ask for one."""
    password = uuid.uuid4().hex
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(password))
        )
    return psycopg.connect(make_conninfo(url, user=role, password=password), autocommit=True)


@pytest.fixture(scope="module")
def app(role_server, shared_catalogue_url) -> Iterator[psycopg.Connection]:
    with login(shared_catalogue_url, "recsys_app") as connection:
        yield connection


@pytest.fixture(scope="module")
def reporter(role_server, shared_catalogue_url) -> Iterator[psycopg.Connection]:
    with login(shared_catalogue_url, "recsys_reporter") as connection:
        yield connection


@pytest.fixture(scope="module")
def stranger(role_server, shared_catalogue_url) -> Iterator[psycopg.Connection]:
    """A role that nobody granted anything."""
    role = sql.Identifier(f"recsys_test_{uuid.uuid4().hex[:12]}")
    with psycopg.connect(role_server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login").format(role))
        with login(shared_catalogue_url, role.as_string().strip('"')) as connection:
            yield connection
        admin.execute(sql.SQL("drop role {}").format(role))


@pytest.mark.parametrize("call", FUNCTIONS)
def test_the_application_may_call_every_function_that_reads(app, call):
    assert app.execute(f"select * from recsys_api.{call}".encode()).fetchall()


def test_the_application_may_register_users_and_record_what_they_do(app):
    with app.transaction(force_rollback=True):
        (user_id,) = app.execute("select recsys_api.ensure_user('from-the-app')").fetchone()
        app.execute(
            "select recsys_api.record_interaction(%s, 1, 'purchase', event_id => 'app-1')", (user_id,)
        )
        app.execute('update recsys.users set attributes = \'{"plan": "free"}\' where id = %s', (user_id,))
        assert app.execute("select recsys_api.ensure_user(user_id => 4711)").fetchone() == (4711,)
        assert app.execute("select recsys_api.record_impressions(%s, '{2,3}')", (user_id,)).fetchone() == (2,)
        rows = app.execute("select item_id from recsys_api.recommend_for_user(%s)", (user_id,)).fetchall()
        assert (1,) not in rows


@pytest.mark.parametrize("statement", WRITES)
def test_the_application_may_write_nothing_else(app, statement):
    with pytest.raises(DENIED):
        app.execute(statement)


def test_the_application_may_not_call_what_recounts_everything(role_server, catalogue):
    allowed = catalogue.execute(
        "select proname from pg_proc where pronamespace = 'recsys_api'::regnamespace"
        " and proname like 'refresh%' and has_function_privilege('recsys_app', oid, 'execute')"
    ).fetchall()
    assert allowed == []


@pytest.mark.parametrize("view", VIEWS)
def test_the_reporter_reads_every_view(reporter, view):
    reporter.execute(f"select * from recsys_report.{view}")


def test_the_views_are_all_there_are(catalogue):
    found = catalogue.execute(
        "select relname from pg_class"
        " where relnamespace = 'recsys_report'::regnamespace and relkind in ('v', 'm', 'r')"
    ).fetchall()
    assert sorted(name for (name,) in found) == list(VIEWS)


def test_the_reporter_reads_no_table_and_calls_no_function(reporter, catalogue):
    tables = catalogue.execute(
        "select format('recsys.%I', tablename) from pg_tables where schemaname = 'recsys'"
    ).fetchall()
    assert tables
    for (table,) in tables:
        with pytest.raises(DENIED):
            reporter.execute(f"select * from {table}".encode())
    for call in FUNCTIONS[:5]:
        with pytest.raises(DENIED):
            reporter.execute(f"select * from recsys_api.{call}".encode())


def test_the_reporter_has_no_right_but_usage_and_select_on_the_views(role_server, catalogue):
    rights = catalogue.execute(
        """
        select 'table ' || c.oid::regclass || ' ' || p.kind
        from pg_class c
        cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p (kind)
        where c.relnamespace::regnamespace::text like 'recsys%%' and c.relkind in ('r', 'v')
            and has_table_privilege('recsys_reporter', c.oid, p.kind)
        union all
        select 'select ' || c.oid::regclass from pg_class c
        where c.relnamespace::regnamespace::text = 'recsys' and c.relkind in ('r', 'v', 'S')
            and has_any_column_privilege('recsys_reporter', c.oid, 'select')
        union all
        select 'execute ' || p.oid::regprocedure from pg_proc p
        where p.pronamespace::regnamespace::text = 'recsys_api'
            and has_function_privilege('recsys_reporter', p.oid, 'execute')
        union all
        select 'create in ' || nspname from pg_namespace
        where nspname like 'recsys%%' and has_schema_privilege('recsys_reporter', oid, 'create')
        """
    ).fetchall()
    assert rights == []


def test_the_reporter_logs_in_with_a_time_limit_and_read_only(reporter):
    assert reporter.execute("show statement_timeout").fetchone() == ("30s",)
    assert reporter.execute("show default_transaction_read_only").fetchone() == ("on",)


def test_a_statement_of_the_reporter_is_stopped_at_its_time_limit(reporter):
    reporter.execute("set statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        reporter.execute("select count(*) from recsys_report.top_items, pg_sleep(5)")
    reporter.execute("reset statement_timeout")


@pytest.mark.parametrize(
    "statement",
    [
        *(f"select * from recsys_report.{view}" for view in VIEWS),
        *(f"select * from recsys_api.{call}" for call in FUNCTIONS),
        *WRITES,
        "select * from recsys.items",
        "select * from recsys.interactions",
        "select recsys.item_content('a', 'b', 'c', '{}')",
    ],
)
def test_others_may_do_nothing(stranger, statement):
    with pytest.raises(DENIED):
        stranger.execute(statement)


def test_functions_are_not_open_to_everybody_even_with_a_right_on_the_schema(catalogue):
    open_to_all = catalogue.execute(
        """
        select p.oid::regprocedure::text from pg_proc p
        where p.pronamespace = 'recsys_api'::regnamespace
            and (p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0))
        """
    ).fetchall()
    assert open_to_all == []


def test_a_role_that_may_only_write_the_catalogue_fills_the_queue(role_server, catalogue):
    catalogue.execute("grant usage on schema recsys to recsys_reporter")
    catalogue.execute("grant select, insert, update on recsys.items to recsys_reporter")
    catalogue.execute("set local role recsys_reporter")
    catalogue.execute("insert into recsys.items (title) values ('Another film')")
    catalogue.execute("update recsys.items set description = 'Changed.' where id = 1")
    catalogue.execute("reset role")
    assert catalogue.execute(
        "select count(*) from recsys.embedding_jobs where requested_at = now()"
    ).fetchone() == (2,)

"""The promises that every function and view of the SQL interface keeps: names, types, comments, safety."""

import pytest

CALLS = {
    "item_filter": (
        "categories => '{Drama}', in_stock => true, min_price => 1, max_price => 20, tags => '{odd}',"
        " attributes => '{\"year\": 1961}', item_ids => '{1,2}', exclude_item_ids => '{2}', rule => 'cheap'"
    ),
    "search_items": (
        "query_embedding => (select embedding from recsys.items where id = 1), n => 3, filter => null"
    ),
    "similar_items": "item_id => 1, n => 3, filter => null, scenario => null",
    "search_text": "query => 'drama', n => 3, filter => null, query_embedding => null",
    "remember_query": (
        "query => 'a film', query_embedding => (select embedding from recsys.items where id = 1),"
        " model_id => null"
    ),
    "explain_search": (
        "query_embedding => (select embedding from recsys.items where id = 1), n => 3, filter => null"
    ),
    "check_recall": "sample => 20, n => 3",
    "refresh_copies": "item_ids => null, dry_run => false",
    "define_rule": "name => 'mine', predicate => 'item.in_stock'",
    "drop_rule": "name => 'cheap'",
    "recommend_for_user": (
        "user_id => 1, n => 3, filter => null, exclude_seen => true, diversity => 0, method => 'hybrid',"
        " scenario => null, max_per_category => 2, popularity_damping => 0.1, rotation => 0.5,"
        " rotation_half_life => '1 day', new_item_share => 0.1, shown_item_ids => '{1}'"
    ),
    "recommend_for_items": (
        "item_ids => '{1,50}', n => 3, filter => null, weights => '{1,0.5}', scenario => null,"
        " diversity => 0.1, max_per_category => 2, popularity_damping => 0.1, new_item_share => 0.1,"
        " shown_item_ids => '{2}'"
    ),
    "item_boost": "filter => recsys_api.item_filter(in_stock => true), factor => 2",
    "item_pin": "item_id => 1, place => 2",
    "define_scenario": (
        "name => 'shelf', filter => recsys_api.item_filter(in_stock => true), method => 'hybrid',"
        " exclude_seen => true, diversity => 0.1, max_per_category => 2, popularity_damping => 0.1,"
        " rotation => 0.5, rotation_half_life => '1 day', new_item_share => 0.1,"
        " boosts => array[recsys_api.item_boost(recsys_api.item_filter(tags => '{odd}'), 2)],"
        " pins => array[recsys_api.item_pin(1, 2)]"
    ),
    "drop_scenario": "name => 'stored'",
    "record_impressions": "user_id => 1, item_ids => '{1,2}', shown_at => now()",
    "popular_items": "n => 3, filter => null, since => '2025-01-01'",
    "similar_users": "user_id => 1, n => 3",
    "explain_recommendation": (
        "user_id => 1, item_id => 8, scenario => null, popularity_damping => 0.1, rotation => 0.5,"
        " rotation_half_life => '1 day'"
    ),
    "record_interaction": (
        "user_id => 1, item_id => 2, kind => 'rating', value => 4, event_id => 'e', occurred_at => now()"
    ),
    "ensure_user": "external_id => 'person-1', user_id => null",
    "user_id": "external_id => 'person-1'",
    "item_id": "external_id => 'film-1'",
    "refresh_popularity": "",
    "refresh_tastes": "",
    "export_user": "user_id => 1",
    "forget_user": "user_id => 1",
    "refresh_item_factors": "item_ids => null, model_id => null",
    "activate_model": (
        "model_id => (select id from recsys.models where purpose = 'collaborative' order by id limit 1)"
    ),
}
WRITERS = {
    "_activate_model",
    "_add_step",
    "_classify_lengths",
    "_recall_searches",
    "_refresh_center",
    "_refresh_tastes",
    "_refresh_due_tastes",
    "_rule_condition",
    "_sample_filter",
    "_use_query",
    "activate_model",
    "check_recall",
    "define_rule",
    "define_scenario",
    "drop_rule",
    "drop_scenario",
    "ensure_user",
    "forget_user",
    "record_impressions",
    "record_interaction",
    "refresh_copies",
    "refresh_item_factors",
    "refresh_popularity",
    "refresh_tastes",
    "remember_query",
}

FOUND = [
    ("rank", "bigint"),
    ("item_id", "bigint"),
    ("external_id", "text"),
    ("title", "text"),
    ("category", "text"),
    ("price", "numeric"),
    ("in_stock", "boolean"),
    ("score", "double precision"),
]
COLUMNS = {
    "search_items": FOUND,
    "search_text": [
        *FOUND,
        ("reason", "text"),
        ("words_rank", "bigint"),
        ("meaning_rank", "bigint"),
        ("searched_by_meaning", "boolean"),
    ],
    "explain_search": [
        ("step", "integer"),
        ("strategy", "text"),
        ("rows_compared", "bigint"),
        ("rows_passing", "bigint"),
        ("milliseconds", "double precision"),
    ],
    "popular_items": FOUND,
    "similar_items": [*FOUND, ("reason", "text"), ("similarity", "double precision")],
    "recommend_for_user": [*FOUND, ("reason", "text"), ("reason_item_id", "bigint"), ("placement", "text")],
    "recommend_for_items": [*FOUND, ("reason", "text"), ("reason_item_id", "bigint"), ("placement", "text")],
    "similar_users": [
        ("rank", "bigint"),
        ("user_id", "bigint"),
        ("external_id", "text"),
        ("similarity", "double precision"),
    ],
    "explain_recommendation": [
        ("item_id", "bigint"),
        ("title", "text"),
        ("weight", "double precision"),
        ("occurred_at", "timestamp with time zone"),
        ("contribution", "double precision"),
        ("graph", "double precision"),
        ("content", "double precision"),
    ],
}


@pytest.fixture(autouse=True)
def _rule(catalogue):
    catalogue.execute("select recsys_api.define_rule('cheap', 'item.price < 10')")
    catalogue.execute("select recsys_api.define_scenario('stored')")


@pytest.mark.parametrize("function", CALLS)
def test_every_function_is_called_by_name_with_named_arguments(catalogue, function):
    rows = catalogue.execute(f"select * from recsys_api.{function}({CALLS[function]})").fetchall()
    assert rows


def test_the_documented_functions_are_all_that_is_public(catalogue):
    public = catalogue.execute(
        r"select proname from pg_proc where pronamespace = 'recsys_api'::regnamespace and proname !~ '^_'"
    ).fetchall()
    assert sorted(name for (name,) in public) == sorted(CALLS)


@pytest.mark.parametrize("function", COLUMNS)
def test_results_have_typed_columns(catalogue, function):
    cursor = catalogue.execute(f"select * from recsys_api.{function}({CALLS[function]})")
    types = [
        (column.name, catalogue.execute("select %s::oid::regtype::text", (column.type_code,)).fetchone()[0])
        for column in cursor.description
    ]
    assert types == COLUMNS[function]


def test_every_public_function_has_a_comment_with_an_example(catalogue):
    comments = dict(
        catalogue.execute(
            r"select proname, obj_description(oid, 'pg_proc') from pg_proc"
            r" where pronamespace = 'recsys_api'::regnamespace and proname !~ '^_'"
        ).fetchall()
    )
    assert {name for name, comment in comments.items() if "Example:" not in (comment or "")} == set()


def test_every_object_has_a_comment(catalogue):
    silent = catalogue.execute(
        """
        select oid::regprocedure::text from pg_proc
        where pronamespace::regnamespace::text in ('recsys', 'recsys_api')
            and obj_description(oid, 'pg_proc') is null
        union all
        select oid::regclass::text from pg_class
        where relnamespace::regnamespace::text in ('recsys', 'recsys_report') and relkind in ('r', 'v')
            and relname <> 'alembic_version' and obj_description(oid, 'pg_class') is null
        union all
        select typname from pg_type t
        where typnamespace = 'recsys_api'::regnamespace and typtype = 'c'
            and coalesce(obj_description(t.oid, 'pg_type'), obj_description(typrelid, 'pg_class')) is null
        """
    ).fetchall()
    assert silent == []


def test_the_examples_in_the_comments_run(catalogue):
    catalogue.execute("insert into recsys.users (id) values (42)")
    catalogue.execute("update recsys.users set external_id = 'customer-17' where id = 3")
    catalogue.execute("update recsys.items set external_id = 'film-the-matrix-1999' where id = 3")
    comments = catalogue.execute(
        r"select obj_description(oid, 'pg_proc') from pg_proc"
        r" where pronamespace = 'recsys_api'::regnamespace and proname !~ '^_'"
    ).fetchall()
    for (comment,) in comments:
        catalogue.execute(comment.split("Example:", 1)[1].encode())


def test_functions_that_only_read_are_stable_or_immutable(catalogue):
    volatile = catalogue.execute(
        "select proname from pg_proc where pronamespace = 'recsys_api'::regnamespace and provolatile = 'v'"
    ).fetchall()
    assert {name for (name,) in volatile} == WRITERS


def test_functions_run_as_their_caller_but_for_the_one_that_notes_filters(catalogue):
    definers = catalogue.execute(
        "select oid::regprocedure::text from pg_proc"
        " where pronamespace::regnamespace::text = 'recsys_api' and prosecdef"
    ).fetchall()
    assert definers == [("recsys_api._sample_filter(recsys_api.filter,text,bigint,double precision)",)]


def test_functions_that_run_as_their_owner_have_a_search_path_and_say_why(catalogue):
    definers = catalogue.execute(
        "select proconfig, obj_description(oid, 'pg_proc') from pg_proc"
        " where pronamespace::regnamespace::text in ('recsys', 'recsys_api') and prosecdef"
    ).fetchall()
    assert definers
    for configuration, comment in definers:
        assert any(entry.startswith("search_path=") for entry in configuration)
        assert "Security definer:" in comment


def test_every_function_that_names_anything_has_a_search_path_of_its_own(catalogue):
    """But for the one that holds nothing except arithmetic, which stays inlinable without it."""
    without = catalogue.execute(
        """
        select proname from pg_proc
        where pronamespace = 'recsys_api'::regnamespace
            and not exists (select from unnest(proconfig) c (entry) where c.entry like 'search_path=%')
        """
    ).fetchall()
    assert without == [("_interaction_weight",), ("_length_class",)]


def test_the_search_path_of_a_function_is_the_catalogue_and_pgvector(catalogue):
    paths = catalogue.execute(
        "select distinct c.entry from pg_proc, unnest(proconfig) c (entry)"
        " where pronamespace = 'recsys_api'::regnamespace and c.entry like 'search_path=%' and not prosecdef"
    ).fetchall()
    assert paths == [("search_path=pg_catalog, public, pg_temp",)]


def test_every_constraint_and_index_is_named_after_its_table(catalogue):
    strange = catalogue.execute(
        """
        select c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid
        where c.connamespace = 'recsys'::regnamespace and c.contype <> 'n' and t.relname <> 'alembic_version'
            and c.conname !~ ('^(standby_)?' || t.relname || '_(\\w+_)?(pkey|fkey|key|check)$')
        union all
        select i.relname
        from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
        where t.relnamespace = 'recsys'::regnamespace and t.relname <> 'alembic_version'
            and i.relname !~ ('^(standby_)?' || t.relname || '_(\\w+_)?(pkey|key|idx)$')
        """
    )
    assert strange.fetchall() == []

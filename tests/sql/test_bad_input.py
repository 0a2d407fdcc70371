"""Bad input in SQL: one clear error that names the value and the remedy, or a stated sensible result."""

import psycopg
import pytest

VECTOR = "(select embedding from recsys.items where id = 1)"
LONG = "(select string_agg(md5(i::text), '') from generate_series(1, 31250) i)"  # 1 MB that hardly compresses
INJECTION = """'); drop table recsys.items; -- " \\ \U0001f600'"""
QUOTED = "$$'); drop table recsys.items; -- \" \\ \U0001f600$$"
N_TAKERS = {
    "recommend_for_user": "1, ",
    "recommend_for_items": "'{1}', ",
    "similar_items": "1, ",
    "search_items": f"{VECTOR}, ",
    "popular_items": "",
    "similar_users": "1, ",
}
FILTER_TAKERS = {
    "recommend_for_user": "1",
    "recommend_for_items": "'{1}'",
    "similar_items": "1",
    "search_items": VECTOR,
    "popular_items": "n => 10",
}
RECORD = "select recsys_api.record_interaction"
FILTER = "select recsys_api.item_filter"

REFUSED = [
    # people and items
    ("select * from recsys_api.recommend_for_user(999)", "RS001", "user 999 does not exist"),
    ("select * from recsys_api.recommend_for_user(-1)", "RS001", "user -1 does not exist"),
    ("select * from recsys_api.recommend_for_user(null)", "RS010", "the user id is NULL"),
    ("select * from recsys_api.similar_users(999)", "RS001", "user 999 does not exist"),
    ("select * from recsys_api.explain_recommendation(999, 1)", "RS001", "user 999 does not exist"),
    ("select * from recsys_api.explain_recommendation(1, 999)", "RS002", "item 999 does not exist"),
    ("select * from recsys_api.explain_recommendation(1, null)", "RS010", "an item id is NULL"),
    ("select * from recsys_api.similar_items(999)", "RS002", "item 999 does not exist"),
    ("select * from recsys_api.similar_items(null)", "RS010", "an item id is NULL"),
    ("select * from recsys_api.recommend_for_items('{1,999,998}')", "RS002", "item 999 does not exist"),
    ("select * from recsys_api.recommend_for_items('{1,null}')", "RS010", "an item id is NULL"),
    ("select * from recsys_api.recommend_for_items('{{1,2},{3,4}}')", "RS010", "item_ids is a list of lists"),
    ("select recsys_api.record_impressions(1, '{{1},{2}}')", "RS010", "item_ids is a list of lists"),
    ("select * from recsys_api.recommend_for_items(null)", "RS010", "an item id is NULL"),
    (
        "select * from recsys_api.recommend_for_items('{1,2}', weights => '{1}')",
        "RS010",
        "there are 1 weights for 2 items",
    ),
    ("select * from recsys_api.recommend_for_items('{1}', weights => '{1.5}')", "RS010", "a weight is 1.5"),
    ("select * from recsys_api.recommend_for_items('{1}', weights => '{NaN}')", "RS010", "a weight is NaN"),
    ("select * from recsys_api.recommend_for_items('{1}', weights => '{null}')", "RS010", "a weight is NULL"),
    ("select recsys_api.activate_model(-1)", "RS010", "model_id is -1, which is no trained model"),
    ("select recsys_api.item_id('nothing')", "RS002", "no item has the external_id 'nothing'"),
    ("select recsys_api.user_id('nobody')", "RS001", "no user has the external_id 'nobody'"),
    ("select recsys_api.item_id(null)", "RS002", "no item has the external_id NULL"),
    ("select recsys_api.user_id(null)", "RS001", "no user has the external_id NULL"),
    ("select recsys_api.ensure_user()", "RS010", "either external_id or user_id"),
    ("select recsys_api.ensure_user('person-1', 1)", "RS010", "either external_id or user_id"),
    ("select recsys_api.ensure_user('')", "RS010", "external_id has 0 characters"),
    (f"select recsys_api.ensure_user({LONG})", "RS010", "external_id has 1000000 characters"),
    # vectors
    ("select * from recsys_api.search_items(null)", "RS011", "the query embedding is NULL"),
    ("select * from recsys_api.search_items('[1,2,3]')", "RS011", "has 3 dimensions, not 384"),
    (
        "select * from recsys_api.search_items(array_fill(0::real, array[384])::vector)",
        "RS011",
        "no direction",
    ),
    ("select * from recsys_api.search_items('[NaN,1]')", "22000", "NaN not allowed in vector"),
    ("select * from recsys_api.search_items('[]')", "22000", "at least 1 dimension"),
    ("select * from recsys_api.search_items('[1,')", "22P02", "invalid input syntax for type vector"),
    ("update recsys.items set embedding = '[1,2]' where id = 1", "22000", "expected 384 dimensions, not 2"),
    (
        "update recsys.items set embedding = array_fill(0::real, array[384])::vector where id = 1",
        "RS011",
        "the embedding of item 1 is a zero vector",
    ),
    # filters
    (f"{FILTER}(min_price => 20, max_price => 10)", "RS010", "min_price 20 is above max_price 10"),
    (f"{FILTER}(min_price => 'NaN')", "RS010", "a price bound is NaN"),
    (f"{FILTER}(max_price => 'NaN')", "RS010", "a price bound is NaN"),
    (f"{FILTER}(attributes => '[1]')", "RS010", "attributes is a JSON array, not an object"),
    (f"{FILTER}(attributes => 'null')", "RS010", "attributes is a JSON null, not an object"),
    (f"{FILTER}(attributes => '\"text\"')", "RS010", "attributes is a JSON string, not an object"),
    (f"{FILTER}(categories => '{{{{a,b}},{{c,d}}}}')", "RS010", "categories is an array of arrays"),
    # ranking
    ("select * from recsys_api.recommend_for_user(1, method => 'best')", "RS010", "method is 'best'"),
    (f"select * from recsys_api.recommend_for_user(1, method => {QUOTED})", "RS010", "method is "),
    (f"select * from recsys_api.recommend_for_user(1, method => {LONG})", "RS010", "method is "),
    ("select * from recsys_api.recommend_for_user(1, diversity => 1.1)", "RS010", "diversity is 1.1"),
    ("select * from recsys_api.recommend_for_user(1, diversity => -0.1)", "RS010", "diversity is -0.1"),
    ("select * from recsys_api.recommend_for_user(1, diversity => 'NaN')", "RS010", "diversity is NaN"),
    ("select * from recsys_api.popular_items(since => now() + interval '1 day')", "RS010", "in the future"),
    ("select * from recsys_api.popular_items(since => 'infinity')", "RS010", "since is infinity"),
    # interactions
    (f"{RECORD}(999, 1, 'view')", "RS001", "user 999 does not exist"),
    (f"{RECORD}(1, 999, 'view')", "RS002", "item 999 does not exist"),
    (f"{RECORD}(null, 1, 'view')", "RS010", "the user id is NULL"),
    (f"{RECORD}(1, null, 'view')", "RS010", "an item id is NULL"),
    (f"{RECORD}(1, 1, 'glance')", "RS003", "interaction kind 'glance' does not exist"),
    (f"{RECORD}(1, 1, null)", "RS003", "interaction kind NULL does not exist"),
    (f"{RECORD}(1, 1, {QUOTED})", "RS003", "does not exist"),
    (f"{RECORD}(1, 1, {LONG})", "RS003", "does not exist"),
    (f"{RECORD}(1, 1, 'rating')", "RS010", "an interaction of kind 'rating' needs a value"),
    (f"{RECORD}(1, 1, 'rating', value => 'NaN')", "RS010", "value is NaN"),
    (f"{RECORD}(1, 1, 'rating', value => '-Infinity')", "RS010", "value is -Infinity"),
    (f"{RECORD}(1, 1, 'rating', value => 1e10)", "RS010", "value is 10000000000"),
    (f"{RECORD}(1, 1, 'view', event_id => '')", "RS010", "event_id has 0 characters"),
    (f"{RECORD}(1, 1, 'view', event_id => {LONG})", "RS010", "event_id has 1000000 characters"),
    (f"{RECORD}(2, 1, 'view', event_id => 'event-1')", "RS012", "event_id 'event-1' was recorded before"),
    (f"{RECORD}(1, 1, 'view', occurred_at => now() + interval '1 hour')", "RS010", "in the future"),
    (f"{RECORD}(1, 1, 'view', occurred_at => 'infinity')", "RS010", "occurred_at is infinity"),
    (f"{RECORD}(1, 1, 'view', occurred_at => '-infinity')", "RS010", "occurred_at is -infinity"),
    (f"{RECORD}(1, 1, 'view', occurred_at => null)", "RS010", "occurred_at is NULL"),
    # tables, by the name of the constraint
    ("insert into recsys.items (title, price) values ('x', -1)", "23514", "items_price_check"),
    ("insert into recsys.items (title, price) values ('x', 'NaN')", "23514", "items_price_check"),
    ("insert into recsys.items (title, price) values ('x', 'Infinity')", "23514", "items_price_check"),
    ("insert into recsys.items (title, tags) values ('x', '{a,null}')", "23514", "items_tags_check"),
    ("insert into recsys.items (title, tags) values ('x', '{a,\"\"}')", "23514", "items_tags_check"),
    (f"insert into recsys.items (title, tags) values ('x', array[{LONG}])", "23514", "items_tags_check"),
    ("insert into recsys.items (title, attributes) values ('x', '[]')", "23514", "items_attributes_check"),
    ("insert into recsys.items (title, category) values ('x', '')", "23514", "items_category_check"),
    (f"insert into recsys.items (title, category) values ('x', {LONG})", "23514", "items_category_check"),
    (
        f"insert into recsys.items (title, external_id) values ('x', {LONG})",
        "23514",
        "items_external_id_check",
    ),
    (
        "insert into recsys.items (title, external_id) values ('x', 'film-1')",
        "23505",
        "items_external_id_key",
    ),
    ("insert into recsys.items (title) values (null)", "23502", "title"),
    ("insert into recsys.users (external_id) values ('person-1')", "23505", "users_external_id_key"),
    ("insert into recsys.users (attributes) values ('3')", "23514", "users_attributes_check"),
    (
        "insert into recsys.interactions (user_id, item_id, kind) values (1, 999, 'view')",
        "23503",
        "interactions_item_id_fkey",
    ),
    (
        "insert into recsys.interactions (user_id, item_id, kind) values (999, 1, 'view')",
        "23503",
        "interactions_user_id_fkey",
    ),
    (
        "insert into recsys.interactions (user_id, item_id, kind) values (1, 1, 'glance')",
        "23503",
        "interactions_kind_fkey",
    ),
    (
        "insert into recsys.interaction_kinds (kind, weight) values ('Two Words', 1)",
        "23514",
        "interaction_kinds_kind_check",
    ),
    (
        "insert into recsys.models (purpose, name, revision, is_active) values ('embedding', 'x', '1', true)",
        "23505",
        "models_active_purpose_idx",
    ),
    (
        "insert into recsys.item_neighbors select id, 1, '{2,3}', '{1}' from recsys.models",
        "23514",
        "item_neighbors_weights_check",
    ),
    *(
        (f"select * from recsys_api.{function}({first}n => {n})", "RS010", f"n is {n.upper()}, not between 1")
        for function, first in N_TAKERS.items()
        for n in ("0", "-1", "null", "10000000")
    ),
]

# what passes although it looks odd, and how many rows come back
ACCEPTED = [
    *(
        (f"select * from recsys_api.{function}({first}, filter => recsys_api.item_filter({odd}))", rows)
        for function, first in FILTER_TAKERS.items()
        for odd, rows in (
            ("categories => '{}'", 0),
            ("categories => '{Western}'", 0),
            (f"categories => array[{QUOTED}]", 0),
            (f"categories => array[{LONG}]", 0),
            (f"tags => array[{QUOTED}]", 0),
            (f"tags => array[{LONG}]", 0),
            (f"attributes => jsonb_build_object({QUOTED}, {LONG})", 0),
            ("item_ids => '{}'", 0),
            ("item_ids => '{-1,9223372036854775807}'", 0),
            ("item_ids => '{null}'", 0),
            ("min_price => 1e300", 0),
            ("min_price => 5.5, max_price => 5.5", 1),
            ("tags => '{}'", 10),
            ("tags => '{null}'", 10),
            ("attributes => '{}'", 10),
            ("exclude_item_ids => '{}'", 10),
            ("exclude_item_ids => '{null}'", 10),
            ("min_price => -1e300", 10),
        )
    ),
    ("select * from recsys_api.recommend_for_items('{}')", 10),
    ("select * from recsys_api.recommend_for_user(1, exclude_seen => null)", 10),
    ("select * from recsys_api.recommend_for_user(1, filter => null)", 10),
    ("select * from recsys_api.recommend_for_user(1, method => null, diversity => null)", 10),
    ("select * from recsys_api.recommend_for_user(1, scenario => null, shown_item_ids => '{null,-1}')", 10),
    ("select * from recsys_api.recommend_for_user(1, n => 1000, max_per_category => 2)", 8),
    ("select * from recsys_api.explain_recommendation(30, 1, rotation => 1, popularity_damping => 1)", 0),
    ("select * from recsys_api.popular_items(n => 1000)", 60),
    ("select * from recsys_api.popular_items(since => '-infinity', n => 1000)", 48),
    ("select * from recsys_api.popular_items(since => now())", 0),
    ("select * from recsys_api.similar_users(30)", 0),
    ("select * from recsys_api.explain_recommendation(30, 1)", 0),
]


def fingerprint(connection):
    """One value a table that changes with any row written."""
    return {
        table: connection.execute(
            f"select count(*), md5(string_agg(ctid::text || xmin, ',' order by ctid)) from {table}"
        ).fetchone()
        for (table,) in connection.execute(
            "select format('recsys.%I', tablename) from pg_tables where schemaname = 'recsys'"
        ).fetchall()
    }


@pytest.fixture(scope="module")
def untouched(shared_catalogue_url):
    """A connection that commits each statement, and what the tables hold before any."""
    with psycopg.connect(shared_catalogue_url, autocommit=True) as connection:
        yield connection, fingerprint(connection)


@pytest.mark.parametrize(
    ("statement", "sqlstate", "message"), REFUSED, ids=[statement[:90] for statement, *_ in REFUSED]
)
def test_bad_input_is_refused_by_name_and_changes_nothing(untouched, statement, sqlstate, message):
    connection, before = untouched
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(statement)
    assert message in raised.value.diag.message_primary
    assert raised.value.sqlstate == sqlstate
    assert len(raised.value.diag.message_primary) < 600
    if sqlstate.startswith("RS"):
        assert raised.value.diag.message_hint.endswith(".") or "Run: " in raised.value.diag.message_hint
    assert fingerprint(connection) == before


@pytest.mark.parametrize(("statement", "rows"), ACCEPTED, ids=[statement[:110] for statement, _ in ACCEPTED])
def test_odd_input_has_a_stated_result_and_changes_nothing(untouched, statement, rows):
    connection, before = untouched
    assert len(connection.execute(statement).fetchall()) == rows
    assert fingerprint(connection) == before


@pytest.mark.parametrize("text", [QUOTED, LONG], ids=["injection", "1 MB"])
@pytest.mark.parametrize("column", ["title", "description"])
def test_any_text_is_kept_as_it_is(catalogue, column, text):
    values = {"title": "'x'", "description": "null", "category": "'Western'"} | {column: text}
    (kept,) = catalogue.execute(
        f"insert into recsys.items ({', '.join(values)}) values ({', '.join(values.values())})"
        f" returning {column} = {text}"
    ).fetchone()
    assert kept
    (row,) = catalogue.execute(
        "select title = (select i.title from recsys.items i where i.id = f.item_id)"
        " from recsys_api.popular_items(filter => recsys_api.item_filter(categories => '{Western}')) f"
    ).fetchall()
    assert row == (True,)


def test_keys_of_any_characters_are_found_again(catalogue):
    for key in ("'); drop table recsys.users; --", "\U0001f600" * 255, "a\tb\n", "%_\\"):
        (user_id,) = catalogue.execute("select recsys_api.ensure_user(%s)", (key,)).fetchone()
        assert catalogue.execute("select recsys_api.user_id(%s)", (key,)).fetchone() == (user_id,)
        record = "select recsys_api.record_interaction(%s, 1, 'view', event_id => %s)"
        first = catalogue.execute(record, (user_id, key)).fetchone()
        assert catalogue.execute(record, (user_id, key)).fetchone() == first


def test_a_title_in_a_reason_is_cut_and_quoted_as_text(catalogue):
    catalogue.execute(f"update recsys.items set title = {LONG}, embedding = embedding where id = 7")
    rows = catalogue.execute("select reason from recsys_api.recommend_for_user(1, n => 60)").fetchall()
    assert max(len(reason) for (reason,) in rows) < 160


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("search.ef_search", "0"),
        ("search.ef_search", "1001"),
        ("search.exact_limit", "10000000000"),
        ("search.rerank", "200000000"),
        ("search.sample_share", "1.5"),
        ("history.length", "-1"),
        ("history.length", '"many"'),
    ],
)
def test_a_setting_out_of_range_is_refused_where_it_is_written(catalogue, key, value):
    with pytest.raises(psycopg.errors.CheckViolation, match="settings_value_check"):
        catalogue.execute("update recsys.settings set value = %s where key = %s", (value, key))


@pytest.mark.parametrize(
    "argument",
    [
        "categories => '{{a,b},{c,d}}'",
        "tags => '{{a}}'",
        "item_ids => '{{1},{2}}'",
        "exclude_item_ids => '{{1}}'",
    ],
)
def test_an_array_of_arrays_is_named(catalogue, argument):
    with pytest.raises(psycopg.Error) as raised:
        catalogue.execute(f"select recsys_api.item_filter({argument})")
    assert raised.value.sqlstate == "RS010"
    assert raised.value.diag.message_primary == f"{argument.split()[0]} is an array of arrays"


def test_a_price_that_no_float_holds_is_a_price_like_others(catalogue):
    catalogue.execute("update recsys.items set price = 1e-400 where id = 2")
    query = "(select embedding from recsys.items where id = 1)"
    search = f"select item_id from recsys_api.search_items({query}, 10, {{}})"
    for bounds in ("max_price => 1e-300", "max_price => 1e-400, min_price => 1e-500"):
        assert catalogue.execute(search.format(f"recsys_api.item_filter({bounds})")).fetchall() == [(2,)]


def test_dropping_a_rule_without_a_name_says_so(catalogue):
    with pytest.raises(psycopg.Error) as raised:
        catalogue.execute("select recsys_api.drop_rule(null)")
    assert (raised.value.sqlstate, raised.value.diag.message_primary) == ("RS010", "name is NULL")

"""Filters of the application's own: defined by the owner, checked, applied with the caller's rights."""

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from recsys_pg import db
from recsys_pg.recommender import Recommender
from recsys_pg.types import ItemFilter

VECTOR = "(select embedding from recsys.items where id = 1)"
DEFINE = "select recsys_api.define_rule(%s, %s)"
VEGAN = "exists (select from app.diets d where d.item_id = item.id and d.is_vegan)"

# the rows of app.diets are the items 1 to 30, of which every third is vegan; 1 to 6 are sold in the EU
APPLICATION = """
create schema app;
create table app.diets (item_id bigint primary key, is_vegan boolean not null, region text not null);
insert into app.diets
select i, i % 3 = 0, case when i <= 6 then 'eu' else 'us' end from generate_series(1, 30) i;
create view app.lucky_items as select d.item_id from app.diets d where random() < 0.5;
create function app.is_even(id bigint) returns boolean language sql stable as 'select id % 2 = 0';
create function app.count_visit(id bigint) returns boolean language plpgsql volatile as $$
begin
    insert into app.diets values (1000 + id, true, 'eu');
    return true;
end $$;
grant usage on schema app to recsys_app;
grant select on app.diets to recsys_app;
"""

ACCEPTED = [
    ("item.price < 10", "(item.price < (10)::numeric)", "searchable_items"),
    ("price < 10", "(item.price < (10)::numeric)", "searchable_items"),
    ("item.in_stock", "item.in_stock", "searchable_items"),
    ("true -- a comment", "true", "searchable_items"),
    (
        "case when item.in_stock then true end",
        "CASE WHEN item.in_stock THEN true ELSE NULL::boolean END",
        "searchable_items",
    ),
    (
        "item.attributes ->> 'it''s' = E'a\\\\b'",
        "((item.attributes ->> 'it''s'::text) = 'a\\b'::text)",
        "searchable_items",
    ),
    ("item.title = 'item.* {} %s $1'", "(item.title = 'item.* {} %s $1'::text)", "items"),
    (
        "item.embedding <=> item.embedding < 0.1",
        "((item.embedding OPERATOR(public.<=>) item.embedding) < (0.1)::double precision)",
        "items",
    ),
    (
        VEGAN,
        "(EXISTS ( SELECT FROM app.diets d WHERE ((d.item_id = item.id) AND d.is_vegan)))",
        "searchable_items",
    ),
    (
        "exists (select from app.diets item where item.item_id = 3)",
        "(EXISTS ( SELECT FROM app.diets item_1 WHERE (item_1.item_id = 3)))",
        "searchable_items",
    ),
    ("app.is_even(item.id)", "app.is_even(item.id)", "searchable_items"),
    ("item.created_at < now()", "(item.created_at < now())", "searchable_items"),
]

REFUSED = [
    # no predicate, or more than one
    (None, "is NULL"),
    ("", "is blank"),
    (" \n\t", "is blank"),
    ("x" * 10_001, "has 10001 characters"),
    ("item.price <", "syntax error"),
    ("(item.in_stock", "syntax error"),
    ("'abc", "unterminated quoted string"),
    ("true /* a comment", "unterminated /* comment"),
    ("$a$ x", "unterminated dollar-quoted string"),
    ("-- a comment", "empty array"),
    ("true) or (true", "syntax error"),
    ("true] or array[true", "must be type boolean, not type boolean[]"),
    ("true) as passes from recsys.items --", "syntax error"),
    ("true; drop table app.diets", "syntax error"),
    ("true); drop table app.diets; select (true", "syntax error"),
    ("true]; drop table app.diets; select array[true", "multi-query"),
    ("true union select true", "syntax error"),
    ("select true", "syntax error"),
    ("true, true", "not type record"),
    # not a condition on the item
    ("item.price", "must be type boolean, not type numeric"),
    ("item.color = 'red'", "column item.color does not exist"),
    ("item.code is not null", "column item.code does not exist"),
    ("item.ctid is not null", "column item.ctid does not exist"),
    ("one is null", 'missing FROM-clause entry for table "one"'),
    ("item is not null", "takes the item as a whole"),
    ("to_jsonb(item) ? 'x'", "takes the item as a whole"),
    ("items.price < 10", 'missing FROM-clause entry for table "items"'),
    ("item.price < $1", "there is no parameter $1"),
    ("item.id = 'x'", 'invalid input syntax for type bigint: "x"'),
    ("1 / 0 = 1", "division by zero"),
    ("count(*) > 1", "aggregate functions are not allowed"),
    ("row_number() over () = 1", "window functions are not allowed"),
    ("unnest(item.tags) = 'odd'", "set-returning functions are not allowed"),
    # the application's objects
    ("exists (select from app.nothing)", 'relation "app.nothing" does not exist'),
    ("exists (select from nothing.at_all)", 'relation "nothing.at_all" does not exist'),
    ("exists (select from diets)", 'relation "diets" does not exist'),
    ("exists (select from app.diets d where d.color = 'red')", "column d.color does not exist"),
    ("app.nothing(item.id)", "function app.nothing(bigint) does not exist"),
    ("exists (select from scratch)", "temporary relation"),
    ("pg_temp.always()", "which ends with this session"),
    # changes its mind, writes, or refers to itself
    ("random() < 0.5", "calls random(), which is volatile"),
    ("exists (select from app.lucky_items l where l.item_id = item.id)", "calls random(), which is volatile"),
    ("exists (select from app.diets d tablesample bernoulli (10))", "samples a table"),
    ("app.count_visit(item.id)", "calls app.count_visit(bigint), which is volatile"),
    ("nextval('recsys.items_id_seq') > 0", "calls nextval(regclass), which is volatile"),
    ("exists (with d as (delete from app.diets returning 1) select from d)", "data-modifying statement"),
    ("exists (select from app.diets d for update)", "locks rows"),
    ("exists (select from recsys_api.popular_items() p where p.item_id = item.id)", "which applies rules"),
    ("recsys_api.item_filter(rule => 'mine') is not null", "which applies rules"),
]


@pytest.fixture
def shop(catalogue):
    """The catalogue beside tables of the application."""
    catalogue.execute(APPLICATION)
    catalogue.execute("create temporary table scratch ()")
    catalogue.execute(
        "create function pg_temp.always() returns boolean language sql immutable as 'select true'"
    )
    return catalogue


def ids(connection, call):
    return [item_id for (item_id,) in connection.execute(f"select item_id from recsys_api.{call}")]


def found(connection, rule, conditions=""):
    """What a search finds under a rule, and further arguments of item_filter."""
    return ids(
        connection,
        f"search_items({VECTOR}, n => 1000, filter => recsys_api.item_filter(rule => '{rule}' {conditions}))",
    )


def refusal(connection, statement, parameters=None):
    """The error of a statement, which leaves the transaction as it was."""
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        connection.execute(statement, parameters)
    return raised.value


@pytest.mark.parametrize(("predicate", "canonical", "relation"), ACCEPTED, ids=[p for p, *_ in ACCEPTED])
def test_a_rule_is_kept_as_written_and_as_read(shop, predicate, canonical, relation):
    (returned,) = shop.execute(DEFINE, ("mine", predicate)).fetchone()
    assert " ".join(returned.split()) == canonical
    assert shop.execute(
        "select name, predicate, canonical, relation from recsys.filter_rules"
    ).fetchall() == [("mine", predicate, returned, relation)]
    found(shop, "mine")


@pytest.mark.parametrize(("predicate", "message"), REFUSED, ids=[str(p)[:60] for p, _ in REFUSED])
def test_a_predicate_that_is_no_rule_is_refused_and_changes_nothing(shop, predicate, message):
    rows = "select count(*) from app.diets"
    before = shop.execute(rows).fetchone()
    error = refusal(shop, DEFINE, ("mine", predicate))
    assert error.sqlstate == "RS010"
    assert "rule mine" in error.diag.message_primary
    assert message in error.diag.message_primary
    assert len(error.diag.message_primary) < 400
    assert error.diag.message_hint.endswith(".")
    assert shop.execute(rows).fetchone() == before
    assert shop.execute("select from recsys.filter_rules").fetchall() == []
    assert shop.execute("select to_regclass('recsys.rule_to_check')").fetchone() == (None,)


def test_an_unknown_column_is_answered_with_those_that_there_are(shop):
    hint = refusal(shop, DEFINE, ("mine", "item.colour = 'red'")).diag.message_hint
    assert hint.startswith("An item has the columns item.id, item.external_id, item.title, ")


@pytest.mark.parametrize(
    "name", [None, "", "Vegan", "9lives", "two words", "a" * 64, "x'); drop table a; --"]
)
def test_a_name_that_is_no_identifier_is_refused(catalogue, name):
    error = refusal(catalogue, DEFINE, (name, "true"))
    assert (error.sqlstate, "is no name of a rule" in error.diag.message_primary) == ("RS010", True)


def test_a_rule_narrows_every_list_alone_and_with_other_conditions(shop):
    shop.execute(DEFINE, ("vegan", VEGAN))
    vegan = set(range(3, 31, 3))
    assert set(found(shop, "vegan")) == vegan
    assert set(found(shop, "vegan", ", in_stock => false")) == vegan  # every third film is out of stock
    assert found(shop, "vegan", ", in_stock => true") == []
    assert set(found(shop, "vegan", ", categories => '{Drama}', tags => '{odd}'")) == {3, 9, 15}
    assert set(found(shop, "vegan", ", max_price => 5, exclude_item_ids => '{3}'")) == {6, 9}
    for call in (
        "popular_items(n => 60, filter => recsys_api.item_filter(rule => 'vegan'))",
        "recommend_for_user(1, n => 60, filter => recsys_api.item_filter(rule => 'vegan'))",
        "recommend_for_items('{1}', n => 60, filter => recsys_api.item_filter(rule => 'vegan'))",
        "similar_items(1, n => 60, filter => recsys_api.item_filter(rule => 'vegan'))",
    ):
        rows = ids(shop, call)
        assert rows
        assert set(rows) <= vegan


def test_a_rule_over_columns_that_only_the_catalogue_has(catalogue):
    catalogue.execute(DEFINE, ("first_ones", "item.title like '% 1'"))
    assert set(found(catalogue, "first_ones")) == {1, 16, 31, 46}
    assert set(found(catalogue, "first_ones", ", categories => '{Horror}'")) == {31}


def test_a_rule_that_is_null_for_an_item_does_not_let_it_pass(catalogue):
    catalogue.execute(DEFINE, ("cheap", "item.price < 1000"))  # every tenth has no price
    assert len(found(catalogue, "cheap")) == 53
    catalogue.execute(DEFINE, ("cheap", "null"))
    assert found(catalogue, "cheap") == []


def test_a_rule_may_follow_a_setting_of_the_session(shop):
    shop.execute(
        DEFINE,
        (
            "in_my_region",
            "exists (select from app.diets d where d.item_id = item.id"
            " and d.region = current_setting('shop.region', true))",
        ),
    )
    assert found(shop, "in_my_region") == []
    shop.execute("set local shop.region = 'eu'")
    assert set(found(shop, "in_my_region")) == {1, 2, 3, 4, 5, 6}


def test_a_changed_rule_and_changed_tables_count_at_once_even_in_a_prepared_statement(shop):
    shop.execute(DEFINE, ("mine", "item.id <= 3"))
    shop.execute(
        f"prepare searched as select item_id from recsys_api.search_items({VECTOR}, n => 60,"
        " filter => recsys_api.item_filter(rule => 'mine'))"
    )
    for _ in range(7):
        assert len(shop.execute("execute searched").fetchall()) == 3
    shop.execute(DEFINE, ("mine", VEGAN))
    assert len(shop.execute("execute searched").fetchall()) == 10
    shop.execute("update app.diets set is_vegan = false where item_id > 3")
    assert shop.execute("execute searched").fetchall() == [(3,)]


def test_python_passes_a_rule(shared_catalogue_url):
    engine = db.create_engine(shared_catalogue_url, poolclass=sa.NullPool)
    with Session(engine) as session:
        session.execute(sa.text("select recsys_api.define_rule('mine', 'item.id <= 3')"))
        rows = Recommender(session).popular(n=60, filter=ItemFilter(rule="mine"))
        assert {row.item_id for row in rows} == {1, 2, 3}


def test_an_unknown_rule_is_an_error_that_names_those_that_there_are(catalogue):
    call = f"select * from recsys_api.search_items({VECTOR}, filter => recsys_api.item_filter(rule => %s))"
    error = refusal(catalogue, call, ("it's",))
    assert (error.sqlstate, error.diag.message_primary) == ("RS013", "there is no rule 'it''s'")
    assert error.diag.message_hint.startswith("None is defined.")
    for name in ("b", "a"):
        catalogue.execute(DEFINE, (name, "true"))
    error = refusal(catalogue, call, ("",))
    assert error.diag.message_hint.startswith("There are: a, b;")


def test_dropping_a_rule_ends_it(catalogue):
    catalogue.execute(DEFINE, ("mine", "true"))
    catalogue.execute("select recsys_api.drop_rule('mine')")
    for statement in (
        "select recsys_api.drop_rule('mine')",
        "select * from recsys_api.popular_items(filter => recsys_api.item_filter(rule => 'mine'))",
    ):
        assert refusal(catalogue, statement).sqlstate == "RS013"


CALLS = [
    f"search_items({VECTOR}, filter => recsys_api.item_filter(rule => 'mine'))",
    "popular_items(filter => recsys_api.item_filter(rule => 'mine'))",
    "recommend_for_user(1, filter => recsys_api.item_filter(rule => 'mine'))",
    "similar_items(1, filter => recsys_api.item_filter(rule => 'mine'))",
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("predicate", "damage", "cause"),
    [
        (VEGAN, "drop table app.diets cascade", 'relation "app.diets" does not exist'),
        (VEGAN, "drop schema app cascade", 'relation "app.diets" does not exist'),
        (VEGAN, "alter table app.diets rename is_vegan to vegan", "column d.is_vegan does not exist"),
        ("app.is_even(item.id)", "drop function app.is_even", "function app.is_even(bigint) does not exist"),
    ],
)
def test_a_rule_whose_tables_are_gone_is_named_with_the_cause_and_the_remedy(
    shop, call, predicate, damage, cause
):
    shop.execute(DEFINE, ("mine", predicate))
    shop.execute(damage)
    error = refusal(shop, f"select * from recsys_api.{call}")
    assert error.sqlstate == "RS013"
    assert error.diag.message_primary == f"the rule mine cannot be applied: {cause}"
    assert "recsys_api.drop_rule" in error.diag.message_hint


@pytest.mark.parametrize("call", CALLS)
def test_a_caller_without_a_right_on_the_applications_table_is_told_so(role_server, shop, call):
    shop.execute(DEFINE, ("mine", VEGAN))
    shop.execute("revoke select on app.diets from recsys_app")
    shop.execute("set local role recsys_app")
    error = refusal(shop, f"select * from recsys_api.{call}")
    assert error.sqlstate == "42501"
    assert error.diag.message_primary == "the rule mine cannot be applied: permission denied for table diets"
    assert "grant role recsys_app" in error.diag.message_hint


def test_the_application_applies_rules_but_neither_defines_nor_drops_them(role_server, shop):
    shop.execute(DEFINE, ("mine", VEGAN))
    shop.execute("set local role recsys_app")
    assert set(found(shop, "mine")) == set(range(3, 31, 3))
    for statement in (
        "select recsys_api.define_rule('mine', 'true')",
        "select recsys_api.drop_rule('mine')",
        "update recsys.filter_rules set canonical = 'true'",
        "insert into recsys.filter_rules values ('other', 'true', 'true', 'items')",
    ):
        assert refusal(shop, statement).sqlstate == "42501"


def test_an_owner_who_may_not_read_a_table_cannot_define_a_rule_over_it(role_server, shop):
    shop.execute("grant execute on function recsys_api.define_rule to recsys_app")
    shop.execute("revoke select on app.diets from recsys_app")
    shop.execute("set local role recsys_app")
    assert refusal(shop, DEFINE, ("mine", VEGAN)).sqlstate == "42501"


def test_a_replica_is_told_that_it_cannot_save(catalogue):
    catalogue.execute("set transaction read only")
    assert refusal(catalogue, DEFINE, ("mine", "true")).sqlstate == "25006"


def test_two_owners_define_rules_at_the_same_time(catalogue_url):
    with psycopg.connect(catalogue_url) as first, psycopg.connect(catalogue_url) as second:
        first.execute(DEFINE, ("a", "item.in_stock"))
        second.execute("set lock_timeout = '2s'")
        second.execute(DEFINE, ("b", "item.in_stock"))
        second.commit()
        first.commit()
        assert first.execute("select name from recsys.filter_rules order by 1").fetchall() == [("a",), ("b",)]


def test_defining_a_rule_leaves_the_settings_of_the_session_alone(catalogue):
    catalogue.execute("set local search_path = recsys, public")
    catalogue.execute(DEFINE, ("mine", "item.in_stock"))
    assert catalogue.execute("show search_path").fetchone() == ("recsys, public",)

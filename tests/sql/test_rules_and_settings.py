"""Rules mean the same whatever the settings of the session, and one that fails on an item is named."""

import psycopg
import pytest

DEFINE = "select recsys_api.define_rule(%s, %s)"
SEARCH = (
    "select item_id from recsys_api.search_items((select embedding from recsys.items where id = 1), 1000,"
    " recsys_api.item_filter(rule => 'mine')) order by 1"
)
SETTINGS = [
    "set local datestyle = 'SQL, DMY'",
    "set local timezone = 'Asia/Kolkata'",
    "set local intervalstyle = sql_standard",
    "set local quote_all_identifiers = on",
    "set local extra_float_digits = -10",
    "set local search_path = recsys, public",
]
PREDICATES = [
    "item.created_at < timestamptz '2026-02-05 12:00:00+00'",
    "item.created_at - timestamptz '2026-02-05 12:00:00+00' < interval '1 day -2 hours'",
    "item.price < 10.5 and item.id % 2 = 0",
    "item.title ~ E'^\\\\w+'",
]


def refusal(connection, statement, parameters=None):
    with pytest.raises(psycopg.Error) as raised, connection.transaction():
        connection.execute(statement, parameters)
    return raised.value


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("predicate", PREDICATES)
def test_a_rule_is_stored_alike_and_means_the_same_under_every_setting(catalogue, predicate, setting):
    catalogue.execute(
        "update recsys.items"
        " set created_at = timestamptz '2026-02-05 12:00:00+00' + (id - 10) * interval '7 h'"
    )
    (canonical,) = catalogue.execute(DEFINE, ("mine", predicate)).fetchone()
    expected = catalogue.execute(SEARCH).fetchall()
    assert expected
    with catalogue.transaction(force_rollback=True):
        catalogue.execute(setting)
        assert catalogue.execute(DEFINE, ("mine", predicate)).fetchone() == (canonical,)
        assert catalogue.execute(SEARCH).fetchall() == expected
    assert catalogue.execute(SEARCH).fetchall() == expected


def test_a_client_with_old_string_literals_changes_nothing_for_those_after_it(catalogue_url):
    # functions are compiled at their first call in a session
    with psycopg.connect(catalogue_url) as connection:
        connection.execute("set standard_conforming_strings = off; set escape_string_warning = off")
        assert connection.execute(DEFINE, ("mine", "item.price > 1")).fetchone()
        words = "select count(*) > 0 from recsys_api.search_text('drama -nothing')"
        for value in ("off", "on"):
            connection.execute(f"set standard_conforming_strings = {value}")
            assert connection.execute(SEARCH).fetchall()
            assert connection.execute(words).fetchone() == (True,)
        connection.rollback()


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        ("item.price / (item.id - item.id) > 1", "division by zero"),
        ("(item.title || 'x')::integer > 1", "invalid input syntax for type integer"),
        ("item.id = (select i.id from recsys.items i where i.id > 0)", "more than one row"),
        ("current_setting('app.nowhere') = 'eu'", "unrecognized configuration parameter"),
    ],
)
def test_a_rule_that_fails_on_an_item_is_refused_with_the_reason(catalogue, predicate, message):
    error = refusal(catalogue, DEFINE, ("mine", predicate))
    assert error.sqlstate == "RS013"
    assert error.diag.message_primary.startswith("the rule mine fails on an item: ")
    assert message in error.diag.message_primary
    assert "guard it" in error.diag.message_hint
    assert catalogue.execute("select from recsys.filter_rules").fetchall() == []


def test_a_check_of_recall_leaves_out_searches_whose_rule_fails_and_says_so(catalogue):
    catalogue.execute("update recsys.settings set value = '1' where key = 'search.sample_share'")
    catalogue.execute(DEFINE, ("mine", "item.id > 0"))
    for _ in range(30):
        catalogue.execute(SEARCH)
    warnings = []
    catalogue.add_notice_handler(lambda diagnostic: warnings.append(diagnostic.message_primary))
    catalogue.execute("update recsys.filter_rules set canonical = '(item.price / (item.id - item.id)) > 1'")
    (searches,) = catalogue.execute("select sum(searches) from recsys_api.check_recall(40)").fetchone()
    assert 0 < searches < 40
    assert any("a search with the rule mine is left out: division by zero" in warning for warning in warnings)

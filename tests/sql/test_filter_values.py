"""Filters with values of every kind: each finds the items that have them, and no others."""

import json

import pytest

VECTOR = "(select embedding from recsys.items where id = 1)"
LISTS = {
    "search_items": f"search_items({VECTOR}, ",
    "similar_items": "similar_items(2, ",
    "recommend_for_user": "recommend_for_user(1, ",
    "popular_items": "popular_items(",
}
ODD = [
    "it's",
    '"quoted"',
    "'); drop table recsys.items; --",
    "{}",
    '{"a": 1}',
    "{a,b}",
    "[1]",
    "\\",
    "\\'",
    "\\x41",
    "$1",
    "$$",
    "%s %I %%",
    ":name",
    "a,b",
    "NULL",
    " ",
    "\t\n",
    "\U0001f600 é ß",
    "item.id",
    "a" * 255,
]


def ids(connection, call, parameters):
    return {
        item_id for (item_id,) in connection.execute(f"select item_id from recsys_api.{call}", parameters)
    }


@pytest.mark.parametrize("value", ODD, ids=[repr(value)[:20] for value in ODD])
def test_a_value_of_any_characters_finds_what_has_it_and_nothing_else(catalogue, value):
    catalogue.execute(
        "create temporary table kept on commit drop as"
        " select id, embedding from recsys.items where id in (5, 6)"
    )
    catalogue.execute("update recsys.items set category = %s where id = 5", (value,))
    catalogue.execute("update recsys.items set tags = tags || array[%s] where id in (5, 6)", (value,))
    catalogue.execute(
        "update recsys.items set attributes = jsonb_build_object(%s::text, %s::text) where id in (5, 7)",
        (value, value),
    )
    # a changed text loses its vector
    catalogue.execute("update recsys.items i set embedding = k.embedding from kept k where k.id = i.id")
    filters = {
        "categories => array[%(value)s]": {5},
        "categories => array[%(value)s, 'Horror'], item_ids => '{5,31}'": {5, 31},
        "tags => array[%(value)s]": {5, 6},
        "tags => array[%(value)s, 'odd']": {5},
        "attributes => %(attributes)s": {5, 7},
        "categories => array[%(value)s], tags => array[%(value)s], attributes => %(attributes)s": {5},
    }
    parameters = {"value": value, "attributes": json.dumps({value: value})}
    for conditions, having in filters.items():
        for name, call in LISTS.items():
            found = ids(
                catalogue, f"{call} n => 60, filter => recsys_api.item_filter({conditions}))", parameters
            )
            # what is recommended also depends on what the person did
            assert found == having or (name == "recommend_for_user" and found <= having), (name, conditions)


@pytest.mark.parametrize("call", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize(
    "conditions",
    [
        "item_ids => '{5}', exclude_item_ids => '{5}'",
        "item_ids => '{}'",
        "item_ids => '{5}', categories => '{Horror}'",
        "tags => '{odd,even}'",
        "attributes => '{\"year\": 1961}', tags => '{even}'",
        "min_price => 1000000",
        "max_price => -1",
        "min_price => 3, max_price => 3, in_stock => true",
        "categories => '{}', in_stock => false",
    ],
)
def test_conditions_that_no_item_meets_give_an_empty_list(catalogue, call, conditions):
    assert ids(catalogue, f"{call} filter => recsys_api.item_filter({conditions}))", None) == set()


@pytest.mark.parametrize("call", [LISTS["search_items"], LISTS["recommend_for_user"]])
def test_a_million_ids_are_included_or_excluded_within_seconds(catalogue, call):
    catalogue.execute("set local statement_timeout = '20s'")
    million = "array(select generate_series(31, 1000030))"
    listed = f"{call} n => 60, filter => recsys_api.item_filter("
    everything = ids(catalogue, f"{listed}))", None)
    assert ids(catalogue, f"{listed} item_ids => {million}))", None) == {i for i in everything if i > 30}
    assert ids(catalogue, f"{listed} exclude_item_ids => {million}))", None) == {
        i for i in everything if i <= 30
    }

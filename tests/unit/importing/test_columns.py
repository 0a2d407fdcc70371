"""Columns find their fields by well-known names, or by a mapping."""

import pytest

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing.columns import match_columns


def test_well_known_names_are_found_whatever_their_case():
    found = match_columns("ratings.csv", "interactions", ["userId", "MOVIEID", "Rating", "timestamp"])
    assert found.fields == {
        "user_external_id": "userId",
        "item_external_id": "MOVIEID",
        "value": "Rating",
        "occurred_at": "timestamp",
    }


def test_genres_fill_tags_and_category():
    found = match_columns("items.csv", "items", ["item_id", "title", "genres"])
    assert found.fields["tags"] == found.fields["category"] == "genres"


def test_a_column_id_is_the_applications_own_key():
    assert match_columns("items.csv", "items", ["id", "title"]).fields["external_id"] == "id"


def test_only_a_mapping_fills_the_id_of_the_database():
    found = match_columns("items.csv", "items", ["id", "title", "sku"], {"id": "id"})
    assert found.fields == {"id": "id", "title": "title"}


def test_a_mapping_wins_over_well_known_names():
    found = match_columns("items.csv", "items", ["sku", "title", "name"], {"title": "name"})
    assert found.fields == {"external_id": "sku", "title": "name"}


@pytest.mark.parametrize(
    ("attributes", "mapping", "expected"),
    [
        ((), {}, {}),
        (("brand",), {}, {"brand": "brand"}),
        ("*", {}, {"brand": "brand", "released": "released"}),
        ("*", {"attributes.year": "released"}, {"brand": "brand", "year": "released"}),
    ],
)
def test_other_columns_become_attributes_on_request(attributes, mapping, expected):
    columns = ["item_id", "title", "brand", "released"]
    assert match_columns("items.csv", "items", columns, mapping, attributes).attributes == expected


@pytest.mark.parametrize(
    ("content", "columns", "mapping", "attributes", "message"),
    [
        (
            "items",
            ["item_id", "headline"],
            {},
            (),
            "no column for the title of items; it has item_id, headline",
        ),
        ("items", ["title"], {}, (), "no column for the external_id"),
        ("users", ["name"], {}, (), "no column for the external_id of users"),
        ("interactions", ["item_id"], {}, (), "no column for the user_external_id"),
        ("items", ["item_id", "title"], {"colour": "title"}, (), "no field 'colour'"),
        ("items", ["item_id", "title"], {"price": "cost"}, (), "no column 'cost'"),
        ("items", ["item_id", "title"], {}, ("brand",), "no column 'brand'"),
        (
            "interactions",
            ["user", "item"],
            {"user_id": "user", "user_external_id": "user", "item_id": "item"},
            (),
            "both user_external_id and user_id",
        ),
    ],
)
def test_what_does_not_match_is_refused_with_the_columns_there_are(
    content, columns, mapping, attributes, message
):
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        match_columns("file.csv", content, columns, mapping, attributes)
    assert "file.csv" in caught.value.message
    assert caught.value.hint

"""Everything that is kept about a person can be seen, and erased: from every table that names people."""

import json

import psycopg
import pytest

PERSON, OTHER = 1, 2


@pytest.fixture
def shop(catalogue):
    """The catalogue, where a person has a key, attributes, a taste, interactions and impressions."""
    catalogue.execute(
        'update recsys.users set attributes = \'{"name": "Ann"}\','
        " embedding = (select embedding from recsys.items where id = 1),"
        " embedding_model_id = (select id from recsys.models where purpose = 'embedding' and is_active)"
        " where id = 1;"
        " select recsys_api.record_interaction(1, 7, 'rating', 4.5, event_id => 'order-17');"
        " select recsys_api.record_impressions(1, '{3,4}'); select recsys_api.record_impressions(2, '{3}')"
    )
    return catalogue


def naming_people(connection):
    """Every column that refers to recsys.users, asked of the database, and the one that but names them."""
    return connection.execute(
        "select c.conrelid::regclass::text, a.attname from pg_constraint c"
        " join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]"
        " where c.contype = 'f' and c.confrelid = 'recsys.users'::regclass"
        " union select 'recsys.users', 'id' union select 'recsys.taste_changes', 'user_id' order by 1"
    ).fetchall()


def rows_of(connection, user):
    return {
        table: connection.execute(f"select count(*) from {table} where {column} = %s", (user,)).fetchone()[0]
        for table, column in naming_people(connection)
    }


def test_a_user_leaves_every_table_that_names_people_and_nobody_else_does(shop):
    before, other = rows_of(shop, PERSON), rows_of(shop, OTHER)
    assert all(before.values())
    removed = dict(shop.execute("select * from recsys_api.forget_user(%s)", (PERSON,)).fetchall())
    assert removed == before
    assert set(rows_of(shop, PERSON).values()) == {0}
    assert rows_of(shop, OTHER) == other
    with pytest.raises(psycopg.DatabaseError, match="user 1 does not exist") as raised:
        shop.execute("select * from recsys_api.forget_user(%s)", (PERSON,))
    assert raised.value.sqlstate == "RS001"


def test_no_column_of_the_schema_names_people_without_a_foreign_key(shop):
    """What would escape: a column that is called like one of a user, but refers to nothing."""
    named = shop.execute(
        "select table_schema || '.' || table_name, column_name::text from information_schema.columns"
        " where table_schema = 'recsys' and column_name ~ 'user|person|customer'"
    ).fetchall()
    assert set(named) <= set(naming_people(shop))


def test_what_is_exported_is_all_there_is(shop):
    (kept,) = shop.execute("select recsys_api.export_user(%s)", (PERSON,)).fetchone()
    counts = rows_of(shop, PERSON)
    assert kept["id"] == PERSON
    assert kept["attributes"] == {"name": "Ann"}
    assert len(kept["taste"]) == 384
    assert len(kept["interactions"]) == counts["recsys.interactions"]
    assert [each["item_id"] for each in kept["impressions"]] == [3, 4]
    latest = kept["interactions"][-1]
    assert (latest["item_id"], latest["kind"], latest["value"], latest["event_id"]) == (
        7,
        "rating",
        4.5,
        "order-17",
    )
    times = [each["occurred_at"] for each in kept["interactions"]]
    assert times == sorted(times)
    # every column of every table but keys of rows, and which model a vector is of
    columns = shop.execute(
        "select column_name::text from information_schema.columns where table_schema = 'recsys'"
        " and table_name in ('users', 'interactions', 'impressions')"
    ).fetchall()
    said = json.dumps(kept)
    renamed = {"user_id": "id", "embedding": "taste", "standby_embedding": "standby_taste"}
    for column in {column for (column,) in columns} - {"embedding_model_id", "standby_embedding_model_id"}:
        assert f'"{renamed.get(column, column)}"' in said


def test_of_somebody_new_the_lists_are_empty(shop):
    (user,) = shop.execute("select recsys_api.ensure_user('nobody yet')").fetchone()
    (kept,) = shop.execute("select recsys_api.export_user(%s)", (user,)).fetchone()
    assert (kept["external_id"], kept["taste"], kept["interactions"], kept["impressions"]) == (
        "nobody yet",
        None,
        [],
        [],
    )
    removed = dict(shop.execute("select * from recsys_api.forget_user(%s)", (user,)).fetchall())
    assert removed == {
        "recsys.impressions": 0,
        "recsys.taste_changes": 0,
        "recsys.interactions": 0,
        "recsys.users": 1,
    }


@pytest.mark.parametrize("function", ["export_user", "forget_user"])
@pytest.mark.parametrize(("user", "state"), [(None, "RS010"), (999_999, "RS001")])
def test_nobody_is_no_user(shop, function, user, state):
    with pytest.raises(psycopg.DatabaseError) as raised:
        shop.execute(f"select * from recsys_api.{function}(%s)", (user,))
    assert raised.value.sqlstate == state

"""What `recsys-pg doctor` says of the copies of the items that searches read."""

import psycopg
import pytest

from recsys_pg import db

ITEMS = """
insert into recsys.items (title, category, price, embedding)
select 'Item ' || i, 'c' || i % 5, i, case when i % 4 <> 0 then array_fill(i::real, array[384])::vector end
from generate_series(1, 200) i
"""
REFRESH = "select * from recsys_api.refresh_copies();"


@pytest.fixture
def shop_url(url):
    """200 items, 150 of them embedded."""
    with psycopg.connect(**db.connection_parameters(url)) as connection:
        connection.execute(ITEMS)
    return url


@pytest.fixture
def owner(shop_url):
    with psycopg.connect(**db.connection_parameters(shop_url), autocommit=True) as connection:
        yield connection


def doctor(cli):
    """What doctor finds about the copies: triples of level, message and remedy."""
    return [
        (each["level"], each["message"], each["remedy"])
        for each in cli("doctor", "--json").json
        if each["check"] == "copies"
    ]


def without_triggers(owner, statements):
    owner.execute("set session_replication_role = replica")
    owner.execute(statements)
    owner.execute("set session_replication_role = origin")


def test_copies_in_step_are_fine(cli, owner):
    ((level, message, remedy),) = doctor(cli)
    assert (level, remedy) == ("ok", "")
    assert "In step" in message


def test_the_copies_of_no_items_are_fine(cli, owner):
    owner.execute("delete from recsys.items")
    ((level, _, _),) = doctor(cli)
    assert level == "ok"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "update recsys.items set price = price + 100 where id <= 40",
            ["Of 200 items, a random sample, recsys.searchable_items has rows 30 wrong."],
        ),
        (
            "update recsys.items set description = 'Aliens.', embedding = null, embedding_model_id = null,"
            " embedding_content_hash = null where id <= 4",
            [
                "recsys.searchable_items has 150 rows for 147 items with a vector: 3 or more superfluous.",
                "Of 200 items, a random sample, recsys.searchable_items has rows 3 superfluous.",
                "Of 200 items, a random sample, recsys.item_texts has rows 4 wrong.",
            ],
        ),
        (
            "insert into recsys.items (title) select 'New' from generate_series(1, 3)",
            [
                "recsys.item_texts has 200 rows for 203 items: 3 or more missing.",
                "Of 203 items, a random sample, recsys.item_texts has rows 3 missing.",
            ],
        ),
        (
            "delete from recsys.items where id = 1",
            [
                "recsys.searchable_items has 150 rows for 149 items with a vector: 1 or more superfluous.",
                "recsys.item_texts has 200 rows for 199 items: 1 or more superfluous.",
                "Of 200 items, a random sample, recsys.searchable_items has rows 1 superfluous.",
                "Of 200 items, a random sample, recsys.item_texts has rows 1 superfluous.",
            ],
        ),
        (
            # as many rows as there should be
            "update recsys.items set id = 1001 where id = 1",
            [
                "Of 201 items, a random sample, recsys.searchable_items has rows 1 missing, 1 superfluous.",
                "Of 201 items, a random sample, recsys.item_texts has rows 1 missing, 1 superfluous.",
            ],
        ),
    ],
    ids=["wrong", "changed texts", "missing", "superfluous", "another id"],
)
def test_rows_out_of_step_are_counted_and_the_remedy_works(cli, owner, damage, said):
    without_triggers(owner, damage)
    found = doctor(cli)
    assert [(level, message) for level, message, _ in found] == [("warn", each) for each in said]
    assert {remedy for *_, remedy in found} == {f"Run: {REFRESH}"}
    owner.execute(REFRESH)
    assert [level for level, *_ in doctor(cli)] == ["ok"]


def test_of_many_items_a_sample_is_compared(cli, owner):
    owner.execute("insert into recsys.items (title) select 'More' from generate_series(1, 2000)")
    without_triggers(owner, "update recsys.item_texts set document = ''")
    ((level, message, _),) = doctor(cli)
    assert level == "warn"
    assert message == "Of 500 items, a random sample, recsys.item_texts has rows 500 wrong."


TRIGGERS = (
    "items_50_keep_new_searchable",
    "items_50_keep_changed_price",
    "items_50_keep_changed_searchable",
    "items_60_keep_new_texts",
    "items_60_keep_changed_text",
)


@pytest.mark.parametrize("state", ["disable", "enable replica"])
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_that_does_not_fire_is_named_and_the_remedy_works(cli, owner, trigger, state):
    owner.execute(f"alter table recsys.items {state} trigger {trigger}")
    ((level, message, remedy),) = doctor(cli)
    assert level == "warn"
    assert message == f"Trigger {trigger}, which keeps a copy of the items, is disabled."
    first, second = remedy.removeprefix("Run: ").split("; then ")
    assert second == REFRESH
    owner.execute(first)
    assert [level for level, *_ in doctor(cli)] == ["ok"]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_that_is_gone_is_named(cli, owner, trigger):
    owner.execute(f"drop trigger {trigger} on recsys.items")
    ((level, message, remedy),) = doctor(cli)
    assert level == "warn"
    assert message == f"Trigger {trigger}, which keeps a copy of the items, is missing."
    assert "migrations/versions/00" in remedy
    assert remedy.endswith(REFRESH)


def test_a_trigger_that_fires_always_is_fine(cli, owner):
    owner.execute("alter table recsys.items enable always trigger items_60_keep_new_texts")
    assert [level for level, *_ in doctor(cli)] == ["ok"]


def test_all_triggers_of_the_items_disabled_are_named(cli, owner):
    owner.execute("alter table recsys.items disable trigger all")
    found = doctor(cli)
    assert [message.split(",")[0] for _, message, _ in found] == [
        *(f"Trigger {trigger}" for trigger in sorted(TRIGGERS)),
        "Constraint item_texts_item_id_fkey",
        "Constraint searchable_items_id_fkey",
    ]
    assert {level for level, *_ in found} == {"warn"}
    owner.execute(found[-1][2].removeprefix("Run: ").split(";")[0])
    assert [level for level, *_ in doctor(cli)] == ["ok"]


def test_a_foreign_key_that_is_gone_is_named(cli, owner):
    owner.execute("alter table recsys.item_texts drop constraint item_texts_item_id_fkey")
    ((level, message, _),) = doctor(cli)
    assert level == "warn"
    assert message == "Constraint item_texts_item_id_fkey, which keeps a copy of the items, is missing."

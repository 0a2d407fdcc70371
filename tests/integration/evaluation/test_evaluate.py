"""The evaluation from end to end, on a shop whose tastes are known."""

import sys

import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from recsys_pg import db
from recsys_pg.errors import InvalidArgumentError, SchemaNotReadyError
from recsys_pg.evaluation import METHODS, evaluate, html_report

# what the shop of conftest.py holds
USERS, LATE_USERS, ALL_USERS = 60, 3, 64
ITEMS, EMBEDDED_ITEMS, LATE_ITEMS = 103, 102, [101, 102]
LIKES = 60 * 16 + 3 * 3


def contents(engine):
    """A fingerprint of every table of recsys."""
    with engine.connect() as connection:
        tables = connection.scalars(
            sa.text("select table_name::text from information_schema.tables where table_schema = 'recsys'")
        ).all()
        return {
            table: connection.execute(
                sa.text(f"select count(*), sum(hashtextextended(t::text, 0)) from recsys.{table} t")
            ).one()
            for table in tables
        }


def test_by_time(shop, scratch_databases):
    before, databases = contents(shop), scratch_databases()
    found = evaluate(shop, test_share=0.12, ks=(5, 10), memory_gb=0.5)
    assert contents(shop) == before
    assert scratch_databases() == databases

    assert [row.method for row in found.methods] == list(METHODS)
    assert (found.sizes.items, found.sizes.embedded_items) == (ITEMS, EMBEDDED_ITEMS)
    assert found.sizes.users == ALL_USERS
    assert found.sizes.active_users == USERS
    assert found.split_at is not None
    assert found.sizes.interactions <= LIKES - int(0.12 * LIKES)
    rows = {row.method: row for row in found.methods}
    # who likes one half of the shop is not best served with what all like
    assert rows["item_based"].difference is not None
    assert rows["hybrid"].ndcg.mean > rows["popular"].ndcg.mean
    for row in found.methods:
        assert row.ndcg.low <= row.ndcg.mean <= row.ndcg.high
        assert [each.k for each in row.accuracy] == [5, 10]
        assert row.accuracy[0].recall <= row.accuracy[1].recall
        assert row.exposure.diversity is not None
        assert row.milliseconds > 0
    parts = {segment.name: segment for segment in found.segments}
    assert parts["cold items"].users >= USERS  # all like a late item in the end
    assert parts["unknown users"].users == LATE_USERS
    # those of whom nothing is known get what is popular
    unknown = parts["unknown users"].accuracy
    assert unknown["hybrid"] == unknown["popular"]
    assert "<svg" in html_report(found)


def test_by_user_nobody_is_asked_for_what_they_have(shop):
    found = evaluate(shop, split="user", users=20, ks=(10,), methods=["popular", "item_based"], memory_gb=0.5)
    assert found.split_at is None
    assert (found.sizes.asked_users, found.sizes.test_users) == (20, USERS + LATE_USERS)
    # the last one of each
    assert found.sizes.targets == 20
    assert found.reference == "popular"
    again = evaluate(shop, split="user", users=20, ks=(10,), methods=["popular", "item_based"], memory_gb=0.5)
    assert [row.ndcg for row in again.methods] == [row.ndcg for row in found.methods]


CHOSEN_BY_ALL = (
    "update recsys.settings set value = '251' where key = 'popularity.half_life_days';"
    " insert into recsys.settings values ('popularity.chosen_half_life_days', '251', 'by training')"
)


def test_training_sees_nothing_of_the_test(shop, server_url, scratch_databases):
    before = scratch_databases()
    seen = {}

    def look(phase, done, total):
        if phase == "recommend by popular" and not seen:
            [name] = scratch_databases() - before
            engine = db.create_engine(
                make_conninfo(**db.connection_parameters(server_url) | {"dbname": name})
            )
            with engine.connect() as connection:
                seen["last"] = connection.scalar(sa.text("select max(occurred_at) from recsys.interactions"))
                seen["cold"] = connection.scalar(
                    sa.text("select count(*) from recsys.item_popularity where item_id = any (:late)"),
                    {"late": LATE_ITEMS},
                )
                seen["people"] = connection.scalar(sa.text("select count(external_id) from recsys.users"))
                seen["half-life"] = connection.scalar(
                    sa.text("select recsys_api._setting('popularity.half_life_days')")
                )
            engine.dispose()

    with shop.begin() as connection:  # as a training on all that happened would
        connection.execute(sa.text(CHOSEN_BY_ALL))
    found = evaluate(shop, ks=(5,), methods=["popular"], memory_gb=0.5, progress=look)
    assert seen["half-life"] != 251
    assert seen["last"] < found.split_at
    assert seen["cold"] == 0
    assert seen["people"] == 0  # names are not copied


def test_repeats_are_asked_for_and_told_apart(shop):
    with shop.begin() as connection:
        connection.execute(
            sa.text(
                "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " select distinct on (user_id) user_id, item_id, 'purchase', '2026-04-11'"
                " from recsys.interactions where kind = 'like' order by user_id, occurred_at"
            )
        )
    without = evaluate(shop, split="user", ks=(10,), methods=["popular"], memory_gb=0.5, test_share=0.15)
    counted = evaluate(
        shop, split="user", ks=(10,), methods=["popular"], memory_gb=0.5, test_share=0.15, repeats=True
    )
    parts = {segment.name: segment for segment in counted.segments}
    assert "repeats" not in {segment.name for segment in without.segments}
    assert parts["repeats"].targets >= USERS
    assert parts["first times"].targets == without.sizes.targets
    assert counted.sizes.targets == parts["repeats"].targets + parts["first times"].targets


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("moment", ["copy items", "recommend by popular"])
def test_an_end_in_the_middle_leaves_nothing_behind(shop, scratch_databases, error, moment):
    before, databases = contents(shop), scratch_databases()

    def stop(phase, done, total):
        if phase == moment:
            assert scratch_databases() > databases
            raise error

    with pytest.raises(error):
        evaluate(shop, methods=["popular"], memory_gb=0.5, progress=stop)
    assert scratch_databases() == databases
    assert contents(shop) == before


def test_nothing_can_be_written_through_the_connection_that_reads(shop):
    snapshot = sys.modules["recsys_pg.evaluation.evaluate"]._snapshot
    with snapshot(shop) as connection, pytest.raises(sa.exc.DBAPIError, match="read-only"):
        connection.execute(sa.text("delete from recsys.interactions"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"test_share": 0}, "The test share is 0"),
        ({"test_share": 1.5}, "The test share is 1.5"),
        ({"test_share": float("nan")}, "The test share is nan"),
        ({"split": "random"}, "split is 'random'"),
        ({"users": 9}, "users is 9"),
        ({"seed": -1}, "The seed is -1"),
        ({"ks": (10, 0)}, "k is 0"),
        ({"ks": ()}, "k is missing"),
        ({"methods": ["best"]}, "The method is 'best'"),
        ({"methods": []}, "The method is missing"),
    ],
    ids=str,
)
def test_an_argument_out_of_its_range_is_named(engine, arguments, said):
    with pytest.raises(InvalidArgumentError, match=said):
        evaluate(engine, **arguments)


def test_a_shop_without_interactions_or_with_too_few_users_is_told_what_it_lacks(
    engine, fill_three_users, scratch_databases
):
    databases = scratch_databases()
    with pytest.raises(InvalidArgumentError, match="No interaction is positive"):
        evaluate(engine)
    fill_three_users()
    with pytest.raises(InvalidArgumentError, match="Only 3 users have something to be found"):
        evaluate(engine, memory_gb=0.5)
    assert scratch_databases() == databases


def test_a_database_without_the_schema_is_refused(create_database):
    engine = db.create_engine(create_database())
    with pytest.raises(SchemaNotReadyError):
        evaluate(engine)
    engine.dispose()

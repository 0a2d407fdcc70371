"""The division of the interactions: the future never teaches the past, and as much is held out as asked."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from recsys_pg.db import driver_connection
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation.split import divide

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("like", "view", "dislike", "hide")
LOG = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.sampled_from(KINDS), st.integers(0, 8)), max_size=25
)
SHARES = st.sampled_from([0.01, 0.1, 0.29, 0.5, 0.9])
ROW = sql.SQL("a.id, a.user_id, a.item_id, a.kind, a.occurred_at")


@pytest.fixture(scope="module")
def connection(shared_engine):
    """A connection to a database of three users and four items; each test's own rows are rolled back."""
    with shared_engine.connect() as outer, outer.begin() as transaction:
        driver = driver_connection(outer)
        driver.execute("insert into recsys.users (id) select generate_series(1, 3)")
        driver.execute("insert into recsys.items (id, title) select id, 'item' from generate_series(1, 4) id")
        yield driver
        transaction.rollback()


class Divided:
    """A log in the database, divided; rows are (id, user, item, kind, time)."""

    def __init__(self, connection, log, split, share, seed=0):
        with connection.transaction(force_rollback=True):
            connection.cursor().executemany(
                "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " values (%s, %s, %s, %s)",
                [(user, item, kind, START + timedelta(hours=hour)) for user, item, kind, hour in log],
            )
            self.rows = connection.execute(
                sql.SQL("select {} from recsys.interactions a").format(ROW)
            ).fetchall()
            self.hashes = dict(
                connection.execute(
                    "select id, hashint8extended(id, %s) from recsys.interactions", (seed,)
                ).fetchall()
            )
            division = divide(connection, split, share, seed=seed)
            self.moment, self.is_drawn = division.moment, division.is_drawn
            self.training = set(connection.execute(division.training(ROW)).fetchall())
            self.held_out = set(connection.execute(division.held_out(ROW)).fetchall())

    def liked(self):
        return [row for row in self.rows if row[3] in ("like", "view")]


def try_dividing(connection, log, split, share):
    try:
        return Divided(connection, log, split, share)
    except InvalidArgumentError:
        return None


@settings(deadline=None, max_examples=60)
@given(LOG, SHARES)
def test_by_time_nothing_is_trained_on_that_is_not_earlier_than_all_of_the_test(connection, log, share):
    found = try_dividing(connection, log, "time", share)
    likes = sorted(hour for _, _, kind, hour in log if kind in ("like", "view"))
    if found is None:
        held_out = max(1, math.floor(share * len(likes) + 1e-9))
        assert not likes or likes[-held_out] == likes[0]
        return
    assert found.training == {row for row in found.rows if row[4] < found.moment}
    assert found.held_out == set(found.rows) - found.training
    assert len([row for row in found.liked() if row[4] >= found.moment]) >= max(
        1, math.floor(share * len(likes))
    )
    assert len([row for row in found.liked() if row[4] > found.moment]) <= max(1, share * len(likes))


@settings(deadline=None, max_examples=60)
@given(LOG, SHARES)
def test_by_user_nothing_of_a_user_is_trained_on_that_is_not_before_all_of_the_test(connection, log, share):
    found = try_dividing(connection, log, "user", share)
    likes_of = {
        user: [row for row in log if row[0] == user and row[2] in ("like", "view")] for user in (1, 2, 3)
    }
    if found is None:
        assert max(map(len, likes_of.values())) < 2
        return
    training = set()
    for user in (1, 2, 3):
        mine = sorted(
            (row for row in found.rows if row[1] == user),
            key=lambda row: (found.hashes[row[0]] if found.is_drawn else row[4], row[0]),
        )
        liked = [row for row in mine if row in found.liked()]
        count = max(1, math.floor(share * len(liked) + 1e-9)) if len(liked) > 1 else 0
        first = mine.index(liked[-count]) if count else len(mine)
        training |= set(mine[:first])
    assert found.training == training
    assert found.held_out == set(found.rows) - training


def test_what_happened_at_one_time_is_not_split_by_time(connection):
    with pytest.raises(InvalidArgumentError, match=r"happened at one time.*--split user"):
        Divided(connection, [(1, 1, "like", 3), (2, 1, "like", 3)], "time", 0.5)
    with pytest.raises(InvalidArgumentError, match=r"reach back to the first.*--split user"):
        Divided(connection, [(1, 1, "like", 3), (2, 1, "like", 3), (2, 2, "like", 4)], "time", 0.9)


def test_where_times_tell_no_order_it_is_drawn_by_the_seed(connection):
    log = [(user, item, "like", 0) for user in (1, 2, 3) for item in (1, 2, 3, 4)]
    drawn = [Divided(connection, log, "user", 0.25, seed) for seed in range(8)]
    assert all(each.is_drawn for each in drawn)
    assert all(len(each.held_out) == 3 for each in drawn)
    assert len({frozenset(each.held_out) for each in drawn}) > 1
    ordered = Divided(connection, [(1, item, "like", item) for item in (1, 2, 3, 4)], "user", 0.25)
    assert not ordered.is_drawn
    assert [row[1:3] for row in ordered.held_out] == [(1, 4)]


@pytest.mark.parametrize("split", ["time", "user"])
@pytest.mark.parametrize("log", [[], [(1, 1, "dislike", 0), (1, 2, "hide", 1)]])
def test_without_anything_positive_there_is_nothing_to_divide(connection, split, log):
    with pytest.raises(InvalidArgumentError, match="No interaction is positive"):
        Divided(connection, log, split, 0.1)


def test_single_likes_are_not_divided_by_user(connection):
    with pytest.raises(InvalidArgumentError, match="No user has two positive interactions"):
        Divided(connection, [(1, 1, "like", 0), (2, 1, "like", 1), (2, 2, "dislike", 2)], "user", 0.5)


def test_a_low_rating_is_not_positive(connection):
    with connection.transaction(force_rollback=True):
        connection.execute(
            "insert into recsys.interactions (user_id, item_id, kind, value, occurred_at)"
            " select 1, 6 - stars, 'rating', stars, timestamptz '2026-01-06' - stars * interval '1 day'"
            " from generate_series(3, 5) stars"
        )
        division = divide(connection, "user", 0.5)
        items = sql.SQL("a.item_id")
        assert connection.execute(division.training(items)).fetchall() == [(1,)]
        # half of the two that are: the later one, and what was done since
        assert sorted(connection.execute(division.held_out(items)).fetchall()) == [(2,), (3,)]

"""Asking live: time goes on from user to user, nobody's future is known, and the model stays."""

from collections import defaultdict

import pytest
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from recsys_pg import db
from recsys_pg.db import driver_connection
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation import evaluate, live
from recsys_pg.evaluation.split import divide
from recsys_pg.evaluation.targets import question
from recsys_pg.evaluation.training_part import copy_parts

# what the shop of conftest.py holds
USERS, LATE_USERS = 60, (61, 62, 63)
HIDES = {"hide", "dislike"}
CONSUMES = {"like", "purchase"}

INTERACTIONS = sa.text("select user_id, item_id, kind, occurred_at from recsys.interactions")


def quiet(phase, done, total):
    pass


@pytest.fixture
def busy_shop(shop):
    """The shop, with what is hidden, bought again and disliked towards the end."""
    with shop.begin() as connection:
        connection.execute(
            sa.text(
                "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " select a.user_id, a.item_id, (array['purchase', 'hide', 'dislike', 'like'])[1 + a.id % 4],"
                "        a.occurred_at + interval '5 days'"
                " from recsys.interactions a where a.kind = 'like' and a.id % 3 = 0"
            )
        )
    return shop


def divided(engine, url, share=0.3):
    """An engine on a copy of what happened before a moment, with the rest of it aside."""
    scratch = db.create_engine(url)
    with engine.connect() as connection:
        source = driver_connection(connection)
        copy_parts(source, scratch, divide(source, "time", share), quiet)
    return scratch


@pytest.fixture
def scratch(busy_shop, create_database, template):
    engine = divided(busy_shop, create_database(template))
    yield engine
    engine.dispose()


def rows(engine):
    with engine.connect() as connection:
        return connection.execute(INTERACTIONS).all()


def schedule_of(scratch, **options):
    with scratch.connect() as connection:
        return live.draw_moments(connection, **options)


def listening(monkeypatch):
    """What is known in the database whenever somebody is asked, and what is popular then."""
    asked = []

    def recommended(connection, user, method, n, **options):
        known = connection.execute(INTERACTIONS).all()
        popular = set(connection.scalars(sa.text("select item_id from recsys.item_popularity")))
        asked.append((user, method, known, popular))
        return original(connection, user, method, n, **options)

    original = live.recommended
    monkeypatch.setattr(live, "recommended", recommended)
    return asked


def to_be_found(everything, user, moment, *, repeats):
    """What a user liked from a moment on, but for what was hidden or had been consumed until then."""
    mine = [row for row in everything if row.user_id == user]
    hiding = HIDES if repeats else HIDES | CONSUMES
    hidden = {row.item_id for row in mine if row.occurred_at < moment and row.kind in hiding}
    return {row.item_id for row in mine if row.occurred_at >= moment and row.kind in CONSUMES} - hidden


@pytest.mark.parametrize("repeats", [False, True])
def test_at_the_split_all_that_is_liked_since_is_to_be_found(busy_shop, scratch, repeats):
    everything = rows(busy_shop)
    split = min(row.occurred_at for row in rows_of_later(scratch))
    wanted = {
        user: to_be_found(everything, user, split, repeats=repeats)
        for user in {row.user_id for row in everything}
    }
    with scratch.connect() as connection:
        asked = question(connection, users=100, repeats=repeats)
    assert asked.targets == {user: items for user, items in wanted.items() if items}
    assert bool(asked.seen) == repeats


@pytest.mark.parametrize("repeats", [False, True])
def test_all_is_known_that_happened_before_and_nothing_else(busy_shop, scratch, monkeypatch, repeats):
    everything, asked = rows(busy_shop), listening(monkeypatch)
    schedule = schedule_of(scratch, users=100, repeats=repeats)
    methods = ["popular", "content"]
    heard = live.ask_live(scratch, schedule, methods, 5, exclude_seen=not repeats, progress=quiet)
    assert len(schedule.moments) == schedule.all_users == len(heard.question.targets)
    assert [moment for _, moment in schedule.moments] == sorted(moment for _, moment in schedule.moments)
    moments = dict(schedule.moments)
    assert [user for user, _, _, _ in asked[::2]] == list(moments)
    for user, _, known, _ in asked:
        assert sorted(known) == sorted(row for row in everything if row.occurred_at < moments[user])
    for user, moment in moments.items():
        wanted = to_be_found(everything, user, moment, repeats=repeats)
        assert heard.question.targets[user] == wanted
        # it is a like of something to be found
        assert any((r.user_id, r.occurred_at) == (user, moment) and r.item_id in wanted for r in everything)
        assert heard.of_user[user] == sum(
            row.user_id == user and row.occurred_at < moment for row in everything
        )
    had = {
        user: {
            row.item_id
            for row in everything
            if row.user_id == user and row.occurred_at < moments[user] and row.kind in CONSUMES
        }
        for user in moments
    }
    again = {user: heard.question.targets[user] & had[user] for user in moments}
    assert heard.question.seen == {user: items for user, items in again.items() if items}
    assert bool(heard.question.seen) == repeats
    # the methods take turns to be the first
    assert {method for _, method, _, _ in asked[::2]} == set(methods)
    assert asked[0][3] < asked[-1][3]  # what became popular meanwhile


def test_all_are_asked_who_like_something_new_later_and_nobody_else(busy_shop, scratch):
    everything = rows(busy_shop)
    split = min(row.occurred_at for row in rows_of_later(scratch))
    possible = {
        user
        for user in {row.user_id for row in everything}
        if any(
            row.user_id == user
            and row.occurred_at >= split
            and row.kind in CONSUMES
            and row.item_id in to_be_found(everything, user, row.occurred_at, repeats=False)
            for row in everything
        )
    }
    schedule = schedule_of(scratch, users=1000)
    assert {user for user, _ in schedule.moments} == possible
    assert set(LATE_USERS) <= possible
    few = schedule_of(scratch, users=20)
    assert (len(few.moments), few.all_users) == (20, len(possible))
    assert few == schedule_of(scratch, users=20)
    assert few.moments != schedule_of(scratch, users=20, seed=1).moments


def rows_of_later(scratch):
    with scratch.connect() as connection:
        return connection.execute(sa.text("select occurred_at from recsys.later_interactions")).all()


def test_the_hour_that_comes_twice_is_gone_through_in_order(shop, create_database, template, monkeypatch):
    """Where clocks are set back, two moments can have the same wall clock, or the later one an earlier."""
    with shop.begin() as connection:  # from 22 o'clock to 3, of which 2 to 3 comes twice
        connection.execute(
            sa.text(
                "update recsys.interactions set occurred_at = timestamptz '2026-10-24 20:00Z'"
                " + (occurred_at - timestamptz '2026-01-01 00:00Z') * (6.0 / 24 / 100)"
            )
        )
    everything, asked = rows(shop), listening(monkeypatch)
    parameters = db.connection_parameters(create_database(template))
    scratch = divided(shop, make_conninfo(**parameters | {"options": "-c timezone=Europe/Berlin"}))
    schedule = schedule_of(scratch, users=100)
    assert len({moment.utcoffset() for _, moment in schedule.moments}) == 2
    moments = {user: moment.timestamp() for user, moment in schedule.moments}
    assert list(moments.values()) == sorted(moments.values())
    live.ask_live(scratch, schedule, ["popular"], 5, progress=quiet)
    for user, _, known, _ in asked:
        assert len(known) == sum(row.occurred_at.timestamp() < moments[user] for row in everything)
    scratch.dispose()


def test_people_are_counted_as_what_they_are_when_asked(shop, scratch_databases):
    before, databases = sorted(rows(shop)), scratch_databases()
    phases = defaultdict(int)

    def heard(phase, done, total):
        phases[phase] += 1

    by_time, by_moment = (
        evaluate(
            shop,
            split=split,
            test_share=0.3,
            ks=(5, 10),
            methods=["item_based", "popular"],
            memory_gb=0.5,
            progress=heard,
        )
        for split in ("time", "live")
    )
    assert (sorted(rows(shop)), scratch_databases()) == (before, databases)
    then, at_last = ({each.name: each.users for each in found.segments} for found in (by_time, by_moment))
    assert then["unknown users"] == len(LATE_USERS)
    assert "new users" not in then
    # of who came late, some are asked after the first of three likes
    assert at_last["new users"] >= 1
    assert at_last["new users"] + at_last.get("unknown users", 0) == len(LATE_USERS)
    assert by_moment.sizes.targets < by_time.sizes.targets  # what they liked in between is no target
    assert (by_moment.sizes.asked_users, by_moment.split_at) == (USERS + len(LATE_USERS), by_time.split_at)
    assert by_moment.sizes.interactions == by_time.sizes.interactions == by_moment.training.interactions
    assert phases["record and recommend"] == 1 + by_moment.sizes.asked_users


def test_too_few_users_are_told_before_the_training(engine, fill_three_users):
    fill_three_users()
    phases = set()
    with pytest.raises(InvalidArgumentError, match="Only 3 users have something to be found"):
        evaluate(engine, split="live", memory_gb=0.5, progress=lambda phase, *_: phases.add(phase))
    assert phases
    assert "read interactions" not in phases

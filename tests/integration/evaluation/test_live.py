"""Asking live: time goes on from user to user, nobody's future is known, and the model stays."""

from collections import defaultdict

import pytest
import sqlalchemy as sa

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.evaluation import evaluate, live

# what the shop of conftest.py holds
USERS, LATE_USERS = 60, (61, 62, 63)


@pytest.fixture
def asked(monkeypatch):
    """What is known in the database whenever somebody is asked: (user, interactions as (user, time))."""
    asked = []

    def recommended(connection, user, method, n, **options):
        known = connection.execute(sa.text("select user_id, occurred_at from recsys.interactions")).all()
        popular = set(connection.scalars(sa.text("select item_id from recsys.item_popularity")))
        asked.append((user, known, popular))
        return original(connection, user, method, n, **options)

    original = live.recommended
    monkeypatch.setattr(live, "recommended", recommended)
    return asked


def liked_times(engine):
    with engine.connect() as connection:
        times = defaultdict(set)
        for user, at in connection.execute(
            sa.text("select user_id, occurred_at from recsys.interactions where kind = 'like'")
        ):
            times[user].add(at)
        return times


def test_each_is_asked_just_before_one_of_the_later_likes_with_all_known_until_then(shop, asked):
    found = evaluate(
        shop, split="live", test_share=0.2, ks=(5,), methods=["popular", "hybrid"], memory_gb=0.5
    )
    times = liked_times(shop)
    with shop.connect() as connection:
        everything = connection.execute(sa.text("select user_id, occurred_at from recsys.interactions")).all()
    assert {user for user, _, _ in asked} == {*range(1, USERS + 1), *LATE_USERS}
    assert len(asked) == 2 * found.sizes.asked_users  # both methods, once a user
    previous = None
    for user, known, _ in asked:
        latest = max(at for _, at in known)
        until = min(at for _, at in everything if at > latest)  # what comes next is not known
        assert sorted(known) == sorted(row for row in everything if row.occurred_at < until)
        assert until in times[user]
        assert previous is None or previous <= latest
        previous = latest
    # the model is that of the time before the split
    assert found.split_at is not None
    assert found.training.interactions == sum(at < found.split_at for _, at in everything)
    first, last = asked[0], asked[-1]
    assert len(last[2]) > len(first[2])  # what became popular meanwhile


def test_people_become_known_and_are_counted_as_what_they_are_when_asked(shop):
    by_time, by_moment = (
        evaluate(
            shop, split=split, test_share=0.3, ks=(5, 10), methods=["item_based", "popular"], memory_gb=0.5
        )
        for split in ("time", "live")
    )
    before, then = (
        {segment.name: segment.users for segment in found.segments} for found in (by_time, by_moment)
    )
    assert before["unknown users"] == len(LATE_USERS)
    assert "new users" not in before
    # of who came late, some are asked after the first of three likes
    assert then["new users"] >= 1
    assert then["new users"] + then.get("unknown users", 0) == len(LATE_USERS)
    assert by_moment.sizes.targets < by_time.sizes.targets  # what they liked in between is no target
    assert (by_moment.sizes.asked_users, by_moment.split_at) == (63, by_time.split_at)
    assert by_moment.sizes.interactions == by_time.sizes.interactions


def test_the_same_seed_asks_the_same_and_leaves_everything_as_it_is(shop, scratch_databases):
    databases = scratch_databases()
    once, again, other = (
        evaluate(
            shop, split="live", users=20, test_share=0.3, ks=(5,), methods=["popular"], memory_gb=0.5, seed=s
        )
        for s in (0, 0, 1)
    )
    assert once.methods[0].ndcg == again.methods[0].ndcg
    assert once.sizes == again.sizes
    assert other.sizes != once.sizes
    assert (once.sizes.asked_users, once.sizes.test_users) == (20, 63)
    assert scratch_databases() == databases


def test_what_is_consumed_again_is_told_apart(shop):
    with shop.begin() as connection:
        connection.execute(
            sa.text(
                "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " select distinct on (user_id) user_id, item_id, 'purchase', '2026-04-11'"
                " from recsys.interactions where kind = 'like' order by user_id, occurred_at"
            )
        )
    found = evaluate(
        shop, split="live", ks=(10,), methods=["popular"], memory_gb=0.5, test_share=0.15, repeats=True
    )
    parts = {segment.name: segment for segment in found.segments}
    assert parts["repeats"].targets >= USERS
    assert found.sizes.targets == parts["repeats"].targets + parts["first times"].targets


def test_too_few_users_are_told_before_the_training(engine):
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into recsys.users (id) select generate_series(1, 3);"
                " insert into recsys.items (id, title) select id, 'item' from generate_series(1, 9) id;"
                " insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " select u, i, 'like', timestamptz '2026-01-01' + i * interval '1 day'"
                " from generate_series(1, 3) u, generate_series(1, 9) i"
            )
        )
    phases = set()
    with pytest.raises(InvalidArgumentError, match="Only 3 users have something to be found"):
        evaluate(engine, split="live", memory_gb=0.5, progress=lambda phase, *_: phases.add(phase))
    assert phases
    assert "read interactions" not in phases

"""UnitOfWork: one transaction over everything, committed at the end or not at all."""

import pytest
import sqlalchemy as sa

from recsys_pg import errors
from recsys_pg.models import Item, User
from recsys_pg.types import ItemRecord
from recsys_pg.unit_of_work import UnitOfWork


def interrupted(engine: sa.Engine, *steps) -> None:
    """Do the steps in a unit of work, then fail."""
    with UnitOfWork(engine) as work:
        for step in steps:
            step(work)
        raise ZeroDivisionError


def count(engine: sa.Engine, model: type) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(model))


def test_leaving_the_block_commits(engine):
    with UnitOfWork(engine) as work:
        item_id = work.items.save(ItemRecord(title="a"))
        user_id = work.users.ensure("somebody")
        assert count(engine, Item) == 0
        work.interactions.record(user_id, item_id, "purchase")
        assert work.recommender.for_user(user_id) == []
    assert (count(engine, Item), count(engine, User)) == (1, 1)


def test_an_exception_rolls_everything_back_and_goes_on(engine):
    with pytest.raises(ZeroDivisionError):
        interrupted(
            engine,
            lambda work: work.items.save(ItemRecord(title="a")),
            lambda work: work.users.ensure("somebody"),
        )
    assert (count(engine, Item), count(engine, User)) == (0, 0)


def test_a_refusal_of_the_database_rolls_everything_back(engine):
    with pytest.raises(errors.UnknownUserError):
        interrupted(
            engine, lambda work: work.interactions.record(999, work.items.save(ItemRecord(title="a")), "view")
        )
    assert count(engine, Item) == 0


def test_work_done_before_a_commit_stays(engine):
    with pytest.raises(ZeroDivisionError):
        interrupted(
            engine,
            lambda work: work.items.save(ItemRecord(title="a")),
            lambda work: work.commit(),
            lambda work: work.items.save(ItemRecord(title="b")),
        )
    assert count(engine, Item) == 1


def test_a_rollback_undoes_what_was_done_since_the_last_commit(engine):
    with UnitOfWork(engine) as work:
        work.items.save(ItemRecord(title="a"))
        work.rollback()
        work.items.save(ItemRecord(title="b"))
    with UnitOfWork(engine) as work:
        assert [item.title for item in work.items.find_by_title("")] == ["b"]


def test_a_constraint_that_is_checked_at_the_end_is_refused_as_an_error_of_ours(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "alter table recsys.users add constraint users_late_key unique (attributes)"
            " deferrable initially deferred"
        )
    work = UnitOfWork(engine)
    work.__enter__()
    work.users.ensure("a")
    work.users.ensure("b")
    with pytest.raises(errors.InvalidArgumentError, match="users_late_key"):
        work.__exit__(None, None, None)
    assert count(engine, User) == 0


def test_the_connection_goes_back_to_the_pool(engine):
    for _ in range(3):
        with UnitOfWork(engine) as work:
            work.items.count()
        assert engine.pool.checkedout() == 0
    with pytest.raises(ZeroDivisionError):
        interrupted(engine, lambda work: work.items.count())
    assert engine.pool.checkedout() == 0

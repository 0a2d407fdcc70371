"""The comparison of the methods, by what the SQL functions serve."""

import pytest
import sqlalchemy as sa

from recsys_pg.errors import InvalidArgumentError, UnknownUserError
from recsys_pg.evaluation import METHODS, evaluate_methods, ndcg, recall


@pytest.fixture
def shop(engine: sa.Engine) -> sa.Engine:
    """Items 1 … 30, of which those of higher number are more popular; user 1 has consumed item 30."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into recsys.users (id) select generate_series(1, 30);"
                " insert into recsys.items (id, title)"
                " select id, 'item ' || id from generate_series(1, 30) id;"
                " insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " select user_id, item_id, 'like', '2026-01-01' from generate_series(2, 30) user_id"
                " join generate_series(1, 30) item_id on item_id >= user_id;"
                " insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
                " values (1, 30, 'like', '2026-01-01');"
                " select recsys_api.refresh_popularity()"
            )
        )
    return engine


def test_the_lists_of_the_server_are_measured(shop):
    # user 1 gets 29, 28, …; user 31 would be unknown, user 2 has nothing left but item 1
    test = {1: {29, 26, 1}, 2: {1}, 3: set()}
    [row] = evaluate_methods(shop, test, ["popular"], k_ndcg=3, k_recall=5)
    served = {1: list(range(29, 0, -1)), 2: [1]}
    assert (row.method, row.users) == ("popular", 2)
    assert row.ndcg == pytest.approx(sum(ndcg(served[user], test[user], 3) for user in (1, 2)) / 2)
    assert row.recall == pytest.approx(sum(recall(served[user], test[user], 5) for user in (1, 2)) / 2)
    assert row.milliseconds > 0


def test_all_methods_are_compared_and_progress_is_told(shop):
    seen = []
    rows = evaluate_methods(shop, {1: {29}}, progress=lambda *step: seen.append(step))
    assert tuple(row.method for row in rows) == METHODS
    assert seen == [(f"evaluate {method}", 1, 1) for method in METHODS]


def test_the_longer_of_the_two_lists_is_asked_for(shop):
    [row] = evaluate_methods(shop, {1: {1}}, ["popular"], k_ndcg=29, k_recall=1)
    assert row.ndcg > 0
    assert row.recall == 0


@pytest.mark.parametrize("test", [{}, {1: set()}])
def test_a_test_without_items_is_refused(engine, test):
    with pytest.raises(InvalidArgumentError, match="No user has a test item"):
        evaluate_methods(engine, test)


def test_an_unknown_user_or_method_is_named(shop):
    with pytest.raises(UnknownUserError, match="user 99 does not exist"):
        evaluate_methods(shop, {99: {1}}, ["popular"])
    with pytest.raises(InvalidArgumentError, match="method is 'best'"):
        evaluate_methods(shop, {1: {1}}, ["best"])

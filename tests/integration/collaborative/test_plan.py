"""What `plan_training` foretells, beside what `train` then does."""

import pytest

from recsys_pg.collaborative import plan_training, train
from recsys_pg.collaborative.counts import read_counts
from recsys_pg.collaborative.items import read_embeddings
from recsys_pg.collaborative.log import read_interactions
from recsys_pg.collaborative.size import size_of
from recsys_pg.errors import InvalidArgumentError


def test_what_is_counted_is_what_is_read(engine, shop):
    shop.fill()
    shop.record([(user, user % 20 + 1, "dislike", None) for user in range(1, 60, 7)])
    shop.sql("insert into recsys.items (id, title) values (99, 'nobody likes it')")
    shop.record([(1, 99, "dislike", None), (2, 99, "hide", None)])
    zeros = ",0" * 382
    shop.sql(f"update recsys.items set embedding = '[1,0{zeros}]' where id <= 10")
    with engine.connect() as connection:
        log = read_interactions(connection).liked_only()
        counted = read_counts(connection)
        assert counted.size == size_of(log, read_embeddings(connection, log.item_ids))
    assert counted.longest == 5
    assert counted.recent == 0
    assert counted.all_users == 60


def test_a_plan_says_what_training_then_does_and_changes_nothing(engine, shop):
    shop.fill()
    plan = plan_training(engine, memory_gb=2)
    assert shop.models() == {}
    assert shop.sql("select item_id from recsys.item_popularity") == []
    report = train(engine, memory_gb=2)
    assert (plan.users, plan.items, plan.interactions) == (report.users, report.items, report.interactions)
    assert set(plan.operators) == set(report.ndcg_alone)
    assert plan.left_out == report.left_out
    assert set(plan.algorithms) == set(report.graph_ndcg)
    assert plan.compared_users is None
    assert 0 < plan.peak_gb < 2
    assert 0 < plan.seconds[0] < plan.seconds[1]


def test_the_disk_that_a_model_needs_is_at_most_what_the_plan_says(engine, shop):
    shop.fill(users=300, items=1200, likes_each=20)
    plan = plan_training(engine)
    model_id = train(engine).model_id
    [[taken]] = shop.sql(
        "select sum(pg_total_relation_size(c.oid))::bigint from pg_class c"
        " where c.relname in (:factors, :residuals, 'item_neighbors')",
        factors=f"item_factors_{model_id}",
        residuals=f"item_residuals_{model_id}",
    )
    assert taken / 1e9 < plan.disk_gb < 4 * taken / 1e9


def test_with_an_active_model_it_says_how_many_users_would_decide(engine, shop):
    shop.fill()
    train(engine)
    shop.sql(
        "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
        " select u, case when u % 2 = 1 then 10 else 20 end, 'like', timestamptz '2026-02-01'"
        " from generate_series(1, 30) u"
    )
    plan = plan_training(engine)
    assert plan.compared_users == 30
    assert not plan.is_compared


def test_what_is_missing_is_said(engine, shop):
    plan = plan_training(engine)
    assert plan.message == "No item graph: no interaction says that somebody likes an item."
    assert (plan.operators, plan.disk_gb) == ((), 0)


def test_what_training_refuses_a_plan_refuses(engine, shop):
    shop.fill()
    with pytest.raises(InvalidArgumentError, match="memory_gb"):
        plan_training(engine, memory_gb=1e-9)
    with pytest.raises(InvalidArgumentError, match="neighbors"):
        plan_training(engine, neighbors=0)

"""That the database scores what was learned: the same numbers in SQL and in numpy."""

import numpy as np
import pytest
from sqlalchemy.exc import DBAPIError

from recsys_pg.collaborative import train
from recsys_pg.collaborative.active import find_active, read_active
from recsys_pg.collaborative.histories import histories
from recsys_pg.collaborative.log import read_interactions
from recsys_pg.db import driver_connection


def quiet(phase: str, done: int, total: int | None) -> None:
    pass


def learned(engine):
    """The log, and the scores of all items for all users by the active model, (n_users, n_items)."""
    with engine.connect() as connection:
        log = read_interactions(connection)
        driver = driver_connection(connection)
        everything = np.arange(len(log.item_ids))
        active = read_active(driver, find_active(driver), log.item_ids, everything, quiet)
    return log, active.scores(histories(log))


def hybrid(shop, user: int, n: int = 10, arguments: str = "") -> dict[int, float]:
    rows = shop.sql(
        f"select item_id, score from recsys_api.recommend_for_user(:user, n => :n {arguments}) order by rank",
        user=user,
        n=n,
    )
    return {row.item_id: row.score for row in rows}


def test_scores_in_sql_are_those_in_numpy(engine, shop):
    shop.fill(users=100, items=40, likes_each=8)
    train(engine)
    log, scores = learned(engine)
    for position, user in enumerate(log.user_ids.tolist()):
        for item, score in hybrid(shop, user, n=20, arguments=", exclude_seen => false").items():
            expected = scores[position, np.searchsorted(log.item_ids, item)]
            assert score == pytest.approx(expected, abs=2e-3)


def test_the_best_of_all_items_come_first(engine, shop):
    shop.fill(users=100, items=40, likes_each=8)
    train(engine)
    log, scores = learned(engine)
    seen = log.likes.toarray() > 0
    best = np.argsort(np.where(seen, np.inf, -scores), axis=1)[:, :5]
    found = 0
    for position, user in enumerate(log.user_ids.tolist()):
        found += len(set(hybrid(shop, user, n=5)) & set(log.item_ids[best[position]].tolist()))
    assert found >= 0.99 * best.size


def test_explanations_add_up_to_the_score(engine, shop):
    shop.fill(users=60, items=40, likes_each=8)
    shop.record([(user, user % 40 + 1, "dislike", None) for user in range(1, 60, 7)])
    train(engine)
    pairs = 0
    for user in range(1, 60):
        for item, score in hybrid(shop, user, n=30).items():
            if score != 0:
                pairs += 1
                [explained] = shop.sql(
                    "select sum(contribution) as total, count(*) as rows"
                    " from recsys_api.explain_recommendation(:user, :item)",
                    user=user,
                    item=item,
                )
                assert explained.total == pytest.approx(score, abs=1e-5)
    assert pairs >= 1000


def test_a_filter_leaves_n_rows_and_the_same_scores(engine, shop):
    shop.fill(users=60, items=40, likes_each=5)
    shop.sql("update recsys.items set category = case when id % 4 = 0 then 'rare' else 'common' end")
    train(engine)
    everything = hybrid(shop, 1, n=35)
    rare = hybrid(shop, 1, n=9, arguments=", filter => recsys_api.item_filter(categories => '{rare}')")
    assert len(rare) == 9 - sum(1 for item in range(4, 41, 4) if item not in everything) or len(rare) == 9
    assert all(item % 4 == 0 for item in rare)
    for item, score in rare.items():
        if item in everything:
            assert score == pytest.approx(everything[item], abs=1e-5)


def test_an_interaction_counts_in_its_own_transaction(engine, shop):
    import sqlalchemy as sa

    shop.fill(users=60, items=40, likes_each=5)
    train(engine)
    recommend = sa.text("select item_id, score from recsys_api.recommend_for_user(1, n => 10) order by rank")
    with engine.connect() as connection:
        before = connection.execute(recommend).all()
        connection.execute(sa.text("select recsys_api.record_interaction(1, 40, 'like')"))
        during = connection.execute(recommend).all()
        connection.rollback()
        after = connection.execute(recommend).all()
    assert during != before
    assert after == before


def test_the_way_back_and_forth(engine, shop):
    shop.fill(users=60, items=40, likes_each=5)
    first = train(engine).model_id
    before = hybrid(shop, 1)
    shop.record([(user, 1 + user % 3, "like", None) for user in range(1, 61)])
    second = train(engine, force=True).model_id
    after = hybrid(shop, 1)
    assert after != before
    [back] = shop.sql("select recsys_api.activate_model() as id")
    assert back.id == first
    assert shop.models() == {first: True, second: False}
    [forth] = shop.sql("select recsys_api.activate_model() as id")
    assert forth.id == second
    assert hybrid(shop, 1) == pytest.approx(after)


def test_tables_of_models_that_had_their_day_are_dropped(engine, shop):
    shop.fill()
    models = [train(engine).model_id for _ in range(3)]
    tables = {
        row.name
        for row in shop.sql(
            "select c.relname as name from pg_class c where c.relnamespace = 'recsys'::regnamespace"
            " and c.relkind = 'r' and c.relname ~ '^item_(factors|residuals)_'"
        )
    }
    assert tables == {
        f"{parent}_{model}" for parent in ("item_factors", "item_residuals") for model in models[1:]
    }


def test_an_item_that_is_deleted_takes_its_factors_along(engine, shop):
    shop.fill()
    train(engine)
    shop.sql("delete from recsys.items where id = 3")
    [left] = shop.sql(
        "select (select count(*) from recsys.item_factors where item_id = 3) as factors,"
        " (select count(*) from recsys.item_residuals where item_id = 3) as residuals"
    )
    assert (left.factors, left.residuals) == (0, 0)
    assert 3 not in hybrid(shop, 1, n=15)


def planted(shop) -> None:
    """Texts that tell the half that an item belongs to: two directions, with noise."""
    random = np.random.default_rng(5)
    for item in range(1, 43):
        vector = random.normal(scale=0.03, size=384)
        vector[0 if item <= 20 or item == 41 else 1] += 1
        values = ",".join(f"{x:.6f}" for x in vector / np.linalg.norm(vector))
        shop.sql(f"update recsys.items set embedding = '[{values}]' where id = {item}")


def test_a_new_item_competes_from_what_it_is(engine, shop):
    shop.fill(users=100, items=40, likes_each=8)
    shop.sql(
        "insert into recsys.items (id, title) values (41, 'new, of one half'), (42, 'new, of the other')"
    )
    planted(shop)
    report = train(engine)
    factors = shop.sql("select item_id from recsys.item_factors where not is_learned order by item_id")
    assert [row.item_id for row in factors] == [41, 42]
    only_new = ", filter => recsys_api.item_filter(item_ids => '{41,42}')"
    for user in range(1, 11):
        scores = hybrid(shop, user, n=2, arguments=only_new)
        liked, other = (41, 42) if user % 2 else (42, 41)
        assert scores[liked] > scores[other]
    # an item that comes later gets the same from SQL
    before = shop.sql(
        "select target::text as target, history::text as history from recsys.item_factors where item_id = 41"
    )
    shop.sql("delete from recsys.item_factors where item_id = 41")
    [written] = shop.sql("select recsys_api.refresh_item_factors() as items")
    assert written.items == 1
    after = shop.sql(
        "select target::text as target, history::text as history from recsys.item_factors where item_id = 41"
    )
    for name in ("target", "history"):
        old, new = (
            np.array(
                [
                    float(x)
                    for x in getattr(rows[0], name).translate(str.maketrans("", "", '[]{}"')).split(",")
                ]
            )
            for rows in (before, after)
        )
        assert new == pytest.approx(old, abs=2e-3 * max(1, np.abs(old).max()))
    assert report.is_active


def test_a_worse_model_stays_inactive_unless_told_to(engine, shop, monkeypatch):
    from recsys_pg.collaborative import trainer
    from recsys_pg.collaborative.comparison import Comparison

    shop.fill()
    first = train(engine).model_id
    learn = trainer.learn_model

    def worse(*arguments, **keywords):
        from dataclasses import replace

        return replace(learn(*arguments, **keywords), comparison=Comparison(100, 0.1, 0.2, -0.12, -0.08))

    monkeypatch.setattr(trainer, "learn_model", worse)
    report = train(engine)
    assert not report.is_active
    assert shop.models() == {first: True, report.model_id: False}
    assert train(engine, force=True).is_active


def test_a_new_model_is_compared_by_what_was_liked_since(engine, shop):
    shop.fill(users=200, items=40, likes_each=8)
    assert train(engine).comparison is None
    random = np.random.default_rng(9)
    shop.sql(
        "insert into recsys.interactions (user_id, item_id, kind, occurred_at) values "
        + ",".join(
            f"({user}, {random.integers(1, 21) + (0 if user % 2 else 20)}, 'like', '2026-02-01')"
            for user in range(1, 201)
        )
    )
    comparison = train(engine).comparison
    assert comparison is not None
    assert 50 <= comparison.users <= 200
    assert comparison.low <= comparison.ndcg - comparison.active_ndcg <= comparison.high


def test_a_model_whose_training_did_not_end_cannot_be_activated(engine, shop, monkeypatch):
    from recsys_pg.collaborative import store

    shop.fill()
    first = train(engine).model_id

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "attach_partitions", killed)
    with pytest.raises(KeyboardInterrupt):
        train(engine)
    monkeypatch.undo()
    [half] = [model for model in shop.models() if model != first]
    with pytest.raises(DBAPIError, match=f"model_id is {half}, whose training did not end"):
        shop.sql("select recsys_api.activate_model(:id)", id=half)
    assert shop.models()[first]
    assert train(engine).is_active
    assert half not in shop.models()


@pytest.mark.parametrize("weight", [1.0, 1e-100])
def test_a_basket_may_be_long_and_its_weights_small(engine, shop, weight):
    shop.fill(users=60, items=2500, likes_each=8)
    train(engine)
    rows = shop.sql(
        "select * from recsys_api.recommend_for_items(array(select generate_series(1, 2400)),"
        " weights => array_fill(cast(:weight as double precision), array[2400]))",
        weight=weight,
    )
    assert len(rows) == 10


def test_an_interaction_of_the_future_does_not_end_comparisons(engine, shop):
    shop.fill()
    shop.sql(
        "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
        " values (1, 1, 'like', '2099-01-01')"
    )
    train(engine)
    [model] = shop.sql(
        "select timestamptz '2000-01-01 00:00+00' + make_interval(secs => (parameters ->> 'until')::bigint"
        " / 1e6) < now() as is_past from recsys.models where purpose = 'collaborative'"
    )
    assert model.is_past


def with_mean(shop) -> None:
    """A trained model whose queries begin with what leads to item 40, and halve at two likes."""
    shop.fill(users=60, items=40, likes_each=8)
    shop.sql("insert into recsys.users (id) values (61), (62), (63)")
    shop.record([(61, 3, "like", None), (62, 3, "dislike", None)])
    train(shop.engine)
    shop.sql(
        "update recsys.models m set fade = 2,"
        " mean_query = array_fill(9::real, array[384])::vector * f.target::vector"
        " from recsys.item_factors f where f.model_id = m.id and f.item_id = 40"
        " and m.purpose = 'collaborative' and m.is_active"
    )


def test_with_a_mean_query_scores_in_sql_are_those_in_numpy(engine, shop):
    with_mean(shop)
    log, scores = learned(engine)
    for position, user in enumerate(log.user_ids.tolist()):
        for item, score in hybrid(shop, user, n=20, arguments=", exclude_seen => false").items():
            if score > 0:
                expected = scores[position, np.searchsorted(log.item_ids, item)]
                assert score == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_who_liked_little_is_shown_what_most_people_like_and_told_so(engine, shop):
    with_mean(shop)
    [first] = shop.sql("select item_id, score, reason from recsys_api.recommend_for_user(61, n => 1)")
    assert (first.item_id, first.reason) == (40, "popular")
    parts = shop.sql("select * from recsys_api.explain_recommendation(61, 40)")
    assert (parts[-1].item_id, parts[-1].title) == (None, "what most people like")
    assert parts[-1].weight == pytest.approx(2**-0.5)
    assert sum(part.contribution for part in parts) == pytest.approx(first.score, abs=1e-5)
    assert next(iter(hybrid(shop, 1, n=3))) != 40


def test_explanations_add_up_with_a_mean_query(engine, shop):
    with_mean(shop)
    for user in (1, 2, 61):
        for item, score in hybrid(shop, user, n=15).items():
            if score > 0:
                [explained] = shop.sql(
                    "select sum(contribution) as total from recsys_api.explain_recommendation(:user, :item)",
                    user=user,
                    item=item,
                )
                assert explained.total == pytest.approx(score, abs=1e-5)


def test_a_dislike_alone_and_similar_items_get_no_mean_query(engine, shop):
    with_mean(shop)
    before = shop.sql("select item_id, score from recsys_api.similar_items(3, n => 20) order by rank")
    disliker = hybrid(shop, 62, n=20)
    of_basket = shop.sql("select item_id from recsys_api.recommend_for_items('{3}', n => 1)")
    shop.sql("update recsys.models set fade = null, mean_query = null where mean_query is not null")
    assert shop.sql("select item_id, score from recsys_api.similar_items(3, n => 20) order by rank") == before
    assert hybrid(shop, 62, n=20) == disliker
    assert [row.item_id for row in of_basket] == [40]
    assert shop.sql("select item_id from recsys_api.recommend_for_items('{3}', n => 1)") != of_basket

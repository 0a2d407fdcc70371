"""Training: what it writes, what recommendations make of it, and when it leaves everything as it was."""

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import numpy as np
import pytest

from recsys_pg import db
from recsys_pg.collaborative import train
from recsys_pg.errors import (
    DatabaseError,
    InvalidArgumentError,
    ReadOnlyDatabaseError,
    SchemaNotReadyError,
)


def during(wanted: str, action):
    """A progress callback that runs an action once, when training enters a phase."""
    done = []

    def progress(phase: str, _done: int, _total: int | None) -> None:
        if phase == wanted and not done:
            done.append(action())

    return progress


@pytest.mark.parametrize("algorithm", ["ease", "cosine"])
def test_people_get_what_their_kind_likes(engine, shop, algorithm):
    shop.fill()
    report = train(engine, algorithm=algorithm)
    assert (report.algorithm, report.users, report.items, report.interactions) == (algorithm, 60, 20, 300)
    assert report.neighbors_written == len(shop.graph(report.model_id)) == 20
    assert report.seconds > 0
    for user in (1, 2):
        half = range(1, 11) if user % 2 else range(11, 21)
        assert {row.item_id for row in shop.recommend(user, n=5)} <= set(half)


def test_the_median_user_s_best_item_scores_one(engine, shop):
    shop.fill()
    train(engine)
    best = [shop.recommend(user, n=1)[0].score for user in range(1, 61)]
    assert np.median(best) == pytest.approx(1, abs=1e-5)


def test_edges_are_stored_from_the_strongest_to_the_weakest_at_most_as_many_as_asked_for(engine, shop):
    shop.fill()
    report = train(engine, neighbors=7)
    for edges in shop.graph(report.model_id).values():
        strengths = [abs(weight) for _, weight in edges]
        assert len(edges) <= 7
        assert strengths == sorted(strengths, reverse=True)
        assert min(strengths) > 0


def test_the_model_says_what_it_was_trained_with(engine, shop):
    shop.fill()
    report = train(engine, neighbors=5, seed=3)
    [model] = shop.sql("select * from recsys.models where purpose = 'collaborative'")
    assert (model.id, model.name, model.is_active) == (report.model_id, report.algorithm, True)
    assert datetime.fromisoformat(model.revision).tzinfo is not None
    assert model.parameters.pop("until") > 0
    assert model.parameters.pop("embedding_model_id") is not None
    assert {term["operator"] for term in model.parameters.pop("terms")} == {t.operator for t in report.terms}
    assert model.parameters == {
        "neighbors": 5,
        "reg": 1.5 if model.name == "ease" else 20,
        "seed": 3,
        "trend": None,
        "prior": None,  # too few to hold newcomers out
    }
    assert model.metrics.pop("seconds") > 0
    assert model.metrics.pop("edges") == sum(map(len, shop.graph(model.id).values()))
    assert model.metrics.pop("ndcg") == pytest.approx(report.ndcg)
    assert set(model.metrics.pop("ndcg_alone")) == set(report.ndcg_alone)
    assert model.metrics.pop("left_out") == {**report.left_out}
    assert model.metrics.pop("graph_ndcg") == pytest.approx({**report.graph_ndcg})
    assert 0 < model.metrics.pop("held_out_users") == report.held_out_users <= 60
    assert model.metrics == {"users": 60, "items": 20, "interactions": 300, "comparison": None}


def test_a_new_model_takes_over_and_the_one_before_stays_as_the_way_back(engine, shop):
    shop.fill()
    first, second, third = (train(engine).model_id for _ in range(3))
    assert shop.models() == {second: False, third: True}
    assert shop.graph(first) == {}
    assert shop.graph(second) == shop.graph(third) != {}

    shop.sql("select recsys_api.activate_model(:id)", id=second)
    fourth = train(engine).model_id
    assert shop.models() == {second: False, fourth: True}


def test_the_same_interactions_give_the_same_graph(engine, shop):
    shop.fill()
    for algorithm in ("ease", "cosine"):
        one, other = (train(engine, algorithm=algorithm, seed=7).model_id for _ in range(2))
        assert shop.graph(one) == shop.graph(other)


LIKE = "like", None
TOO_LITTLE = {
    "nothing": ([], "no interaction says"),
    "dislikes": ([(1, 1, "dislike", None), (2, 2, "dislike", None)], "no interaction says"),
    "ratings of at most 3": (
        [(user, item, "rating", float(user)) for user in (1, 2, 3) for item in (1, 2)],
        "no interaction says",
    ),
    "one user": ([(1, 1, *LIKE), (1, 2, *LIKE)], "only 1 user and 2 items"),
    "one item": ([(1, 1, *LIKE), (2, 1, *LIKE)], "only 2 users and 1 item"),
    "one item a user": ([(1, 1, *LIKE), (2, 2, *LIKE), (3, 2, *LIKE)], "no user likes two items"),
    "a like taken back": (
        [(1, 1, *LIKE), (2, 1, *LIKE), (1, 2, *LIKE), (1, 2, "dislike", None), (2, 2, "hide", None)],
        "only 2 users and 1 item",
    ),
}


@pytest.mark.parametrize("interactions", TOO_LITTLE)
def test_too_little_to_learn_from_changes_no_model_but_refreshes_the_rest(engine, shop, interactions):
    log, missing = TOO_LITTLE[interactions]
    shop.add(3, 3)
    shop.record(log)
    report = train(engine)
    assert report.message.startswith("No item graph: ")
    assert missing in report.message
    assert (report.model_id, report.algorithm, report.neighbors_written) == (None, None, 0)
    assert shop.models() == {}
    liked = {item for _, item, kind, value in log if kind == "like" or (value or 0) > 3}
    popular = {row.item_id for row in shop.sql("select item_id from recsys.item_popularity")}
    assert popular == liked


def test_the_active_model_stays_when_the_interactions_are_gone(engine, shop):
    shop.fill()
    model_id = train(engine).model_id
    shop.sql("delete from recsys.interactions")
    assert train(engine).model_id is None
    assert shop.models() == {model_id: True}


def test_popularity_and_tastes_are_refreshed(engine, shop):
    shop.fill()
    zeros = ",0" * 382
    shop.sql(f"update recsys.items set embedding = '[1,0{zeros}]' where id <= 10")
    shop.sql(f"update recsys.items set embedding = '[0,1{zeros}]' where id between 11 and 19")
    train(engine)
    [counted] = shop.sql("select count(*) as items from recsys.item_popularity")
    [with_taste] = shop.sql("select count(embedding) as users from recsys.users")
    assert (counted.items, with_taste.users) == (20, 60)


@pytest.mark.parametrize("phase", ["learn item graph", "write factors", "write item graph", "index factors"])
def test_an_item_deleted_meanwhile_is_left_out(engine, shop, phase):
    shop.fill()
    report = train(
        engine, progress=during(phase, lambda: shop.sql("delete from recsys.items where id in (3, 14)"))
    )
    graph = shop.graph(report.model_id)
    left = set(range(1, 21)) - {3, 14}
    assert set(graph) == left
    if phase != "index factors":
        assert report.neighbors_written == len(left)
    [factors] = shop.sql("select array_agg(item_id order by item_id) as ids from recsys.item_factors")
    assert set(factors.ids) == left
    if phase == "learn item graph":
        assert {neighbor for edges in graph.values() for neighbor, _ in edges} <= left


def test_no_transaction_is_open_while_the_graph_is_learned(engine, shop):
    shop.fill()
    states = []

    def look() -> None:
        rows = shop.sql(
            "select a.state, a.backend_xmin from pg_locks l join pg_stat_activity a using (pid)"
            " where l.locktype = 'advisory' and a.datname = current_database()"
        )
        states.extend((row.state, row.backend_xmin) for row in rows)

    train(engine, progress=during("learn item graph", look))
    assert states == [("idle", None)]


def test_recommendations_come_from_the_old_model_until_the_new_one_is_complete(engine, shop):
    shop.fill(users=300, items=1200, likes_each=20)
    train(engine, neighbors=1)
    before = shop.recommend(1)
    seen = []
    train(engine, neighbors=50, progress=during("write item graph", lambda: seen.append(shop.recommend(1))))
    assert seen == [before]
    assert shop.recommend(1) != before


def test_a_second_training_at_the_same_time_is_refused(engine, shop):
    shop.fill()
    learning, proceed = threading.Event(), threading.Event()

    def wait() -> None:
        learning.set()
        assert proceed.wait(30)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(train, engine, progress=during("learn item graph", wait))
        assert learning.wait(30)
        with pytest.raises(DatabaseError, match="Another training runs on this database"):
            train(engine)
        proceed.set()
        model_id = first.result(30).model_id
    assert shop.models() == {model_id: True}
    assert train(engine).model_id is not None


@pytest.mark.parametrize("phase", ["read interactions", "learn item graph", "refresh tastes"])
def test_an_interrupted_training_lets_another_process_train(engine, url, shop, phase):
    def interrupt() -> None:
        raise KeyboardInterrupt

    shop.fill()
    with pytest.raises(KeyboardInterrupt):
        train(engine, progress=during(phase, interrupt))
    assert len(shop.models()) == (1 if phase == "refresh tastes" else 0)
    other = db.create_engine(url)
    assert train(other).model_id is not None
    other.dispose()


def test_a_connection_lost_while_learning_changes_nothing(engine, shop):
    shop.fill()
    model_id = train(engine).model_id

    def cut() -> None:
        shop.sql(
            "select pg_terminate_backend(l.pid) from pg_locks l join pg_stat_activity a using (pid)"
            " where l.locktype = 'advisory' and a.datname = current_database()"
        )

    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    with pytest.raises(DatabaseError):
        train(engine, progress=during("learn item graph", cut))
    assert shop.models() == {model_id: True}
    assert train(engine).model_id is not None


def test_auto_says_why_it_took_which_algorithm(engine, shop):
    shop.fill()
    report = train(engine)
    assert set(report.graph_ndcg) == {"ease", "cosine"}
    assert report.algorithm == max(("ease", "cosine"), key=lambda name: report.graph_ndcg[name])
    assert "NDCG@20" in report.message
    assert f"{report.graph_ndcg['cosine']:.4f}" in report.message
    assert train(engine, algorithm="cosine").message.startswith("The cosine was asked for.")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("algorithm", "svd"),
        ("neighbors", 0),
        ("neighbors", 1001),
        ("reg", 0),
        ("reg", -1),
        ("reg", float("nan")),
        ("reg", float("inf")),
        ("memory_gb", 0),
        ("memory_gb", float("nan")),
        ("holdout", 0),
        ("holdout", 1001),
    ],
)
def test_arguments_out_of_their_range_are_refused(engine, argument, value):
    with pytest.raises(InvalidArgumentError, match=argument):
        train(engine, **{argument: value})


def test_a_database_without_the_schema_is_named(create_database):
    engine = db.create_engine(create_database())
    with pytest.raises(SchemaNotReadyError, match="recsys-pg migrate"):
        train(engine)
    engine.dispose()


def test_a_read_only_database_is_named(url, shop):
    shop.fill()
    engine = db.create_engine(f"{url} options='-c default_transaction_read_only=on'")
    phases = []
    with pytest.raises(ReadOnlyDatabaseError, match="primary"):
        train(engine, progress=lambda phase, *_: phases.append(phase))
    assert phases == []  # said before anything is read or learned
    engine.dispose()


def test_without_scipy_the_extra_is_named():
    script = "import sys; sys.modules['scipy'] = None; import recsys_pg.collaborative"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "MissingDependencyError: scipy is not installed" in outcome.stderr
    assert 'Run: pip install "recsys-pg[train]"' in outcome.stderr


FASHIONS = (
    "insert into recsys.interactions (user_id, item_id, kind, occurred_at)"
    " select u, (d / 7 * 10 + (u * 31 + step * 17) % 10) % 200 + 1, 'like',"
    " now() - interval '601 days' + d * interval '1 day' + u * interval '1 minute'"
    " from generate_series(1, 300) u, generate_series(0, 3) step,"
    " lateral (select (u * 7919) % 596 + step) t (d)"
)
HALF_LIFE = "select value::text::float from recsys.settings where key = 'popularity.half_life_days'"


def test_popularity_halves_as_soon_as_what_people_like_passes(engine, shop):
    """Ten items are in fashion for a week each."""
    shop.add(users=300, items=200)
    shop.sql(FASHIONS)
    chosen = train(engine).half_life
    assert chosen.is_adopted
    assert chosen.days <= 14
    assert chosen.ndcg > chosen.ndcg_in_use
    assert shop.sql(HALF_LIFE) == [(chosen.days,)]
    assert 0 < shop.sql("select max(score) from recsys_api.popular_items(10)")[0][0] < 100
    again = train(engine).half_life
    assert again.days_in_use == chosen.days
    assert shop.sql(HALF_LIFE) == [(again.days,)]

    # 30 is the default, and now somebody's choice
    shop.sql("update recsys.settings set value = '30' where key = 'popularity.half_life_days'")
    left = train(engine).half_life
    assert left.days != 30
    assert not left.is_adopted
    assert shop.sql(HALF_LIFE) == [(30.0,)]


def test_a_half_life_that_is_set_while_training_runs_stays(engine, shop):
    shop.add(users=300, items=200)
    shop.sql(FASHIONS)
    ninety = partial(
        shop.sql, "update recsys.settings set value = '90' where key = 'popularity.half_life_days'"
    )
    chosen = train(engine, progress=during("learn item graph", ninety)).half_life
    assert (chosen.days_in_use, chosen.is_adopted) == (30, False)
    assert shop.sql(HALF_LIFE) == [(90.0,)]


def test_a_missing_half_life_is_told_before_anything_is_learned(engine, shop):
    shop.fill()
    shop.sql("delete from recsys.settings where key = 'popularity.half_life_days'")
    phases = []
    with pytest.raises(InvalidArgumentError, match=r"popularity\.half_life_days"):
        train(engine, progress=lambda phase, *_: phases.append(phase))
    assert "learn ease" not in phases
    assert "hold out" in phases

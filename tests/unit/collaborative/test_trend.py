"""What is liked lately."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative import asked, factors, model
from recsys_pg.collaborative.asked import AskedScores
from recsys_pg.collaborative.factors import factorize
from recsys_pg.collaborative.histories import histories
from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.mixture import Mixture, Term
from recsys_pg.collaborative.model import learn_model
from recsys_pg.collaborative.operators.operator import Operator, OperatorSum
from recsys_pg.collaborative.trend import Gaining, Trend, choose_trend

ITEMS = 60


def quiet(phase: str, done: int, total: int | None) -> None:
    pass


def shop(*, of_season: bool, users: int = 300) -> InteractionLog:
    """One half of the items sells in the first seven tenths of the time, the other in the last; or both ever.

    Everybody buys twelve things, at six times that are spread over all.
    """
    random = np.random.default_rng(0)
    rows = []
    for user in range(users):
        left = [random.permutation(ITEMS // 2), random.permutation(ITEMS // 2)]
        for time in sorted(random.uniform(0, 1000, 12)):
            is_late = bool(time > 700 if of_season else random.random() < 0.5)
            if len(left[is_late]):
                item, left[is_late] = left[is_late][0], left[is_late][1:]
                rows.append((user, int(item) + ITEMS // 2 * is_late, 1, int(time * 1000)))
    return InteractionLog.of(*zip(*rows, strict=True))


def test_gains_are_the_share_of_the_latest_over_the_share_of_all():
    # item 0 has 40 early likes, 1 has 50 early and 5 late ones, 2 has 5 late ones
    items = [0] * 40 + [1] * 50 + [1] * 5 + [2] * 5
    log = InteractionLog.of(range(100), items, np.ones(100), range(100))
    gains = Trend(0.1, 1.0).gains(log)
    assert gains == pytest.approx([0.5 / (0.1 * 45), 5.5 / (0.1 * 60), 5.5 / (0.1 * 10)], rel=1e-5)
    assert Trend(0.1, 0.5).gains(log) == pytest.approx(np.sqrt(gains), rel=1e-5)


def test_where_all_happened_at_one_time_nothing_gains():
    log = InteractionLog.of(range(100), [0, 1] * 50, np.ones(100), np.zeros(100))
    gains = Trend(0.1, 1.0).gains(log)
    assert gains == pytest.approx(np.ones(2), rel=1e-5)


def chosen(log: InteractionLog) -> Trend | None:
    """For an operator to which all items are alike, so that nothing else tells what is in season."""
    operators = {"alike": Operator(graph=np.ones((ITEMS, ITEMS), np.float32))}
    mixture = Mixture((Term("alike", 1.0, 1.0),), None, {})
    return choose_trend(mixture, operators, hold_out(log), quiet)


def test_a_season_is_noticed():
    log = shop(of_season=True)
    trend = chosen(log)
    assert trend is not None
    gains = trend.gains(log)
    assert gains[ITEMS // 2 :].min() > gains[: ITEMS // 2].max()


def test_without_seasons_there_is_no_trend():
    assert learn_model(shop(of_season=False), progress=quiet).trend is None


def test_at_one_time_nothing_is_weighed():
    log = shop(of_season=True)
    at_once = replace(log, times=np.zeros_like(log.times))
    operators = {"alike": Operator(graph=np.ones((ITEMS, ITEMS), np.float32))}
    mixture = Mixture((Term("alike", 1.0, 1.0),), None, {})
    steps: list[str] = []
    trend = choose_trend(mixture, operators, hold_out(at_once), lambda phase, *_: steps.append(phase))
    assert trend is None
    assert not steps


def test_what_is_chosen_is_learned(monkeypatch):
    log = shop(of_season=False)
    plain = learn_model(log, progress=quiet)
    monkeypatch.setattr(model, "choose_trend", lambda *_: Trend(0.25, 1.0))
    gaining = learn_model(log, progress=quiet)
    assert gaining.trend == Trend(0.25, 1.0)
    known = histories(log)
    items = np.argsort(gaining.trend.gains(log))
    ratio = np.abs(gaining.factors.scores(known)).mean(axis=0) / np.abs(plain.factors.scores(known)).mean(
        axis=0
    )
    assert np.median(ratio[items[-10:]]) > 1.5 * np.median(ratio[items[:10]])


def random_sum(gains, n_items=50):
    random = np.random.default_rng(1)
    left, right = random.standard_normal((2, n_items, 4)).astype(np.float32)
    graph = csr_array(random.random((n_items, n_items)) * (random.random((n_items, n_items)) < 0.2))
    return OperatorSum([(0.7, Operator(left, right)), (1.3, Operator(graph=graph.astype(np.float32)))], gains)


@pytest.mark.parametrize("many_items", [10, 1000])
def test_gains_multiply_the_columns_of_a_sum_in_all_its_forms(monkeypatch, many_items):
    monkeypatch.setattr(asked, "MANY_ITEMS", many_items)
    monkeypatch.setattr(factors, "MANY_ITEMS", many_items)
    monkeypatch.setattr(asked, "_ITEMS_AN_ENTRY", 1)
    gains = np.linspace(0.1, 3, 50).astype(np.float32)
    plain, gaining = random_sum(None), random_sum(gains)
    everything = slice(0, 50)
    matrix = plain.rows(everything) * gains
    assert gaining.rows(everything) == pytest.approx(matrix, abs=1e-4)
    assert gaining.graph_rows(everything).toarray() == pytest.approx(
        plain.graph_rows(everything).toarray() * gains, abs=1e-5
    )
    vectors = np.random.default_rng(2).standard_normal((50, 3)).astype(np.float32)
    assert gaining.rows_times(vectors)(everything) == pytest.approx(matrix @ vectors, abs=1e-3)
    log = shop(of_season=False)
    known = histories(log.part(log.items < 50))
    known = histories(InteractionLog.of(known.users, known.items, known.weights, range(len(known.users))))
    scores = known.decayed(0.9) @ matrix[: known.n_items, : known.n_items]
    if known.n_items == 50:
        of_asked = AskedScores([(0.9, gaining)], known)
        assert of_asked.times(vectors) == pytest.approx(scores @ vectors, abs=1e-2)
        others = np.random.default_rng(3).standard_normal((known.n_users, 2)).astype(np.float32)
        assert of_asked.transposed_times(others) == pytest.approx(scores.T @ others, abs=2e-2)
    found = factorize([(0.9, gaining)], known, dimensions=50, neighbors=50).scores(known)
    assert found / np.abs(found).max() == pytest.approx(scores / np.abs(scores).max(), abs=0.02)


def test_a_scorer_that_gains():
    operator = random_sum(None).terms[0][1]
    gains = np.linspace(0.1, 3, 50).astype(np.float32)
    history = csr_array(np.eye(50, dtype=np.float32)[:3])
    assert Gaining(operator, gains).scores(history) == pytest.approx(operator.scores(history) * gains)

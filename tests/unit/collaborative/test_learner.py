"""Which algorithm the item graph is learned by."""

import pytest

from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.learner import choose_by_size, learn
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.errors import InvalidArgumentError


def quiet(phase: str, done: int, total: int | None) -> None:
    pass


def some_log(users: int) -> InteractionLog:
    """People who like four of the six items that follow on one of 30."""
    rows = [
        (user, (7 * user + step * (1 + user % 2)) % 30, 1, step) for user in range(users) for step in range(4)
    ]
    return InteractionLog.of(*zip(*rows, strict=True))


def learned(log: InteractionLog, **arguments):
    options = {"algorithm": "auto", "neighbors": 10, "reg": None, "memory_gb": 1.0, "seed": 0} | arguments
    return learn(log.likes, progress=quiet, holdout=hold_out(log), **options)


def test_auto_takes_the_one_that_foretells_more():
    graph = learned(some_log(200))
    assert graph.algorithm == max(graph.ndcg, key=graph.ndcg.get)
    assert set(graph.ndcg) == {"ease", "cosine"}
    assert graph.ndcg["ease"] != graph.ndcg["cosine"]


def test_the_choice_follows_what_is_measured(monkeypatch):
    """With a strength that makes one of them useless, auto takes the other."""
    monkeypatch.setattr("recsys_pg.collaborative.learner.EASE_REG", 1e9)
    monkeypatch.setattr("recsys_pg.collaborative.learner.COSINE_REG", 20.0)
    without_ease = learned(some_log(200))
    monkeypatch.setattr("recsys_pg.collaborative.learner.EASE_REG", 1.5)
    monkeypatch.setattr("recsys_pg.collaborative.learner.COSINE_REG", 1e12)
    without_cosine = learned(some_log(200))
    assert without_ease.ndcg["ease"] != without_cosine.ndcg["ease"]
    for graph in (without_ease, without_cosine):
        assert graph.algorithm == max(graph.ndcg, key=graph.ndcg.get)


def test_few_users_prove_nothing_so_that_ease_is_taken():
    graph = learned(some_log(30))
    assert (graph.algorithm, graph.ndcg) == ("ease", {})
    assert "too few" in graph.reason


def test_what_was_asked_for_is_taken_without_measuring():
    for algorithm in ("ease", "cosine"):
        graph = learned(some_log(200), algorithm=algorithm)
        assert (graph.algorithm, graph.ndcg) == (algorithm, {})


def test_where_ease_does_not_fit_auto_takes_the_cosine_and_says_why():
    assert choose_by_size("auto", 10_000, 1.0) == (
        "cosine",
        "Cosine, because EASE needs 1.2 GB for 10,000 items with interactions, and 1 of memory_gb are left"
        " for it.",
    )
    assert choose_by_size("auto", 20_001, 10.0)[0] == "cosine"
    with pytest.raises(
        InvalidArgumentError, match=r"needs 1.2 GB .* Raise memory_gb, or pass algorithm cosine"
    ):
        choose_by_size("ease", 10_000, 1.0)

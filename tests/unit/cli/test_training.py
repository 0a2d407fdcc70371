"""What `recsys-pg train` says at the end."""

from dataclasses import replace

import pytest

from recsys_pg.cli.training import _summary
from recsys_pg.collaborative import TrainReport
from recsys_pg.collaborative.half_life import HalfLife
from recsys_pg.collaborative.mixture import Term

REPORT = TrainReport(
    7,
    True,
    "ease",
    400,
    1000,
    12_000,
    1000,
    (Term("ials", 0.9, 5.0, 1.0),),
    0.125,
    {},
    {},
    None,
    3.0,
    "EASE fits.",
)


@pytest.mark.parametrize(
    ("users", "said"),
    [
        (1200, "NDCG@20 0.1250 on the held-out likes of 1,200 users."),
        (49, "of 49 users, too few to say much."),
    ],
)
def test_it_tells_of_how_many_users_the_ndcg_is(users: int, said: str) -> None:
    assert said in _summary(replace(REPORT, held_out_users=users))


@pytest.mark.parametrize(
    ("half_life", "said"),
    [
        (
            HalfLife(250, 0.05, 30, 0.04, is_adopted=True),
            "halves in 250 days: NDCG@20 0.0500 against 0.0400 at 30, so",
        ),
        (HalfLife(250, 0.05, 90, 0.04), "which somebody has set: see popularity.half_life_days"),
    ],
)
def test_it_tells_what_became_of_the_half_life(half_life: HalfLife, said: str) -> None:
    assert said in _summary(replace(REPORT, half_life=half_life))


def test_terms_of_one_operator_are_told_apart() -> None:
    once = replace(REPORT, terms=(Term("ials", 0.9, 5.0, 0.7), Term("ease", 0.9, 1.0, 0.3)))
    assert "ials (70 %), ease (30 %)" in _summary(once)
    twice = replace(REPORT, terms=(Term("ials", 0.9, 5.0, 0.8), Term("ials", 1.0, 1.0, -0.2)))
    assert "ials at a decay of 0.9 (80 %), ials at a decay of 1 (-20 %)" in _summary(twice)


def test_a_half_life_that_stays_is_not_told() -> None:
    assert "halves" not in _summary(replace(REPORT, half_life=HalfLife(30, 0.04, 30, 0.04)))
    assert "halves" not in _summary(REPORT)

"""About how long training takes, from what there is to learn from and how fast this machine computes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, random_array

from recsys_pg.collaborative.candidates import DENSE_ITEMS, Candidate
from recsys_pg.collaborative.half_life import DAYS
from recsys_pg.collaborative.holdout import asked_at_most
from recsys_pg.collaborative.mixture import DECAYS
from recsys_pg.collaborative.operators.ials import DIMENSIONS as IALS_DIMENSIONS
from recsys_pg.collaborative.operators.lowpass import DIMENSIONS as LOWPASS_DIMENSIONS
from recsys_pg.collaborative.size import Size
from recsys_pg.config import DIMENSIONS

UNSURE = 2.0
"""The true time is expected between the estimate divided by this and the estimate times this."""

_SIDE, _REPEATS = 700, 3
_ITERATIONS = 9
_WIDTH = 416
_SOLVED = 17
_ALTERNATED = 3
"""Of what the products of a regression take, with gathering and solving."""

# seconds that do not follow from arithmetic: of trainings on 100,000 and 1,000,000 items, on two cores
_ROW_OF_PYTHON = 25e-6
_INTERACTION_READ = 8e-6
_ITEM_WRITTEN = 0.15e-3
_ITEM_INDEXED = 1.3e-3
_TASTE = 1.0e-3
_HELD_OUT = 2
"""Likes of a user, in a large catalogue."""
_RANKED = 2e-9
"""An item, for a half-life of popularity."""


@dataclass(frozen=True)
class Speed:
    """Of this machine: floating-point operations a second in dense products, and pairs a second in sparse."""

    flops: float
    pairs: float


def measured_speed() -> Speed:
    """What this machine does now, measured in a fraction of a second: the best of three."""
    random = np.random.default_rng(0)
    matrix = random.random((_SIDE, _SIDE), dtype=np.float32)
    likes = csr_array(random_array((4000, 4000), density=0.01, rng=random, dtype=np.float32))
    transposed = likes.T.tocsr()
    pairs = float((np.diff(likes.indptr).astype(np.float64) ** 2).sum())
    dense, sparse = _quickest(lambda: matrix @ matrix), _quickest(lambda: transposed @ likes)
    return Speed(2 * _SIDE**3 / dense, pairs / sparse)


def _quickest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return max(min(seconds), 1e-6)


def expected_seconds(
    size: Size, operators: Sequence[Candidate], algorithms: Sequence[str], all_users: int, speed: Speed
) -> Mapping[str, float]:
    """Seconds of each part of a training.

    Args:
        size: of what is learned from.
        operators: that are learned, all of them once, and those of the sum again.
        algorithms: of the item graph that are tried; the better one is learned twice.
        all_users: of the database, whose tastes are refreshed.
        speed: of this machine.
    """
    learned = sum(_operator_seconds(each.name, size, speed) for each in operators)
    graph = sum(_operator_seconds(name, size, speed) for name in algorithms)
    asked = asked_at_most(size.items)
    scored = min(asked, size.users) * size.items * len(operators) * len(DECAYS if size.is_ordered else (1,))
    products = 2 * size.items * _WIDTH * (_WIDTH * 4 + 6 * DIMENSIONS) * _ITERATIONS / speed.flops
    residual_rows = min(size.items, DENSE_ITEMS) if size.items <= DENSE_ITEMS else 0
    return {
        "read": _INTERACTION_READ * size.interactions,
        "learn": 1.7 * learned,
        "compare": scored * 1.5e-8
        + scored * 2 * DIMENSIONS / speed.flops / 4
        + min(asked, size.users) * size.items * len(DAYS) * _HELD_OUT * _RANKED,
        "cut down": products
        + 3 * residual_rows**2 * (2 * DIMENSIONS / speed.flops + 2e-8)
        + 3 * size.items * _ROW_OF_PYTHON,
        "item graph": graph * (2 if len(algorithms) > 1 else 1),
        "write": (_ITEM_WRITTEN + _ITEM_INDEXED) * size.items,
        "refresh": _TASTE * all_users + 1e-6 * size.interactions,
    }


def _operator_seconds(name: str, size: Size, speed: Speed) -> float:
    cubed = float(size.items) ** 3
    in_python = size.items * _ROW_OF_PYTHON
    rows = size.items + size.users
    lags = min(21.0, size.likes / max(1, size.users) / 2)
    counted = 1.5 * size.pairs / speed.pairs + in_python
    next_item = 2.4 * cubed / speed.flops + 8e-8 * size.items**2
    of_lowpass = rows * _WIDTH**2 + 2 * size.likes * (LOWPASS_DIMENSIONS + 32)
    return {
        # double precision takes twice as long as the single that was measured
        "ease": 2 * cubed / speed.flops,
        "next_item_0.9": next_item,
        "next_item_0.8": next_item,
        "next_item_0.6": next_item,
        "cooccurrence": counted,
        "cosine": counted,
        "transitions": 3 * size.likes * lags / speed.pairs + in_python,
        "lowpass": _ITERATIONS * 4 * of_lowpass / speed.flops,
        "ials": _SOLVED * _ALTERNATED * 2 * size.likes * IALS_DIMENSIONS**2 / speed.flops,
        "content": 0.0,
    }[name]

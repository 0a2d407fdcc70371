"""How soon popularity halves: what is liked now by what was liked lately, in this catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from scipy.sparse import csr_array

from recsys_pg.collaborative.comparison import LEAST_USERS, best_beyond_chance
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.mixture import LENGTH
from recsys_pg.types import Progress

DAYS = (1, 2, 4, 7, 14, 30, 60, 120, 250, 500, 1000, 2000, 4000)
"""Half-lives that are tried, beside the one in use."""

_DEFAULT_DAYS = 30.0
_DAY = 86_400e6
_LARGEST_EXPONENT, _SMALLEST_EXPONENT = 500.0, -1000.0
"""Counts are scaled down before they grow beyond 2 to the power of the one, not below that of the other."""

HALF_LIFE_KEY = "popularity.half_life_days"
_CHOSEN_KEY = "popularity.chosen_half_life_days"
_ADOPT = """
update recsys.settings s set value = to_jsonb(%(days)s::double precision)
where s.key = %(key)s and s.value = to_jsonb(%(in_use)s::double precision)
    and s.value = coalesce((select c.value from recsys.settings c where c.key = %(chosen)s),
        to_jsonb(%(default)s::double precision))
"""
_REMEMBER = """
insert into recsys.settings (key, value, description)
values (%s, to_jsonb(%s::double precision),
    'What training chose popularity.half_life_days to be: another value of that is left alone.')
on conflict (key) do update set value = excluded.value
"""
_RESET = """
update recsys.settings s set value = to_jsonb(%(default)s::double precision)
where s.key = %(key)s and s.value = (select c.value from recsys.settings c where c.key = %(chosen)s)
"""
_KNOWN = {"key": HALF_LIFE_KEY, "chosen": _CHOSEN_KEY, "default": _DEFAULT_DAYS}


@dataclass(frozen=True)
class HalfLife:
    """The half-life in days by which popularity foretells best what was held out, and the one in use.

    ndcg and ndcg_in_use are the mean NDCG@20 of what was popular when each user was asked. is_adopted says
    whether it is the setting now.
    """

    days: float
    ndcg: float
    days_in_use: float
    ndcg_in_use: float
    is_adopted: bool = False


def choose_half_life(
    log: InteractionLog, holdout: Holdout, days_in_use: float, progress: Progress
) -> HalfLife | None:
    """The half-life that foretells best what was held out, of `DAYS` and the one in use.

    Every user is asked by what all had liked until the first like that was held out of this one. The one in
    use stays where no other is better beyond chance. None where times tell no order, or too few are asked.

    Args:
        log: of everybody, with what was held out.
        holdout: of the log.
        days_in_use: the setting.
        progress: called after each hundred users.
    """
    asked = np.flatnonzero(np.diff(holdout.targets.indptr))
    if len(asked) < LEAST_USERS or not log.is_ordered:
        return None
    days = np.array([days_in_use, *(each for each in DAYS if each != days_in_use)], np.float64)
    ndcg = ndcg_by_age(log, holdout, asked, days, progress)
    best = best_beyond_chance(ndcg)
    return HalfLife(float(days[best]), float(ndcg[best].mean()), days_in_use, float(ndcg[0].mean()))


def adopt(connection: psycopg.Connection[Any], half_life: HalfLife) -> bool:
    """Make it the setting, unless somebody has set another; whether it is.

    That is another than training did before, or than the default, before and since the half-life was chosen.
    Popularity has to be counted anew in the same transaction.
    """
    values = _KNOWN | {"days": half_life.days, "in_use": half_life.days_in_use}
    if not connection.execute(_ADOPT, values).rowcount:
        return False
    connection.execute(_REMEMBER, (_CHOSEN_KEY, half_life.days))
    return True


def reset(connection: psycopg.Connection[Any]) -> None:
    """Undo what training chose, in a copy that is to know nothing of what it was chosen by."""
    connection.execute(_RESET, _KNOWN)
    connection.execute("delete from recsys.settings where key = %s", (_CHOSEN_KEY,))


def ndcg_by_age(
    log: InteractionLog,
    holdout: Holdout,
    asked: npt.NDArray[np.intp],
    days: npt.NDArray[np.float64],
    progress: Progress,
) -> npt.NDArray[np.float64]:
    """(n_days, n_asked) NDCG@20 of what was popular when a user was asked, by each half-life."""
    order = np.argsort(holdout.moments[asked], kind="stable")
    found = np.zeros((len(days), len(asked)))
    popular = _popular_at(log, holdout.moments[asked[order]], days)
    for done, (place, counts) in enumerate(zip(order, popular, strict=True), start=1):
        user = asked[place]
        found[:, place] = _ndcg(counts, _row(holdout.seen, user), _row(holdout.targets, user))
        if done % 100 == 0 or done == len(asked):
            progress("weigh the age of likes", done, len(asked))
    return found


def _popular_at(
    log: InteractionLog, moments: npt.NDArray[np.int64], days: npt.NDArray[np.float64]
) -> Iterator[npt.NDArray[np.float64]]:
    """(n_days, n_items) at each of the moments, ascending: the likes before it, halved by their age.

    But for a factor of each row, since only the order counts. The array is the same one all the time.
    """
    order = np.argsort(log.times, kind="stable")
    until = np.searchsorted(log.times[order], moments)
    counts = np.zeros((len(days), len(log.item_ids)))
    origins = np.full(len(days), moments[0], np.float64)
    start = 0
    for moment, end in zip(moments, until, strict=True):
        new = order[start:end]
        new = new[log.weights[new] > 0]
        start = end
        for row, half_life in enumerate(days):
            span = half_life * _DAY
            grown = (moment - origins[row]) / span
            if grown > _LARGEST_EXPONENT:
                largest = counts[row].max()
                if largest > 0:
                    counts[row] /= largest
                    counts[row] *= np.exp2(max(np.log2(largest) - grown, _SMALLEST_EXPONENT))
                origins[row] = moment
            weights = log.weights[new] * np.exp2((log.times[new] - origins[row]) / span)
            np.add.at(counts[row], log.items[new], weights)
        yield counts


def _row(matrix: csr_array[np.float32], row: int) -> npt.NDArray[np.int32]:
    return matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]


def _ndcg(
    counts: npt.NDArray[np.float64], seen: npt.NDArray[np.int32], targets: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """(n_days,) NDCG@20 of all items but the seen ones ranked by (n_days, n_items).

    An item among k equals is at the mean of their places.
    """
    gains = np.zeros(len(counts))
    of_seen = counts[:, seen]
    for target in targets:
        own = counts[:, target, None]
        above = np.count_nonzero(counts > own, axis=1) - np.count_nonzero(of_seen > own, axis=1)
        near = np.flatnonzero(above < LENGTH)
        equal = np.count_nonzero(counts[near] == own[near], axis=1)
        equal -= np.count_nonzero(of_seen[near] == own[near], axis=1)
        places = above[near] + (equal - 1) / 2
        gains[near] += np.where(places < LENGTH, 1 / np.log2(places + 2), 0)
    best = np.sum(1 / np.log2(np.arange(2, min(len(targets), LENGTH) + 2)))
    ndcg: npt.NDArray[np.float64] = gains / best
    return ndcg

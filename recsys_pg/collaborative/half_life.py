"""How soon popularity halves: what is liked now by what was liked lately, in this catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from recsys_pg.collaborative.comparison import ndcg_of_users, users_at_once
from recsys_pg.collaborative.holdout import Holdout
from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.operators.operator import Floats
from recsys_pg.types import Progress

DEFAULT_DAYS = 30.0
"""Of an installation that nobody has changed, where training may choose."""

_DAYS = (1, 2, 4, 7, 14, 30, 60, 120, 250, 500, 1000, 2000, 4000)
_MOMENTS = 64
"""At which popularity is counted; who is asked between two of them is asked by the earlier one."""
_DAY = 86_400e6
_LEAST_GAIN = 0.01
"""Relative, in NDCG@20."""
_STANDARD_ERRORS = 2.0
"""Of the difference to the half-life in use: of a dozen, one is that much better by chance at times, and then
little is lost, as it is no worse."""

_KEY, _CHOSEN_KEY = "popularity.half_life_days", "popularity.chosen_half_life_days"
_CURRENT = "select key, (value #>> '{}')::double precision from recsys.settings where key in (%s, %s)"
_ADOPT = """
insert into recsys.settings (key, value, description) values
    (%(key)s, to_jsonb(%(days)s::double precision), ''),
    (%(chosen)s, to_jsonb(%(days)s::double precision),
        'What training chose popularity.half_life_days to be; another value of that is left alone.')
on conflict (key) do update set value = excluded.value
"""


@dataclass(frozen=True)
class HalfLife:
    """The half-life in days by which popularity foretells best what was held out, and the one in use.

    ndcg and ndcg_in_use are the mean NDCG@20 of what was popular when each user was asked. is_free says
    whether training may change it: nobody has set another than the default since, or than training did.
    """

    days: float
    ndcg: float
    days_in_use: float
    ndcg_in_use: float
    is_free: bool


def choose_half_life(
    connection: psycopg.Connection[Any], holdout: Holdout, progress: Progress
) -> HalfLife | None:
    """The best half-life; the one in use where no other is better beyond chance.

    None where nothing was held out, or times tell no order.
    """
    asked = np.flatnonzero(np.diff(holdout.targets.indptr))
    if not len(asked) or not holdout.learned.is_ordered:
        return None
    settings = dict(connection.execute(_CURRENT, (_KEY, _CHOSEN_KEY)).fetchall())
    in_use = float(settings[_KEY])
    is_free = in_use in (DEFAULT_DAYS, settings.get(_CHOSEN_KEY))
    days = np.array([in_use, *(each for each in _DAYS if each != in_use)])
    ndcg = _ndcg(days, holdout, asked, progress)
    best = int(np.argmax(ndcg.mean(axis=1)))
    more = ndcg[best] - ndcg[0]
    least = max(_LEAST_GAIN * ndcg[0].mean(), _STANDARD_ERRORS * more.std() / np.sqrt(len(asked)))
    if more.mean() <= least:
        best = 0
    means = ndcg.mean(axis=1)
    return HalfLife(float(days[best]), float(means[best]), in_use, float(means[0]), is_free)


def adopt(connection: psycopg.Connection[Any], half_life: HalfLife) -> None:
    """Make it the setting, unless somebody set another."""
    if half_life.is_free and half_life.days != half_life.days_in_use:
        connection.execute(_ADOPT, {"key": _KEY, "chosen": _CHOSEN_KEY, "days": half_life.days})


def _ndcg(
    days: npt.NDArray[np.float64], holdout: Holdout, asked: npt.NDArray[np.intp], progress: Progress
) -> npt.NDArray[np.float64]:
    """(n_days, n_asked) NDCG@20 of what was popular when a user was asked."""
    order = np.argsort(holdout.moments[asked], kind="stable")
    parts = [part for part in np.array_split(order, _MOMENTS) if len(part)]
    starts = [int(holdout.moments[asked[part[0]]]) for part in parts]
    found = np.zeros((len(days), len(asked)))
    batch = users_at_once(holdout.targets.shape[1])
    done = 0
    for part, counts in zip(parts, _counts(holdout.learned, starts, days), strict=True):
        for start in range(0, len(part), batch):
            places = np.sort(part[start : start + batch])
            users = asked[places]
            for number, of_items in enumerate(counts):
                scores = np.tile(of_items, (len(users), 1))
                found[number, places] = ndcg_of_users(scores, holdout.seen[users], holdout.targets[users])
        done += len(part)
        progress("weigh the age of likes", done, len(asked))
    return found


def _counts(log: InteractionLog, moments: list[int], days: npt.NDArray[np.float64]) -> Iterator[Floats]:
    """(n_days, n_items) at each of the moments, ascending, the likes until then, halved as they aged."""
    liked = np.flatnonzero(log.weights > 0)
    liked = liked[np.argsort(log.times[liked], kind="stable")]
    times = log.times[liked]
    counts = np.zeros((len(days), len(log.item_ids)))
    until = 0
    at = moments[0]
    for moment in moments:
        counts *= np.exp2((at - moment) / _DAY / days)[:, None]
        to = int(np.searchsorted(times, moment))
        new = liked[until:to]
        ages = (moment - times[until:to]) / _DAY
        for number, half_life in enumerate(days):
            counts[number] += np.bincount(
                log.items[new], log.weights[new] * np.exp2(-ages / half_life), len(log.item_ids)
            )
        at, until = moment, to
        yield counts.astype(np.float32)

"""Settings that choose between ways to the same answer: the number of rows where the other gets faster."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from recsys_pg.calibration.trial import ALL, WORTH, N, Search, SearchSettings, Trial
from recsys_pg.types import Progress

LEAST_EXACT = 100
MOST_EXACT = 50_000
"""Filters that more items pass are not searched exactly, however fast that was measured to be."""

_ROUNDS = 3


@dataclass(frozen=True)
class Race:
    """The time that a search takes under a limit of at least these rows, and under a lower one."""

    rows: int
    milliseconds: float
    milliseconds_else: float


def fit_limits(
    trial: Trial, settings: SearchSettings, filtered: Sequence[Search], progress: Progress
) -> tuple[tuple[int, str], tuple[int, str]]:
    """search.exact_limit and search.scan_limit, each with why: searches take the least time with them."""
    ways = {
        "exact": replace(settings, exact_limit=ALL),
        "scan": replace(settings, exact_limit=0, scan_limit=ALL),
        "walk": replace(settings, exact_limit=0, scan_limit=0),
    }
    narrow = [search for search in filtered if search.rows_passing <= MOST_EXACT]
    items = trial.count_items()
    fastest: dict[tuple[str, Search], float] = {}
    for done in range(_ROUNDS * len(ways)):
        progress("Limits", done, _ROUNDS * len(ways))
        way = list(ways)[done % len(ways)]
        searches = narrow if way == "exact" else filtered
        for search, outcome in zip(searches, trial.run(searches, ways[way]), strict=True):
            if outcome.strategy != "partial_index":  # it tells nothing of the index of all
                fastest[way, search] = min(fastest.get((way, search), ALL), outcome.milliseconds)
    progress("Limits", _ROUNDS * len(ways), _ROUNDS * len(ways))

    scan_limit, why_scan = least_time(
        [
            Race(
                search.rows_passing * 1000 // _breadth(search, settings, items),
                fastest["scan", search],
                fastest["walk", search],
            )
            for search in filtered
            if ("scan", search) in fastest and ("walk", search) in fastest
        ],
        settings.scan_limit,
    )
    exact_limit, why_exact = least_time(
        [
            Race(
                search.rows_passing,
                fastest["exact", search],
                fastest["scan", search],
            )
            for search in narrow
            if ("exact", search) in fastest and ("scan", search) in fastest
        ],
        settings.exact_limit,
    )
    exact_limit = max(LEAST_EXACT, min(MOST_EXACT, exact_limit))
    return (exact_limit, why_exact), (max(exact_limit, scan_limit), why_scan)


def _breadth(search: Search, settings: SearchSettings, items: int) -> int:
    """How broad a walk is for a search: recsys_api._search compares 1/1000 of it, times search.scan_limit."""
    needed = math.ceil(1.5 * N * items / max(1, search.rows_passing))
    return min(1000, max(settings.ef_search, 6 * needed))


def least_time(races: Sequence[Race], current: int) -> tuple[int, str]:
    """The limit with which the searches take the least time together, to two digits, and the reason."""
    if not races:
        return current, "not measured: no filter could be made"

    def total(limit: int) -> float:
        return sum(race.milliseconds if race.rows <= limit else race.milliseconds_else for race in races)

    best = min((_two_digits(race.rows) for race in races), key=total)
    now, then = (f"{total(limit) / len(races):.2f} ms" for limit in (current, best))
    if total(best) >= (1 - WORTH) * total(current):
        return current, f"{now} a search, {then} with {best:,}: kept"
    return best, f"{then} a search, {now} with {current:,}"


def _two_digits(number: int) -> int:
    """The number, rounded up to two digits."""
    unit = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // unit) * unit

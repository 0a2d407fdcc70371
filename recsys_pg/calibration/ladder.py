"""Settings that buy recall with time: the smallest value that reaches the recall asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from recsys_pg.calibration.trial import ALL, WORTH, WORTH_MILLISECONDS, Outcome, Search, SearchSettings, Trial
from recsys_pg.types import Progress

BREADTHS = (40, 60, 100, 150, 200, 300, 400, 600, 800, 1000)
DEPTHS = (100, 150, 200, 300, 400, 600, 800, 1200, 1600)

_FEW = 1000
"""Of filters that at most so many items pass, exact search is as fast as any, so they say nothing here."""


@dataclass(frozen=True)
class Ladder:
    """Values to try, in rising order, until one reaches the target; what to do when none does."""

    phase: str
    values: Sequence[int]
    target: float
    remedy: str


def fit_breadth(
    trial: Trial, settings: SearchSettings, unfiltered: Sequence[Search], target: float, progress: Progress
) -> tuple[int, str]:
    """search.ef_search, and why: walks without a filter are to reach the recall.

    Walks that a filter cuts are made broader in proportion.
    """

    def measure(value: int) -> list[Outcome]:
        return trial.run(unfiltered, replace(settings, ef_search=value))

    ladder = Ladder("Breadth of walks", BREADTHS, target, "rebuild items_embedding_idx with a larger m")
    return climb(ladder, settings.ef_search, measure, progress)


def fit_depth(
    trial: Trial, settings: SearchSettings, filtered: Sequence[Search], target: float, progress: Progress
) -> tuple[int, str]:
    """search.rerank, and why: scans of codes are to reach the recall."""
    scanning = replace(settings, exact_limit=0, scan_limit=ALL)
    wide = [search for search in filtered if search.rows_passing > _FEW]

    def measure(value: int) -> list[Outcome]:
        outcomes = trial.run(wide, replace(scanning, rerank=value))
        return [outcome for outcome in outcomes if outcome.strategy == "code_scan"]

    ladder = Ladder("Vectors after a scan", DEPTHS, target, "the codes do not tell these vectors apart")
    return climb(ladder, settings.rerank, measure, progress)


def climb(
    ladder: Ladder, current: int, measure: Callable[[int], list[Outcome]], progress: Progress
) -> tuple[int, str]:
    """The first value that reaches the recall, the last if none does, and what was measured.

    A greater value that costs no more is kept: it will still do when the catalogue has grown.
    """
    seen: dict[int, list[Outcome]] = {}
    for done, value in enumerate(ladder.values):
        progress(ladder.phase, done, len(ladder.values))
        seen[value] = measure(value)
        if not seen[value] or _recall(seen[value]) >= ladder.target:
            break
    progress(ladder.phase, len(ladder.values), len(ladder.values))
    if not seen[value]:
        return current, f"not measured: no filter lets more than {_FEW:,} items pass"
    reason = _described(seen[value])
    if _recall(seen[value]) < ladder.target:
        reason += f", still below {ladder.target:g}: {ladder.remedy}"
    if value == current:
        return value, reason
    now = seen.get(current) or measure(current)
    saved = _time(now) - _time(seen[value])
    is_worth_it = saved > max(WORTH * _time(now), WORTH_MILLISECONDS)
    if value < current and _recall(now) >= ladder.target and not is_worth_it:
        return current, f"{_described(now)}, {reason} with {value:,}: kept"
    return value, f"{reason}; {_described(now)} with {current:,}"


def _recall(outcomes: Sequence[Outcome]) -> float:
    return fmean(outcome.recall for outcome in outcomes)


def _time(outcomes: Sequence[Outcome]) -> float:
    return fmean(outcome.milliseconds for outcome in outcomes)


def _described(outcomes: Sequence[Outcome]) -> str:
    return f"recall {_recall(outcomes):.4f} in {_time(outcomes):.1f} ms"

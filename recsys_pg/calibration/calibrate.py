"""The settings of vector search that fit the data and the machine, measured by running searches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from recsys_pg.calibration.ladder import fit_breadth, fit_depth
from recsys_pg.calibration.limits import fit_limits
from recsys_pg.calibration.trial import Search, Trial, trial
from recsys_pg.db import translated_errors
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import Progress, unheard


@dataclass(frozen=True)
class CalibratedSetting:
    """A setting as it was and as it was measured to be best, and why; the same when it stays."""

    key: str
    before: int
    after: int
    reason: str


def calibrate(
    engine: sa.Engine,
    *,
    recall: float = 0.995,
    searches: int = 200,
    dry_run: bool = False,
    progress: Progress = unheard,
) -> list[CalibratedSetting]:
    """Measure the settings of vector search on this database, and write those that change.

    All is measured in one transaction that is rolled back; what was found is written in a second one, at the
    end. So nobody sees another setting meanwhile, and a run that is interrupted leaves nothing behind.

    Args:
        recall: what search.ef_search and search.rerank are to reach, the mean of searches for 10 items.
        searches: how many are made without a filter, and again as many with one; each costs an exact scan.
        dry_run: write nothing.

    Raises:
        InvalidArgumentError: an argument is out of range, or no item has an embedding.
        DatabaseError: another process calibrates.
        ReadOnlyDatabaseError, PermissionDeniedError: the settings cannot be written.
    """
    if not 0.5 <= recall <= 1:
        raise InvalidArgumentError(f"recall is {recall:g}, not between 0.5 and 1.", "The default is 0.995.")
    if not 20 <= searches <= 2000:
        raise InvalidArgumentError(f"searches is {searches}, not between 20 and 2000.", "The default is 200.")
    with trial(engine) as running:
        before = running.settings
        unfiltered, filtered = _searches(running, searches, progress)
        breadth, why_breadth = fit_breadth(running, before, unfiltered, recall, progress)
        broad = replace(before, ef_search=breadth)
        depth, why_depth = fit_depth(running, broad, filtered, recall, progress)
        deep = replace(broad, rerank=depth)
        (exact_limit, why_exact), (scan_limit, why_scan) = fit_limits(running, deep, filtered, progress)
    calibrated = [
        CalibratedSetting("search.ef_search", before.ef_search, breadth, why_breadth),
        CalibratedSetting("search.rerank", before.rerank, depth, why_depth),
        CalibratedSetting("search.exact_limit", before.exact_limit, exact_limit, why_exact),
        CalibratedSetting("search.scan_limit", before.scan_limit, scan_limit, why_scan),
    ]
    if not dry_run:
        _write(engine, calibrated)
    return calibrated


def _searches(running: Trial, number: int, progress: Progress) -> tuple[list[Search], list[Search]]:
    """Searches without a filter, and those with filters that from 300 items to nearly all pass."""
    items = running.count_items()
    if not items:
        raise InvalidArgumentError(
            "No item has an embedding, so there is no search to measure.",
            "Embed the catalogue: recsys-pg worker --once.",
        )
    least = min(0.5, 300 / items)
    shares = [1.0] * number + [0.9 * (least / 0.9) ** (place / number) for place in range(number)]
    made: list[Search] = []
    for search in running.searches(shares):
        progress("Exact answers", len(made), len(shares))
        made.append(search)
    progress("Exact answers", len(shares), len(shares))
    return made[:number], made[number:]


def _write(engine: sa.Engine, calibrated: Sequence[CalibratedSetting]) -> None:
    statement = sa.text(
        "update recsys.settings set value = to_jsonb(cast(:after as integer)) where key = :key"
    )
    with translated_errors(), engine.begin() as connection:
        for setting in calibrated:
            if setting.after != setting.before:
                connection.execute(statement, {"after": setting.after, "key": setting.key})

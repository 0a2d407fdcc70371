"""Check of the recall of vector search, from the last run of recsys_api.check_recall."""

from collections.abc import Iterator

import sqlalchemy as sa

from recsys_pg.calibration import GOOD_RECALL
from recsys_pg.cli.checks.check import Finding

_REMEDY = (
    "Run: recsys-pg calibrate, then recsys-pg recall. If that is not enough, raise search.ef_search in"
    " recsys.settings, or see recsys-pg indexes for the filters."
)


def recall(connection: sa.Connection) -> Iterator[Finding]:
    """The last check found nearly all, whatever share of the items passed the filter."""
    bands = connection.execute(
        sa.text(
            "select band, min(checked_at), sum(searches * recall) / sum(searches), sum(rows_missing)"
            " from recsys_report.recall_checks where is_latest group by band order by 3, band"
        )
    ).all()
    if not bands:
        yield Finding("ok", "Not checked yet; recsys-pg recall compares searches with exact scans.")
        return
    day = f"{bands[0][1]:%Y-%m-%d}"
    missing = sum(rows for *_, rows in bands)
    if missing:
        yield Finding(
            "warn",
            f"Searches returned {missing:,} rows too few on {day}, though more items passed their filters.",
            "Run: recsys-pg recall. If it stays so: reindex index concurrently recsys.items_embedding_idx.",
        )
    poor = [f"{found:.3f} where {band} of items pass" for band, _, found, _ in bands if found < GOOD_RECALL]
    if poor:
        message = f"The recall of searches was below {GOOD_RECALL} on {day}: {'; '.join(poor)}."
        yield Finding("warn", message, _REMEDY)
    if not missing and not poor:
        yield Finding("ok", f"At least {bands[0][2]:.3f} in every band on {day}.")

"""The commands around the quality of vector search: recall, calibrate."""

from dataclasses import asdict
from typing import Annotated

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table
from recsys_pg.cli.progress import progress_bars, waiting


def recall(
    context: typer.Context,
    *,
    sample: Annotated[int, typer.Option(min=1, max=10_000, help="Searches to run.")] = 200,
    n: Annotated[int, typer.Option("-n", min=1, max=1000, help="Length of the lists.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Check on your own data that searches find what an exact scan finds, whatever the filter.

    Runs recsys_api.check_recall: searches with items of the catalogue as queries, without a filter, with
    filters that searches really used, and with made ones that from few items to nearly all pass. A row is a
    band of filters, by the share of the items that pass, and a way of searching. The result is kept, in
    recsys_report.recall_checks, and recsys-pg doctor looks at it. Each search costs a scan of all items.

    \b
    Examples:
      recsys-pg recall
      recsys-pg recall --sample 1000 -n 50 --json
    """
    from recsys_pg.calibration import GOOD_RECALL, check_recall

    with connected_to_schema(context) as engine, waiting("Comparing searches with exact scans"):
        rows = check_recall(engine, sample=sample, n=n)
    if as_json:
        print_json(rows)
        return
    print_table(
        [
            Column("items that pass", [row.band for row in rows]),
            Column("strategy", [row.strategy for row in rows]),
            Column("searches", [f"{row.searches:,}" for row in rows], right=True),
            Column("recall", [f"{row.recall:.4f}" for row in rows], right=True),
            Column("worst", [f"{row.worst_recall:.2f}" for row in rows], right=True),
            Column("rows missing", [f"{row.rows_missing:,}" for row in rows], right=True),
            Column("ms", [f"{row.milliseconds:.1f}" for row in rows], right=True),
        ]
    )
    if any(row.recall < GOOD_RECALL or row.rows_missing for row in rows):
        print_line("Not all is found. See: recsys-pg doctor.")


def calibrate(
    context: typer.Context,
    *,
    target: Annotated[
        float, typer.Option("--recall", min=0.5, max=1.0, help="The mean recall that searches are to reach.")
    ] = 0.995,
    searches: Annotated[
        int, typer.Option(min=20, max=2000, help="Searches without a filter, and as many with one.")
    ] = 200,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the settings of vector search on this database, and store those that fit.

    search.ef_search and search.rerank become the smallest values that reach the recall asked for,
    search.exact_limit and search.scan_limit those with which searches take the least time. Run it when the
    catalogue is in, after it has grown a lot, and on a new machine, at a quiet hour. While it measures,
    others search with the settings as they were, and an interrupted run changes nothing.

    \b
    Examples:
      recsys-pg calibrate --dry-run
      recsys-pg calibrate --recall 0.999
    """
    from recsys_pg.calibration import calibrate as fit_settings

    with connected_to_schema(context) as engine, progress_bars() as progress:
        rows = fit_settings(engine, recall=target, searches=searches, dry_run=dry_run, progress=progress)
    if as_json:
        print_json({"settings": [asdict(row) for row in rows], "is_written": not dry_run})
        return
    print_table(
        [
            Column("setting", [row.key for row in rows]),
            Column("before", [f"{row.before:,}" for row in rows], right=True),
            Column("after", [f"{row.after:,}" for row in rows], right=True),
            Column("measured", [row.reason for row in rows], shrinks=True),
        ]
    )
    if dry_run:
        print_line("Nothing was written.")

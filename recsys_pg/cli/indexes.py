"""The commands around partial vector indexes: indexes, indexes build, indexes drop."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table
from recsys_pg.cli.progress import progress_bars, waiting
from recsys_pg.errors import InvalidArgumentError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from recsys_pg.indexes import Advice, IndexCondition, Sample, SearchIndex

indexes = typer.Typer(invoke_without_command=True)


@indexes.callback()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """List the partial indexes and propose new ones, from a sample of the filters that searches really used.

    An index over the items of one category, with some tags or attributes, or that pass a rule makes searches
    with that filter as fast as those without one. It takes disk and memory, and makes writing an item's
    embedding slower. Nothing is built unless you say so. Price and stock, which change often, never are in an
    index, nor is what few items pass (up to 9,000: search without one is as fast) or more than half of them.

    One filtered search in a hundred is sampled on the primary (the setting search.sample_share); the latest
    10,000 are kept. How often an index was used counts this server alone, not its replicas, and recsys-pg's
    own measurements too.

    \b
    Examples:
      recsys-pg indexes
      recsys-pg indexes build --all
      recsys-pg indexes build items_embedding_1a2b3c4d_idx
      recsys-pg indexes drop items_embedding_1a2b3c4d_idx
    """
    if context.invoked_subcommand is not None:
        return
    from recsys_pg.indexes import advise, foreign_invalid_indexes, listing, read_sample

    with connected_to_schema(context) as engine:
        existing = listing(engine)
        foreign = foreign_invalid_indexes(engine)
        sample = read_sample(engine)
        with waiting("Looking at the filters of past searches"):
            advice = advise(engine)
    if as_json:
        print_json(
            {
                "indexes": [_plain(index) for index in existing],
                "advice": [_plain(each) for each in advice],
                "sample": sample,
                "foreign_invalid_indexes": foreign,
            }
        )
        return
    if existing:
        _print_indexes(existing)
    else:
        print_line("No partial index was built yet.")
    for name in foreign:
        print_line(f"{name} is invalid and not ours: drop it, or run: reindex index concurrently {name}")
    print_line()
    _print_advice(advice, sample)


@indexes.command()
def build(
    context: typer.Context,
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Proposed indexes, or ones whose build was interrupted."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All that are proposed and all that were interrupted.")
    ] = False,
    memory_mb: Annotated[
        int | None,
        typer.Option(
            "--memory",
            metavar="MB",
            min=1,
            help="maintenance_work_mem of the build. Left out: what the index needs, up to 2048.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Parallel workers. Left out: as the server is set."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build proposed indexes one after the other, while reads and writes go on.

    It may be interrupted: the next run drops what was left behind and completes it. It waits for transactions
    that began before it, however long they last. Run it as the owner of the tables, connected to the server
    itself and not through a transaction-pooling proxy.

    \b
    Examples:
      recsys-pg indexes build --all
      recsys-pg indexes build items_embedding_1a2b3c4d_idx --memory 2000 --workers 4
    """
    from recsys_pg.indexes import build as build_indexes

    if bool(names) == every:
        raise typer.BadParameter("Name the indexes to build, or pass --all, and not both.")
    with connected_to_schema(context) as engine:
        conditions = _conditions(engine, names)
        if every and conditions and not as_json:
            print_line(f"To be built: {'; '.join(map(str, conditions))}.")
        with progress_bars() as progress:
            built = build_indexes(engine, conditions, memory_mb=memory_mb, workers=workers, progress=progress)
    if as_json:
        print_json([_plain(index) for index in built])
    elif not built:
        print_line("Nothing to build: no index is proposed, and no build was interrupted.")
    else:
        _print_indexes(built)


@indexes.command()
def drop(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As recsys-pg indexes lists them.")],
) -> None:
    """Drop partial indexes, while reads and writes go on. Searches then find their answers without them.

    \b
    Example:
      recsys-pg indexes drop items_embedding_1a2b3c4d_idx
    """
    from recsys_pg.indexes import drop as drop_index

    with connected_to_schema(context) as engine:
        for name in names:
            drop_index(engine, name)
            print_line(f"Dropped {name}.")


def _conditions(engine: "sa.Engine", names: Sequence[str] | None) -> "list[IndexCondition]":
    """The conditions of the named indexes, in that order; of all that there is to build without names."""
    from recsys_pg.indexes import advise, listing

    unfinished = {each.index_name: each.condition for each in listing(engine) if each.verdict == "build"}
    if names and unfinished.keys() >= set(names):
        return [unfinished[name] for name in names]
    known = unfinished | {each.index_name: each.condition for each in advise(engine)}
    for name in names or ():
        if name not in known:
            raise InvalidArgumentError(
                f"No index {name!r} is proposed or was interrupted.",
                f"To be built are: {', '.join(known)}." if known else "There is none to build.",
            )
    return [known[name] for name in names or known]


def _print_indexes(rows: "Sequence[SearchIndex]") -> None:
    print_table(
        [
            Column("index", [row.index_name for row in rows]),
            Column("items with", [str(row.condition) for row in rows], shrinks=True),
            Column("rows", ["" if row.rows is None else f"{row.rows:,}" for row in rows], right=True),
            Column("size", [f"{row.size_bytes / 1e6:,.0f} MB" for row in rows], right=True),
            Column("used", [f"{row.scans:,}" for row in rows], right=True),
            Column("verdict", [f"{row.verdict}: {row.reason}" for row in rows]),
        ]
    )


def _print_advice(rows: "Sequence[Advice]", sample: "Sample") -> None:
    if not sample.samples:
        print_line("No filtered search was sampled yet: nothing to propose.")
        return
    print_line(_of_the_sample(sample.samples, sample.since))
    if not rows:
        print_line("No further index would be worth its room.")
        return
    print_table(
        [
            Column("proposed", [row.index_name for row in rows]),
            Column("items with", [str(row.condition) for row in rows], shrinks=True),
            Column("rows", [f"{row.rows:,}" for row in rows], right=True),
            Column("searches/day", [f"{row.searches_a_day:,.0f}" for row in rows], right=True),
            Column(
                "ms each",
                [f"{row.milliseconds_now:.1f} → {row.milliseconds_then:.1f}" for row in rows],
                right=True,
            ),
            Column("saved/day", [f"{row.seconds_saved_a_day:,.0f} s" for row in rows], right=True),
            Column("size", [f"{row.size_bytes / 1e6:,.0f} MB" for row in rows], right=True),
            Column("build", [f"{row.build_seconds:,.0f} s" for row in rows], right=True),
        ]
    )
    print_line("To build them: recsys-pg indexes build --all, or build NAME.")


def _of_the_sample(samples: int, since: datetime | None) -> str:
    return f"From {samples:,} sampled searches since {since:%Y-%m-%d %H:%M}." if since else ""


def _plain(row: "Advice | SearchIndex") -> dict[str, Any]:
    """A row for JSON, with the condition for people beside its parts."""
    return asdict(row) | {"describes": str(row.condition)}

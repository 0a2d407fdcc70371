"""The commands that list items: similar, recommend, popular."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from recsys_pg.cli.controls import ControlOptions, with_control_options
from recsys_pg.cli.database import connected
from recsys_pg.cli.filters import FilterOptions, with_filter_options
from recsys_pg.cli.output import AsJson, print_items, print_json, print_line
from recsys_pg.types import Contribution, Method

Number = Annotated[int, typer.Option("-n", metavar="N", min=1, max=1000, help="How many to list.")]

_CONTRIBUTIONS_SHOWN = 3


@with_filter_options
def similar(
    context: typer.Context,
    chosen: FilterOptions,
    item: Annotated[
        str,
        typer.Argument(metavar="ITEM", help="An id, a title, or a part of a title that only one item has."),
    ],
    *,
    n: Number = 10,
    as_json: AsJson = False,
) -> None:
    """List items like one: liked by the same people, or similar in content.

    \b
    Examples:
      recsys-pg similar "The Matrix"
      recsys-pg similar 300 -n 5 --category Drama --in-stock
    """
    from recsys_pg.cli.lookup import find_item
    from recsys_pg.unit_of_work import UnitOfWork

    with connected(context) as engine, UnitOfWork(engine) as work:
        found = find_item(work.items, item, external=chosen.external)
        heading = f'Like "{found.title}" (item {found.id}):'
        rows = work.recommender.similar_items(found.id, n, filter=chosen.item_filter(work.items))
    if as_json:
        print_json(rows)
        return
    print_line(heading)
    print_items(rows)


@with_filter_options
@with_control_options
def recommend(
    context: typer.Context,
    chosen: FilterOptions,
    controls: ControlOptions,
    user: Annotated[
        str,
        typer.Argument(
            metavar="USER", help="The id of a user, or with --external the application's own key."
        ),
    ],
    *,
    n: Number = 10,
    method: Annotated[
        Method | None,
        typer.Option(help="How to rank: all together (hybrid, the default), or one part alone."),
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="List also what the user has bought, liked or rated.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how much each past item adds to a score.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what to show to a user next, and why.

    \b
    Examples:
      recsys-pg recommend 42
      recsys-pg recommend 42 -n 5 --category Drama --in-stock --explain
      recsys-pg recommend customer-17 --external --json
      recsys-pg recommend 42 --scenario home --diversity 0.3
    """
    from recsys_pg.cli.lookup import find_user_id
    from recsys_pg.unit_of_work import UnitOfWork

    if explain and method not in (None, "hybrid"):
        raise typer.BadParameter(
            f"it explains the score of method hybrid, not of {method}.", param_hint="'--explain'"
        )
    with connected(context) as engine, UnitOfWork(engine) as work:
        user_id = find_user_id(work.users, user, external=chosen.external)
        rows = work.recommender.for_user(
            user_id,
            n,
            filter=chosen.item_filter(work.items),
            exclude_seen=False if include_seen else None,
            method=method,
            diversity=controls.diversity,
            scenario=controls.scenario,
            max_per_category=controls.max_per_category,
            popularity_damping=controls.popularity_damping,
            rotation=controls.rotation,
            rotation_half_life=controls.half_life(),
            new_item_share=controls.new_item_share,
            shown_item_ids=controls.shown_item_ids(work.items, external=chosen.external),
        )
        explained = [
            work.recommender.explain(
                user_id,
                row.item_id,
                scenario=controls.scenario,
                popularity_damping=controls.popularity_damping,
                rotation=controls.rotation,
                rotation_half_life=controls.half_life(),
            )
            for row in (rows if explain else ())
        ]
    if as_json and explain:
        print_json(
            [asdict(row) | {"contributions": parts} for row, parts in zip(rows, explained, strict=True)]
        )
    elif as_json:
        print_json(rows)
    else:
        print_line(f"For user {user}:")
        print_items(rows)
        if explain:
            print_line()
        for row, parts in zip(rows, explained, strict=False):
            print_line(f"{row.rank:>3}. {row.title}: {_sum(parts)}")


@with_filter_options
def popular(
    context: typer.Context,
    chosen: FilterOptions,
    *,
    n: Number = 10,
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            help="Count only interactions from this time on, in UTC.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the most popular items; recent interactions count more.

    \b
    Examples:
      recsys-pg popular --in-stock
      recsys-pg popular --since 2026-01-01 --category Comedy
    """
    from recsys_pg.unit_of_work import UnitOfWork

    with connected(context) as engine, UnitOfWork(engine) as work:
        rows = work.recommender.popular(
            n, filter=chosen.item_filter(work.items), since=since.replace(tzinfo=UTC) if since else None
        )
    if as_json:
        print_json(rows)
    else:
        print_items(rows)


def _sum(parts: Sequence[Contribution]) -> str:
    """A score as the sum that it is: the largest terms, and what the others add."""
    if not parts:
        return "nothing in the history speaks of it"
    largest = sorted(parts, key=lambda part: -abs(part.contribution))
    terms = [f"{part.contribution:+.3f} {part.title}" for part in largest[:_CONTRIBUTIONS_SHOWN]]
    others = largest[_CONTRIBUTIONS_SHOWN:]
    if others:
        terms.append(f"{sum(part.contribution for part in others):+.3f} from {len(others)} more")
    return ", ".join(terms)

"""The command train."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from recsys_pg.cli.checkpoint_folder import default_checkpoint_dir
from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.model import compared, term_shares
from recsys_pg.cli.output import AsJson, print_json, print_line
from recsys_pg.cli.progress import progress_bars, waiting
from recsys_pg.cli.training_plan import print_plan

if TYPE_CHECKING:
    from recsys_pg.collaborative import TrainReport


def train(
    context: typer.Context,
    *,
    algorithm: Annotated[
        Literal["auto", "ease", "cosine"],
        typer.Option(
            help="cosine takes any number of items, ease 20,000; auto: the better one by held-out likes."
        ),
    ] = "auto",
    neighbors: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="Neighbors kept for an item.")
    ] = 100,
    memory_gb: Annotated[
        float | None,
        typer.Option(metavar="GB", min=0.1, help="Memory that training may use.  [default: half of all]"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Use the new model even if it is worse than the active one.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Of what is drawn at random.")] = 0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be learned and what it would take; learn nothing."),
    ] = False,
    checkpoint_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where what is learned is kept, so that training goes on where it was killed."
            "  [default: in the user's cache]",
            file_okay=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn from the interactions what goes together and what comes next, and serve that from now on.

    Learns several models, chooses their best sum by the latest likes of each user, which are held out, and
    writes it beside the model in use. Switches in one transaction, unless the new one is worse for what was
    liked since; then renews popularity and the users' tastes. Needs the extra train. Schedule it, for example
    nightly. --algorithm and --neighbors are of the item graph that the method item_based uses. A training
    that was killed is resumed by the same command, within a day.

    \b
    Examples:
      recsys-pg train
      recsys-pg train --dry-run
      recsys-pg train --memory-gb 12 --json
    """
    from recsys_pg.collaborative import plan_training
    from recsys_pg.collaborative import train as train_item_graph

    if dry_run:
        with connected_to_schema(context) as engine, waiting("Counting …"):
            plan = plan_training(engine, algorithm=algorithm, neighbors=neighbors, memory_gb=memory_gb)
        if as_json:
            print_json(plan)
        else:
            print_plan(plan)
        return
    with connected_to_schema(context) as engine, progress_bars() as progress:
        report = train_item_graph(
            engine,
            algorithm=algorithm,
            neighbors=neighbors,
            memory_gb=memory_gb,
            force=force,
            seed=seed,
            checkpoint_dir=checkpoint_dir or default_checkpoint_dir(engine),
            progress=progress,
        )
    if as_json:
        print_json(report)
    else:
        print_line(_summary(report))


def _summary(report: "TrainReport") -> str:
    resumed = [f"Resumed from {', '.join(report.resumed)}."] if report.resumed else []
    if report.model_id is None:
        return report.message
    parts = [
        *resumed,
        f"Learned in {report.seconds:.1f} s from {report.interactions:,} likes of {report.users:,} users"
        f" and {report.items:,} items.",
    ]
    if report.terms:
        shares = term_shares([asdict(term) for term in report.terms])
        names = [term.operator for term in report.terms]
        added = ", ".join(
            f"{term.operator}{f' at a decay of {term.decay:g}' if names.count(term.operator) > 1 else ''}"
            f" ({share})"
            for term, share in zip(report.terms, shares, strict=True)
        )
        parts.append(f"The hybrid adds up {added}{_reached(report)}.")
    parts.append(report.message)
    parts += _half_life(report)
    if report.comparison:
        parts.append(compared(**asdict(report.comparison)))
    parts.append(
        f"Model {report.model_id} is active."
        if report.is_active
        else f"So the old model stays; switch with: recsys-pg model activate {report.model_id}."
    )
    return " ".join(parts)


def _reached(report: "TrainReport") -> str:
    from recsys_pg.collaborative.comparison import LEAST_USERS

    if report.ndcg is None:
        return ""
    few = ", too few to say much" if report.held_out_users < LEAST_USERS else ""
    return f", NDCG@20 {report.ndcg:.4f} on the held-out likes of {report.held_out_users:,} users{few}"


def _half_life(report: "TrainReport") -> list[str]:
    chosen = report.half_life
    if chosen is None or chosen.days == chosen.days_in_use:
        return []
    found = (
        f"What is popular foretells held-out likes best if it halves in {chosen.days:g} days: NDCG@20"
        f" {chosen.ndcg:.4f} against {chosen.ndcg_in_use:.4f} at {chosen.days_in_use:g},"
    )
    if chosen.is_adopted:
        return [f"{found} so that is the setting now."]
    return [f"{found} which somebody has set: see popularity.half_life_days in recsys.settings."]

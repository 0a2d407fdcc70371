"""The command train."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, print_json, print_line
from recsys_pg.cli.progress import progress_bars

if TYPE_CHECKING:
    from recsys_pg.collaborative import TrainReport


def train(
    context: typer.Context,
    *,
    algorithm: Annotated[
        Literal["auto", "ease", "cosine"],
        typer.Option(help="ease predicts best; cosine takes any number of items; auto: ease where it fits."),
    ] = "auto",
    neighbors: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="Neighbors kept for an item.")
    ] = 100,
    memory_gb: Annotated[
        float, typer.Option(metavar="GB", min=0.1, help="Memory that training may use.")
    ] = 4.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of what is drawn at random.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn from the interactions which items go together, and serve that from now on.

    Reads all interactions, writes a new item graph beside the one in use and switches in one transaction;
    then renews popularity and the users' tastes. Needs the extra train. Schedule it, for example nightly.

    \b
    Examples:
      recsys-pg train
      recsys-pg train --algorithm cosine --neighbors 200 --json
    """
    from recsys_pg.collaborative import train as train_item_graph

    with connected_to_schema(context) as engine, progress_bars() as progress:
        report = train_item_graph(
            engine,
            algorithm=algorithm,
            neighbors=neighbors,
            memory_gb=memory_gb,
            seed=seed,
            progress=progress,
        )
    if as_json:
        print_json(report)
    else:
        print_line(_summary(report))


def _summary(report: "TrainReport") -> str:
    if report.model_id is None:
        return report.message
    return (
        f"Learned in {report.seconds:.1f} s from {report.interactions:,} likes of {report.users:,} users"
        f" and {report.items:,} items. {report.neighbors_written:,} items have neighbors now."
        f" {report.message}"
    )

"""The commands for scenarios: scenarios, scenarios define, scenarios show, scenarios drop."""

from pathlib import Path
from typing import Annotated

import typer

from recsys_pg.cli.database import connected
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table

scenarios = typer.Typer(invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="Lower-case letters, digits and underscores, a letter first.")]


@scenarios.callback()
def show_all(context: typer.Context, as_json: AsJson = False) -> None:
    """List the scenarios, stored controls of a list for --scenario and for SQL.

    \b
    Examples:
      recsys-pg scenarios
      recsys-pg scenarios define home home.toml
      recsys-pg scenarios show home
      recsys-pg scenarios drop home
    """
    if context.invoked_subcommand is not None:
        return
    from recsys_pg.cli.scenario_file import summary
    from recsys_pg.unit_of_work import UnitOfWork

    with connected(context) as engine, UnitOfWork(engine) as work:
        found = {name: work.scenarios.get(name) for name in work.scenarios.names()}
    if as_json:
        print_json(found)
    elif found:
        print_table(
            [
                Column("name", list(found)),
                Column("says", [summary(scenario) for scenario in found.values()], shrinks=True),
            ]
        )
    else:
        print_line("No scenario is defined: recsys-pg scenarios define --help shows how.")


@scenarios.command()
def define(
    context: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(help="A TOML file, as recsys-pg scenarios show prints it.")],
    as_json: AsJson = False,
) -> None:
    """Save a scenario from a TOML file, or replace it. All that the file leaves out is left to the call.

    \b
    Such a file:
      diversity = 0.2
      max_per_category = 4
      rotation = 0.8
      rotation_half_life_hours = 24
      \\[filter]
      in_stock = true
      \\[\\[boosts]]
      factor = 1.5
      filter = { tags = ["sale"] }
      \\[\\[pins]]
      item_id = 50
      place = 2

    A pin may name its item by external_id = "SKU-4711" instead.
    """
    from recsys_pg.cli.scenario_file import read, summary
    from recsys_pg.unit_of_work import UnitOfWork

    with connected(context) as engine, UnitOfWork(engine) as work:
        scenario = read(file, lambda external_id: work.items.by_external_id(external_id).id)
        work.scenarios.define(name, scenario)
    if as_json:
        print_json({"name": name, "scenario": scenario})
    else:
        print_line(f"Scenario {name}: {summary(scenario)}")


@scenarios.command()
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Print a scenario as the TOML file that defines it.

    \b
    Example:
      recsys-pg scenarios show home > home.toml
    """
    from recsys_pg.cli.scenario_file import written
    from recsys_pg.unit_of_work import UnitOfWork

    with connected(context) as engine, UnitOfWork(engine) as work:
        scenario = work.scenarios.get(name)
        pinned = [work.items.get(pin.item_id) for pin in scenario.pins]
        keys = {item.id: item.external_id for item in pinned if item.external_id is not None}
    if as_json:
        print_json(scenario)
    else:
        print(written(scenario, keys), end="")


@scenarios.command()
def drop(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Remove a scenario; calls that name it fail from then on.

    \b
    Example:
      recsys-pg scenarios drop home
    """
    from recsys_pg.unit_of_work import UnitOfWork

    with connected(context) as engine, UnitOfWork(engine) as work:
        work.scenarios.drop(name)
    if as_json:
        print_json({"name": name})
    else:
        print_line(f"Dropped scenario {name}.")

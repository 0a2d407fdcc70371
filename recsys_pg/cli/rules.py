"""The commands for the application's own filters: rules, rules define, rules drop."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table

if TYPE_CHECKING:
    from recsys_pg.cli.known_rules import Rule

rules = typer.Typer(invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="Lower-case letters, digits and underscores, a letter first.")]


@rules.callback()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """List the rules, filters of the application's own for --rule and for SQL, and what is wrong with them.

    \b
    Examples:
      recsys-pg rules
      recsys-pg rules define affordable "item.price < 10"
      recsys-pg rules drop affordable
    """
    if context.invoked_subcommand is not None:
        return
    from recsys_pg.cli.known_rules import read_rules

    with connected_to_schema(context) as engine, engine.connect() as connection:
        found = list(read_rules(connection.execution_options(isolation_level="AUTOCOMMIT")))
    if as_json:
        print_json(found)
    else:
        _print(found)


@rules.command()
def define(
    context: typer.Context,
    name: Name,
    predicate: Annotated[str, typer.Argument(help="A boolean SQL expression on item.<column>.")],
    as_json: AsJson = False,
) -> None:
    """Save a condition under a name, or change it. It may read your own tables, named with their schema.

    \b
    Examples:
      recsys-pg rules define affordable "item.price < 10"
      recsys-pg rules define vegan "exists (select from app.diets d where d.item_id = item.id and d.vegan)"
    """
    canonical = _call(context, "define_rule", name, predicate)
    if as_json:
        print_json({"name": name, "predicate": predicate, "canonical": canonical})
    else:
        print_line(f"Rule {name}: {canonical}")


@rules.command()
def drop(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Remove a rule; searches that name it fail from then on.

    \b
    Example:
      recsys-pg rules drop affordable
    """
    _call(context, "drop_rule", name)
    if as_json:
        print_json({"name": name})
    else:
        print_line(f"Dropped rule {name}.")


def _call(context: typer.Context, function: str, *arguments: str) -> str | None:
    import sqlalchemy as sa

    from recsys_pg.db import translated_errors

    call = getattr(sa.func.recsys_api, function)(*arguments)
    with connected_to_schema(context) as engine, translated_errors(), engine.begin() as connection:
        return connection.scalar(sa.select(call))


def _print(found: "list[Rule]") -> None:
    if not found:
        print_line("No rule is defined: recsys-pg rules define --help shows how.")
        return
    columns = [
        Column("name", [rule.name for rule in found]),
        Column("predicate", [" ".join(rule.predicate.split()) for rule in found], shrinks=True),
    ]
    if any(rule.problem for rule in found):
        columns.append(Column("problem", [rule.problem or "" for rule in found], shrinks=True))
    print_table(columns)

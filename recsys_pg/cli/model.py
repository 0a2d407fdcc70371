"""The commands for trained models: model list, show, activate, rollback."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table

if TYPE_CHECKING:
    from recsys_pg.cli.trained_models import TrainedModel

model = typer.Typer(invoke_without_command=True)

Id = Annotated[int, typer.Argument(metavar="ID", help="Of the model; see recsys-pg model list.")]


@model.callback()
def overview(context: typer.Context, as_json: AsJson = False) -> None:
    """List the trained models, show how one came about, or switch to another.

    \b
    Examples:
      recsys-pg model list
      recsys-pg model show 7
      recsys-pg model activate 7
      recsys-pg model rollback
    """
    if context.invoked_subcommand is None:
        list_models(context, as_json=as_json)


@model.command("list")
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the trained models that are kept, the latest first: the active one, the one before, and the last.

    \b
    Example:
      recsys-pg model list
    """
    from recsys_pg.cli.trained_models import read_models

    with connected_to_schema(context) as engine, engine.connect() as connection:
        models = read_models(connection)
    if as_json:
        print_json(models)
    elif not models:
        print_line("No trained model. Train one: recsys-pg train.")
    else:
        print_table(
            [
                Column("id", [str(each.id) for each in models], right=True),
                Column("", ["active" if each.is_active else "" for each in models]),
                Column("trained", [f"{each.created_at:%Y-%m-%d %H:%M}" for each in models]),
                Column("NDCG@20", [_number(each.metrics.get("ndcg")) for each in models], right=True),
                Column("likes", [f"{each.metrics.get('interactions', 0):,}" for each in models], right=True),
                Column("sum of", [_sum(each) for each in models], shrinks=True),
            ]
        )


@model.command()
def show(
    context: typer.Context,
    model_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="Of the model; the active one if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model is made of, and how it compares with what was left out and with the one before.

    \b
    Examples:
      recsys-pg model show
      recsys-pg model show 7
    """
    from recsys_pg.cli.trained_models import read_model

    with connected_to_schema(context) as engine, engine.connect() as connection:
        found = read_model(connection, model_id)
    if as_json:
        print_json(found)
        return
    metrics = found.metrics
    state = "active" if found.is_active else "not active"
    print_line(
        f"Model {found.id}, {state}, trained {found.created_at:%Y-%m-%d %H:%M}"
        f" in {metrics.get('seconds', 0):,} s"
        f" from {metrics.get('interactions', 0):,} likes of {metrics.get('users', 0):,} users and"
        f" {metrics.get('items', 0):,} items."
    )
    if found.terms:
        print_line()
        print_table(
            [
                Column("term", [term["operator"] for term in found.terms]),
                Column("decay a step", [f"{term['decay']:g}" for term in found.terms], right=True),
                Column("share", term_shares(found.terms), right=True),
                Column("weight", [f"{term['weight']:.3g}" for term in found.terms], right=True),
            ]
        )
    if found.trend:
        print_line()
        print_line(
            f"Scores are multiplied by an item's share of the latest {100 * found.trend['window']:g} % of"
            f" likes over its share of all, to the power of {found.trend['exponent']:g}."
        )
    if found.prior:
        print_line()
        print_line(
            "People of whom little is known are also served by what the mean user likes:"
            f" {found.prior['strength']:g} of a typical best score,"
            f" half of that at likes that sum to {found.prior['fade']:g}."
        )
    if metrics.get("ndcg_alone"):
        alone = sorted(metrics["ndcg_alone"].items(), key=lambda pair: -pair[1])
        print_line()
        print_table(
            [
                Column(_held_out(metrics), ["the sum", *(name for name, _ in alone)]),
                Column("NDCG@20", [_number(metrics["ndcg"]), *(_number(v) for _, v in alone)], right=True),
            ]
        )
    for name, reason in (metrics.get("left_out") or {}).items():
        print_line(f"{name} was left out: {reason}.")
    if comparison := metrics.get("comparison"):
        print_line(compared(**comparison))


@model.command()
def activate(context: typer.Context, model_id: Id, as_json: AsJson = False) -> None:
    """Make recommendations come from this model, in one transaction.

    \b
    Example:
      recsys-pg model activate 7
    """
    _switch(context, model_id, as_json)


@model.command()
def rollback(context: typer.Context, as_json: AsJson = False) -> None:
    """Go back to the model that was active before; once more goes forward again.

    \b
    Example:
      recsys-pg model rollback
    """
    _switch(context, None, as_json)


def compared(users: int, ndcg: float, active_ndcg: float, low: float, high: float) -> str:
    """A sentence that compares a new model with the one that was active."""
    return (
        f"Of what {users:,} users liked since the active model was learned, NDCG@20 is {ndcg:.4f} against"
        f" its {active_ndcg:.4f}: a difference of {ndcg - active_ndcg:+.4f}, 95 % interval"
        f" {low:+.4f} to {high:+.4f}."
    )


def _switch(context: typer.Context, model_id: int | None, as_json: bool) -> None:
    from recsys_pg.cli.trained_models import activate_model, read_models

    with connected_to_schema(context) as engine, engine.begin() as connection:
        before = next((each.id for each in read_models(connection) if each.is_active), None)
        active = activate_model(connection, model_id)
    if as_json:
        print_json({"active": active})
        return
    back = f" Before it was model {before}: recsys-pg model activate {before}." if before else ""
    print_line(f"Model {active} is active.{'' if before == active else back}")


def _held_out(metrics: Mapping[str, Any]) -> str:
    users = metrics.get("held_out_users")  # models of earlier versions do not say
    return f"held-out likes of {users:,} users" if users else "held-out likes"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4f}"


def _sum(found: "TrainedModel") -> str:
    if not found.terms:
        return f"{found.name} graph"
    shares = term_shares(found.terms)
    return " + ".join(f"{share} {term['operator']}" for share, term in zip(shares, found.terms, strict=True))


def term_shares(terms: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each term of a sum counts, in percent of all; models of earlier versions have but weights.

    >>> term_shares([{"weight": 20.0, "share": 0.75}, {"weight": 3.0, "share": -0.25}])
    ['75 %', '-25 %']
    """
    if not all("share" in term for term in terms):
        return [f"{term['weight']:.2g}" for term in terms]
    total = sum(abs(term["share"]) for term in terms) or 1.0
    return [f"{100 * term['share'] / total:.0f} %" for term in terms]

"""The commands for models: those for trained ones, and switch for the embedding model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table
from recsys_pg.cli.progress import progress_bars
from recsys_pg.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recsys_pg.cli.trained_models import TrainedModel

model = typer.Typer(invoke_without_command=True)

Id = Annotated[int, typer.Argument(metavar="ID", help="Of the model; see recsys-pg model list.")]


@model.callback()
def overview(context: typer.Context, as_json: AsJson = False) -> None:
    """List the trained models, show how one came about, go to another; or change the embedding model.

    \b
    Examples:
      recsys-pg model list
      recsys-pg model show 7
      recsys-pg model activate 7
      recsys-pg model rollback
      recsys-pg model switch sentence-transformers/multi-qa-MiniLM-L6-cos-v1
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


@model.command()
def switch(
    context: typer.Context,
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Of the embedding model, on the Hugging Face hub, or its folder."
        ),
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Give up the way back: remove the vectors of the model before.")
    ] = False,
    min_coverage: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Of the items with a vector, those that must have a new one."
        ),
    ] = 0.99,
    min_recall: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Of what is nearest, what the new vector index must find."
        ),
    ] = 0.95,
    wait: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="How long to wait in the end for transactions that hold a table."
        ),
    ] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Change the embedding model of the database while searches go on.

    Every item is embedded by the new model beside the vectors in use, by this command and by each worker
    that is started with that model; indexes, tastes and kept search texts are made beside too, and checked.
    Then the new ones take the place of the old in one moment: no search sees both. It takes as long as
    embedding everything, and room for as many vectors again. Whatever ends it, the same command goes on
    where it was.

    The old vectors stay, and workers of the old model keep them up to date, until --finish: a switch back to
    it takes seconds. Needs the extras embed and train, the owner of the tables, and a connection to the
    server itself.

    \b
    Examples:
      recsys-pg model switch sentence-transformers/multi-qa-MiniLM-L6-cos-v1
      recsys-pg model switch sentence-transformers/all-MiniLM-L6-v2   # back
      recsys-pg model switch --finish
    """
    if finish == (name is not None):
        raise InvalidArgumentError(
            "Both NAME and --finish were given." if finish else "Neither NAME nor --finish was given.",
            "Name the model to switch to; or pass --finish alone, to give up the way back.",
        )
    if name is None:
        _finish_switch(context, as_json=as_json)
        return
    from recsys_pg.cli.embedder import load_worker_embedder
    from recsys_pg.model_switch import switch_model

    with connected_to_schema(context) as engine:
        embedder, _ = load_worker_embedder(name)
        with progress_bars() as progress:
            report = switch_model(
                engine,
                embedder,
                min_coverage=min_coverage,
                min_recall=min_recall,
                patience_seconds=wait,
                progress=progress,
            )
    if as_json:
        print_json(report)
        return
    if report is None:
        print_line(f"{embedder.name} is the embedding model already; nothing was done.")
        return
    print_line(
        f"{report.model} is the embedding model now: {report.items:,} items, recall {report.recall:.3f},"
        f" in {report.seconds:,.0f} s, of which others waited {1000 * report.held_seconds:.0f} ms."
    )
    if report.uncovered:
        print_line(f"{report.uncovered:,} items have no vector yet; most of them wait for a worker.")
    print_line(
        f"Now start workers and applications with RECSYS_PG_EMBEDDING_MODEL={report.model}, and train:"
    )
    print_line("what a trained model makes of new items' texts was learned from the vectors before.")
    print_line(f"Back: recsys-pg model switch {report.before}. For good: recsys-pg model switch --finish.")


def _finish_switch(context: typer.Context, *, as_json: bool) -> None:
    from recsys_pg.model_switch import finish_switch

    with connected_to_schema(context) as engine, progress_bars() as progress:
        given_up = finish_switch(engine, progress)
    if as_json:
        print_json({"given_up": given_up})
    elif given_up is None:
        print_line("There was no model to give up.")
    else:
        print_line(f"The vectors of {given_up} are gone; a switch back to it embeds everything again.")


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

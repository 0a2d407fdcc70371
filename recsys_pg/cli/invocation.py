"""What the global options of a run say."""

import logging
from dataclasses import dataclass

import typer


@dataclass
class Invocation:
    """The global options of one run; the options themselves fill it in, wherever on the line they stand."""

    database_url: str | None = None
    verbose: bool = False


def invocation(context: typer.Context) -> Invocation:
    """The global options of the run that a command belongs to."""
    found = context.find_root().obj
    if not isinstance(found, Invocation):
        raise TypeError(
            f"the context holds {type(found).__name__}, not an Invocation: call recsys_pg.cli.app.run"
        )
    return found


def remember_database_url(context: typer.Context, value: str | None) -> None:
    """Callback of --database-url."""
    if value is not None:
        if not value.strip():
            raise typer.BadParameter("is empty. Name a database, or leave the option out.")
        invocation(context).database_url = value


def remember_verbose(context: typer.Context, value: bool) -> None:
    """Callback of --verbose."""
    if value:
        invocation(context).verbose = True
        logging.getLogger().setLevel(logging.INFO)

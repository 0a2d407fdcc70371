"""The commands around the embedded PostgreSQL: server start, stop, status, url."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recsys_pg.cli.invocation import invocation
from recsys_pg.cli.output import AsJson, print_json, print_line
from recsys_pg.cli.progress import waiting
from recsys_pg.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from recsys_pg.embedded import EmbeddedServer

server = typer.Typer(
    help="Start and stop the embedded PostgreSQL, which serves this machine only. Needs the extra embedded."
    " RECSYS_PG_EMBEDDED_DIR names its data directory: another one is another server."
)


@server.command()
def start(context: typer.Context, as_json: AsJson = False) -> None:
    """Start the embedded server and keep it running; every command then uses it, and starts faster.

    \b
    Example:
      recsys-pg server start
    """
    with waiting("Starting the embedded PostgreSQL"):
        running = _open(context)
    if as_json:
        print_json({"url": running.url, "data_dir": running.data_dir})
        return
    print_line(f"PostgreSQL {running.postgres_version} runs on {running.data_dir}.")
    print_line()
    print_line(f"  url      {running.url}")
    print_line("  psql     recsys-pg sql")
    print_line(f'  others   export RECSYS_PG_DATABASE_URL="{running.url}"')
    print_line("  stop     recsys-pg server stop")


@server.command()
def stop(context: typer.Context) -> None:
    """Stop the embedded server, whoever uses it. Its data stays.

    \b
    Example:
      recsys-pg server stop
    """
    data_dir = _data_dir(context)
    if not _is_running(data_dir):
        print_line(f"Nothing to do: no server runs on {data_dir}.")
        return
    _open(context).stop()
    print_line(f"Stopped the server on {data_dir}.")


@server.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say whether the embedded server runs, and on which data.

    \b
    Example:
      recsys-pg server status --json
    """
    data_dir = _data_dir(context)
    running = _is_running(data_dir)
    url = _open(context).url if running else None
    if as_json:
        print_json({"running": running, "url": url, "data_dir": data_dir})
    else:
        print_line(
            f"Runs on {data_dir}: {url}" if running else f"Does not run. Its data directory is {data_dir}."
        )


@server.command()
def url(context: typer.Context) -> None:
    """Print the URL of the running embedded server, for other programs.

    \b
    Example:
      psql "$(recsys-pg server url)"
    """
    data_dir = _data_dir(context)
    if not _is_running(data_dir):
        raise DatabaseUnavailableError(
            f"No embedded server runs on {data_dir}.", "Run: recsys-pg server start."
        )
    print(_open(context).url)


def _data_dir(context: typer.Context) -> Path:
    from recsys_pg import embedded
    from recsys_pg.config import Settings

    if invocation(context).database_url:
        raise typer.BadParameter(
            "it names another server than the embedded one, which these commands are about.",
            param_hint="'--database-url'",
        )
    return (Settings().embedded_dir or embedded.default_data_dir()).expanduser()


def _is_running(data_dir: Path) -> bool:
    from recsys_pg import embedded

    return embedded.is_running(data_dir)


def _open(context: typer.Context) -> "EmbeddedServer":
    """The running server, or a new one, that outlives this process."""
    from recsys_pg import embedded
    from recsys_pg.config import Settings

    return embedded.start(
        _data_dir(context), postgres_version=Settings().embedded_postgres_version, on_exit="keep"
    )

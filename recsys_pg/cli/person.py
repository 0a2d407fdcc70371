"""The commands for what is kept about one person: export-user, forget-user."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from recsys_pg.cli.database import connected_to_schema
from recsys_pg.cli.output import AsJson, Column, print_json, print_line, print_table
from recsys_pg.cli.progress import waiting

if TYPE_CHECKING:
    import sqlalchemy as sa

User = Annotated[str, typer.Argument(metavar="USER", help="The id; with --external the external_id.")]
External = Annotated[
    bool, typer.Option("--external", help="The user is given by external_id, the application's own key.")
]


def export_user(
    context: typer.Context,
    user: User,
    *,
    external: External = False,
) -> None:
    """Print all that is kept about a user as JSON: key, attributes, taste, interactions and impressions.

    \b
    Example:
      recsys-pg export-user customer-17 --external > customer-17.json
    """
    from recsys_pg.cli.lookup import find_user_id
    from recsys_pg.unit_of_work import UnitOfWork

    with connected_to_schema(context) as engine, UnitOfWork(engine) as work:
        kept = work.users.export(find_user_id(work.users, user, external=external))
    print_json(kept)


def forget_user(
    context: typer.Context,
    user: User,
    *,
    external: External = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    vacuum: Annotated[
        bool,
        typer.Option(
            help="Vacuum at once, which takes the taste out of the vector index, instead of waiting for"
            " autovacuum."
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Erase a user with all that is kept about the person. It cannot be undone.

    Removes the user, all interactions and impressions, and what a training that was interrupted has kept on
    this machine. What was learned of many people together names nobody; it stays until the next training.

    \b
    Example:
      recsys-pg forget-user customer-17 --external
    """
    from recsys_pg.cli.checkpoint_folder import default_checkpoint_dir
    from recsys_pg.cli.lookup import find_user_id
    from recsys_pg.unit_of_work import UnitOfWork

    with connected_to_schema(context) as engine:
        with UnitOfWork(engine) as work:
            user_id = find_user_id(work.users, user, external=external)
            work.users.get(user_id)
        if not yes:
            _confirm(user, user_id)
        with UnitOfWork(engine) as work:
            removed = work.users.forget(user_id)
        folder = default_checkpoint_dir(engine)
        # by their names: what reads and writes them needs the extra train
        kept = sorted(folder.glob("recsys_pg-*")) if folder else []
        for file in kept:
            file.unlink(missing_ok=True)
        if vacuum:
            _vacuum(engine, removed)
    if as_json:
        print_json({"user_id": user_id, "removed": removed, "checkpoints_removed": len(kept)})
        return
    print_table(
        [
            Column("removed from", [*removed, "files of an interrupted training"]),
            Column("rows", [*(f"{count:,}" for count in removed.values()), f"{len(kept):,}"], right=True),
        ]
    )
    print_line(
        f"User {user_id} is forgotten here. Backups, and trainings on other machines, are yours to see to."
    )


def _vacuum(engine: "sa.Engine", tables: Iterable[str]) -> None:
    from recsys_pg.db import translated_errors

    with (
        waiting("Vacuuming"),
        translated_errors(),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        # an index keeps a few dead entries unless told otherwise
        connection.exec_driver_sql(f"vacuum (index_cleanup on) {', '.join(tables)}")


def _confirm(user: str, user_id: int) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to be asked: pass --yes.", param_hint="'--yes'")
    named = user if user == str(user_id) else f"{user} (id {user_id})"
    typer.confirm(f"Erase user {named} and all that is kept about the person, for good?", abort=True)

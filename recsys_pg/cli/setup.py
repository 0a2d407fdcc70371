"""The commands that bring the schema into a database: init and migrate."""

from dataclasses import asdict

import typer

from recsys_pg.cli.database import connected
from recsys_pg.cli.output import AsJson, print_json, print_line


def init(context: typer.Context, as_json: AsJson = False) -> None:
    """Check a database and install the schema in it; safe to repeat.

    Needs PostgreSQL 16 or later with pgvector 0.8.4 or later. Creates the extension vector, the schemas
    recsys, recsys_api and recsys_report and, where it may, the roles recsys_app and recsys_reporter. Nothing
    else in the database is touched.

    \b
    Examples:
      recsys-pg init
      recsys-pg init --database-url postgresql://me@localhost/shop
    """
    from recsys_pg import schema
    from recsys_pg.cli.versions import read_versions

    with connected(context, create=True) as engine:
        migrated = schema.migrate(engine)
        with engine.connect() as connection:
            versions = read_versions(connection)
    if as_json:
        print_json(asdict(versions) | asdict(migrated))
        return
    print_line(f"PostgreSQL {versions.postgresql} with pgvector {versions.pgvector}: fit.")
    done = "Installed" if migrated.before is None else "Renewed"
    print_line(
        f"{done} the schema at revision {migrated.after}, with {migrated.objects} functions, views and types."
    )
    print_line()
    print_line("Next:")
    for command, purpose in (
        ("recsys-pg import PATH", "load items, users and interactions"),
        ("recsys-pg worker --once", "turn the texts of the items into vectors"),
        ("recsys-pg train", "learn from the interactions"),
        ("recsys-pg recommend USER", "ask"),
    ):
        print_line(f"  {command:<26}{purpose}")


def migrate(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the schema to the revision of this version of recsys-pg, in one transaction.

    Safe to repeat and to run from two machines at once. Where something of yours was built on an object that
    has to change, it names it and changes nothing.

    \b
    Example:
      recsys-pg migrate
    """
    from recsys_pg import schema

    with connected(context, create=True) as engine:
        migrated = schema.migrate(engine)
    if as_json:
        print_json(migrated)
    elif migrated.before == migrated.after:
        print_line(
            f"The schema is at revision {migrated.after} already; its functions, and row-level security where"
            " the items have it, were renewed."
        )
    else:
        print_line(f"Migrated the schema: {migrated.before or 'none'} → {migrated.after}.")

"""What runs on the other end of the connection."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class Versions:
    """Versions of the server and its extension; pgvector is None where the database does not have it."""

    postgresql: str
    pgvector: str | None


def read_versions(connection: sa.Connection) -> Versions:
    """The versions of the server of a connection."""
    row = connection.execute(
        sa.text(
            "select split_part(current_setting('server_version'), ' ', 1),"
            " (select extversion from pg_extension where extname = 'vector')"
        )
    ).one()
    return Versions(*row)

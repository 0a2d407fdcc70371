"""Where the checkpoints of a training lie unless told otherwise: one folder for each database."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

_DATABASE = "select oid from pg_database where datname = current_database()"


def default_checkpoint_dir(engine: "sa.Engine") -> Path | None:
    """A folder in the user's cache, named for the server's address and the database.

    Two databases that were given one folder would lose each other's checkpoints, but never use them: these
    are named by what they were learned from. None where no such folder can be made, as in a container without
    a home: training needs none.
    """
    import sqlalchemy as sa
    from platformdirs import user_cache_path

    from recsys_pg.db import driver_connection, translated_errors

    with translated_errors(), engine.connect() as connection:
        info = driver_connection(connection).info
        oid = connection.scalar(sa.text(_DATABASE))
    identity = f"{info.host} {info.port} {info.dbname} {oid}"
    digest = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    folder = user_cache_path("recsys_pg") / "training" / digest
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    return folder

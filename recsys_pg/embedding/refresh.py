"""What is computed ahead from vectors and interactions: popularity, the catalogue's center, the tastes."""

import sqlalchemy as sa

from recsys_pg.embedding.transactions import transact

_CENTER_IS_MISSING = """
select center is null and exists (select from recsys.items where embedding is not null)
from recsys.models where purpose = 'embedding' and is_active
"""


def refresh(engine: sa.Engine) -> None:
    """Recount popularity and, where the catalogue has no center yet, compute it and all tastes.

    Tastes are computed anew by training; they take time in proportion to the users.
    """
    transact(engine, lambda connection: connection.execute(sa.text("select recsys_api.refresh_popularity()")))
    if transact(engine, lambda connection: bool(connection.scalar(sa.text(_CENTER_IS_MISSING)))):
        transact(engine, lambda connection: connection.execute(sa.text("select recsys_api.refresh_tastes()")))

"""What is computed ahead from vectors and interactions: popularity, the catalogue's center, the tastes."""

import sqlalchemy as sa

from recsys_pg.embedding.transactions import transact

_LOCK_KEY = 0x72656672  # "refr": one refresh at a time on a database


def center_is_missing(engine: sa.Engine) -> bool:
    """Whether the active embedding model lacks the mean of the catalogue's vectors."""
    statement = sa.text("select center is null from recsys.models where purpose = 'embedding' and is_active")
    return transact(engine, lambda connection: bool(connection.scalar(statement)))


def refresh(engine: sa.Engine) -> None:
    """Recompute popularity, the center and all tastes, unless another worker is doing so."""
    for function in ("refresh_popularity", "refresh_tastes"):

        def call(connection: sa.Connection, function: str = function) -> None:
            lock = sa.text("select pg_try_advisory_xact_lock(:key)")
            if connection.scalar(lock, {"key": _LOCK_KEY}):
                connection.execute(sa.text(f"select recsys_api.{function}()"))

        transact(engine, call)

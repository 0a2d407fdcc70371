"""Short transactions that outlive a deadlock and a lost connection."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

Result = TypeVar("Result")

_TRIES = 6
_SERIALIZATION_FAILURE, _DEADLOCK = "40001", "40P01"


def transact(engine: sa.Engine, work: Callable[[sa.Connection], Result]) -> Result:
    """What ``work`` returns, run in a transaction of its own and committed.

    After a deadlock, a serialization failure or a lost connection it is run again, up to 6 times within about
    3 seconds; so work done twice must be harmless.

    Raises:
        sqlalchemy.exc.DBAPIError: any other error, or still one of these.
    """
    for tries in range(1, _TRIES):
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if not error.connection_invalidated and state not in (_SERIALIZATION_FAILURE, _DEADLOCK):
                raise
        time.sleep(0.05 * 2**tries * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
    with engine.begin() as connection:
        return work(connection)

"""What a worker does beside embedding: it keeps true what follows from vectors and interactions."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from recsys_pg.deferred_index import build_deferred
from recsys_pg.embedding.active_model import require_model
from recsys_pg.embedding.embedder import TextEmbedder
from recsys_pg.embedding.queue import JobQueue
from recsys_pg.embedding.transactions import transact

logger = logging.getLogger("recsys_pg.embedding")

_POPULARITY_SECONDS = 300.0
_TASTES_SECONDS = 5.0
_USERS_AT_ONCE = 200
_SLICE_SECONDS = 2.0

_CENTER_IS_MISSING = """
select center is null and exists (select from recsys.items where embedding is not null)
from recsys.models where purpose = 'embedding' and is_active
"""


class _StoppedError(Exception):
    """The worker is to end."""


class Upkeep:
    """The duties of a worker between its batches; one thread of the process does them at a time."""

    def __init__(self, engine: sa.Engine, embedder: TextEmbedder) -> None:
        self._engine = engine
        self._embedder = embedder
        self._lock = threading.Lock()
        self._popularity_from = self._tastes_from = time.monotonic()

    def is_due(self) -> bool:
        """Whether it cannot wait until the queue is empty."""
        return time.monotonic() >= min(self._popularity_from, self._tastes_from)

    def run(self, queue: JobQueue, *, is_idle: bool) -> int:
        """Do what is due, unless another thread is at it; returns how many items were given up.

        The whole queue is looked through for those, so seldom where it is not ``is_idle``.

        Raises:
            ModelError: the database keeps no vectors of the model any more.
        """
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            require_model(self._engine, self._embedder)
            buried = 0
            if is_idle or time.monotonic() >= self._popularity_from:
                queue.mend_times()
                buried = queue.bury()
            self.refresh()
            return buried
        finally:
            self._lock.release()

    def build_index(self, is_stopped: Callable[[], bool]) -> None:
        """Build the vector index that a load has left to be built, unless a stop comes before the end."""

        def look(*_: object) -> None:
            if is_stopped():
                raise _StoppedError

        with suppress(_StoppedError):
            if build_deferred(self._engine, look):
                logger.warning("The vector index of the items, which a load had left, was built.")

    def refresh(self) -> None:
        """Recount popularity, every five minutes; and compute tastes: of those who did something, or of all.

        Of all where there is no center yet. Those that are due take two seconds at most, every five.
        """
        try:
            if time.monotonic() >= self._popularity_from:
                self._call("select recsys_api.refresh_popularity()")
                self._popularity_from = time.monotonic() + _POPULARITY_SECONDS
            if self._call(_CENTER_IS_MISSING):
                self._call("select recsys_api.refresh_tastes()")
            self._refresh_due_tastes()
        except DBAPIError as error:
            logger.warning("Popularity and tastes could not be refreshed: %s", error.orig)

    def _refresh_due_tastes(self) -> None:
        until = time.monotonic() + _SLICE_SECONDS
        if time.monotonic() < self._tastes_from:
            return
        due = f"select recsys_api._refresh_due_tastes({_USERS_AT_ONCE})"
        while self._call(due) == _USERS_AT_ONCE and time.monotonic() < until:
            pass
        self._tastes_from = time.monotonic() + _TASTES_SECONDS

    def _call(self, statement: str) -> object:
        return transact(self._engine, lambda connection: connection.scalar(sa.text(statement)))

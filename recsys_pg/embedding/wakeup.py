"""Being told at once that items wait: LISTEN, where the connection allows it; who hears nothing polls."""

import logging
import threading
import time

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from recsys_pg.embedding.lanes import Bell

logger = logging.getLogger("recsys_pg.embedding")

CHANNEL = "recsys_embedding_jobs"
_LOOK_SECONDS = 0.2
_RETRY_SECONDS = 10.0


class Listener:
    """Rings a bell when the database says that items came into an empty queue.

    It has a connection and a thread of its own. Behind a proxy that pools transactions nothing is heard, and
    whoever waits for the bell has to look from time to time anyway. A lost connection ends it.
    """

    def __init__(self, engine: sa.Engine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._next_try = 0.0

    def start(self) -> None:
        """Listen, where nobody does yet or the connection was lost; does nothing for seconds after a try."""
        if (self._thread is None or not self._thread.is_alive()) and time.monotonic() >= self._next_try:
            self._next_try = time.monotonic() + _RETRY_SECONDS
            self._thread = threading.Thread(target=self._listen, name="recsys-pg-listener", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Close the connection, at once; one that is being made is not waited for."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def _listen(self) -> None:
        try:
            driver = self._engine.raw_connection()
        except (DBAPIError, psycopg.Error) as error:
            logger.debug("Nobody listens for new items: %s", error)
            return
        connection = driver.driver_connection
        if not isinstance(connection, psycopg.Connection):
            driver.close()
            return
        # of our own from now on, so that no other user of the pool finds it listening
        driver.detach()
        try:
            with connection:
                connection.rollback()
                connection.autocommit = True
                connection.execute(f"listen {CHANNEL}")
                # what came before it listened
                self._bell.ring()
                while not self._end.is_set():
                    for _ in connection.notifies(timeout=_LOOK_SECONDS, stop_after=1):
                        self._bell.ring()
        except psycopg.Error as error:
            logger.debug("Nobody listens for new items any more: %s", error)

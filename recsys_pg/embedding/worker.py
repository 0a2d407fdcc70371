"""The worker: takes items from the queue, embeds their texts, and writes the vectors."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from recsys_pg.db import translated_errors
from recsys_pg.embedding.active_model import adopt_model, require_model
from recsys_pg.embedding.batch import embed_batch
from recsys_pg.embedding.embedder import TextEmbedder, require_dimensions
from recsys_pg.embedding.queue import Job, JobQueue
from recsys_pg.embedding.refresh import refresh
from recsys_pg.errors import InvalidArgumentError, ModelUnavailableError
from recsys_pg.types import Progress

logger = logging.getLogger("recsys_pg.embedding")

_REFRESH_SECONDS = 300.0
_RECONNECT_LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class WorkerReport:
    """What a worker did, in items.

    Attributes:
        embedded: vectors written.
        emptied: items without text, which need no vector.
        failed: dead letters.
        retried: put back into the queue, after an error or because somebody was writing the item.
        lost: not ours any more when the vector was there: changed, deleted, or taken over after the lease.
        seconds: time it took, waiting included.
    """

    embedded: int
    emptied: int
    failed: int
    retried: int
    lost: int
    seconds: float


class Worker:
    """Embeds the items in the queue; any number of workers, on any machines, share one queue."""

    def __init__(
        self,
        engine: sa.Engine,
        embedder: TextEmbedder,
        *,
        batch_size: int = 64,
        lease_seconds: float = 300.0,
        max_attempts: int = 5,
        poll_seconds: float = 2.0,
    ) -> None:
        """A worker on a database.

        ``batch_size`` items are claimed at once, for ``lease_seconds``, which must be longer than the model
        takes for them. An item that fails ``max_attempts`` times becomes a dead letter. An empty queue is
        looked at again after ``poll_seconds``.

        Raises:
            ModelError: the embedder's vectors are not of 384 dimensions.
            InvalidArgumentError: a number is not above 0.
        """
        numbers = {
            "batch_size": batch_size,
            "lease_seconds": lease_seconds,
            "max_attempts": max_attempts,
            "poll_seconds": poll_seconds,
        }
        for argument, value in numbers.items():
            if value <= 0:
                raise InvalidArgumentError(f"{argument} is {value}.", "Pass a number above 0.")
        require_dimensions(embedder.name, embedder.dimensions)
        self._engine = engine
        self._embedder = embedder
        self._batch_size = batch_size
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts
        self._poll_seconds = poll_seconds
        self._held: list[Job] = []

    def run_once(self, progress: Progress | None = None) -> WorkerReport:
        """Embed until nothing is due; what failed in this pass is due later.

        ``progress`` is told the items done of those due.

        Raises:
            ModelError: the database holds vectors of another model.
            ModelUnavailableError: the model embeds nothing any more.
            DatabaseUnavailableError: the connection was lost and does not come back within seconds. No work
                is lost: what was claimed is due again when its lease ends.
        """
        started = time.monotonic()
        counts: Counter[str] = Counter()
        with translated_errors():
            queue = self._open_queue()
            due = queue.pending() if progress else 0
            for outcome in self._drain(queue, threading.Event()):
                counts += outcome
                if progress:
                    progress("embed", counts.total(), max(due, counts.total()))
            if counts["embedded"]:
                self._refresh()
        return _report(counts, started)

    def run(self, stop: threading.Event) -> WorkerReport:
        """Embed what comes until ``stop`` is set; then finish what is in the model and release the rest.

        While the database is away, or the model fails on every text, it is tried again, after 2 seconds, then
        4 and so on up to a minute; no attempt of an item counts then.
        Popularity is refreshed every 5 minutes, tastes once after the first vectors.

        Raises:
            ModelError: the database holds vectors of another model, or was switched to one.
            DatabaseUnavailableError: at the start only.
            RecsysError: the database is read-only, lacks the schema or a privilege.
        """
        started = time.monotonic()
        counts: Counter[str] = Counter()
        refresh_from = started
        failures = 0
        with translated_errors():
            queue = self._open_queue()
            while not stop.is_set():
                try:
                    for outcome in self._drain(queue, stop):
                        counts += outcome
                    require_model(self._engine, self._embedder)
                    if time.monotonic() >= refresh_from:
                        self._refresh()
                        refresh_from = time.monotonic() + _REFRESH_SECONDS
                    failures = 0
                    delay = self._poll_seconds
                except (OperationalError, InterfaceError, ModelUnavailableError) as error:
                    failures += 1
                    delay = min(_RECONNECT_LIMIT_SECONDS, 2.0**failures) * random.uniform(0.5, 1)  # noqa: S311
                    away = "model" if isinstance(error, ModelUnavailableError) else "database"
                    cause = error.orig if isinstance(error, DBAPIError) else error
                    logger.warning("The %s is away, next try in %.0f s: %s", away, delay, cause)
                stop.wait(delay)
        return _report(counts, started)

    def _open_queue(self) -> JobQueue:
        return JobQueue(
            self._engine,
            adopt_model(self._engine, self._embedder),
            lease_seconds=self._lease_seconds,
            max_attempts=self._max_attempts,
        )

    def _drain(self, queue: JobQueue, stop: threading.Event) -> Iterator[Counter[str]]:
        """Work until nothing is due or ``stop`` is set; yields what became of each batch."""
        self._release(queue)
        if given_up := queue.bury():
            yield Counter(failed=given_up)
        while not stop.is_set() and (jobs := queue.claim(self._batch_size)):
            self._held = jobs
            try:
                outcome = embed_batch(queue, self._embedder, jobs, stop)
            except BaseException:
                with suppress(DBAPIError):
                    self._release(queue)
                raise
            self._held = []
            yield outcome

    def _release(self, queue: JobQueue) -> None:
        """Give back what an error left in our hands: at once, or when the database is there again."""
        if self._held:
            queue.release(self._held)
            self._held = []

    def _refresh(self) -> None:
        try:
            refresh(self._engine)
        except DBAPIError as error:
            logger.warning("Popularity and tastes could not be refreshed: %s", error.orig)


def _report(counts: Counter[str], started: float) -> WorkerReport:
    names = (field.name for field in fields(WorkerReport) if field.name != "seconds")
    return WorkerReport(**{name: counts[name] for name in names}, seconds=time.monotonic() - started)

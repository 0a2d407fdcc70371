"""The worker: takes items from the queue, embeds their texts, and writes the vectors."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from queue import Empty, SimpleQueue

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from recsys_pg.db import translated_errors
from recsys_pg.deferred_index import built_last
from recsys_pg.embedding.active_model import KnownModel, adopt_model
from recsys_pg.embedding.batch import BatchEmbedder
from recsys_pg.embedding.embedder import TextEmbedder, require_dimensions
from recsys_pg.embedding.lanes import Bell, Lanes, Turns
from recsys_pg.embedding.observer import Observer
from recsys_pg.embedding.queue import Job, JobQueue
from recsys_pg.embedding.upkeep import Upkeep
from recsys_pg.embedding.wakeup import Listener
from recsys_pg.embedding.watched import WatchedEmbedder
from recsys_pg.errors import InvalidArgumentError, ModelError, ModelUnavailableError
from recsys_pg.types import Progress, unheard

logger = logging.getLogger("recsys_pg.embedding")

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
        batch_size: int = 256,
        concurrency: int = 2,
        lease_seconds: float = 300.0,
        max_attempts: int = 5,
        poll_seconds: float = 2.0,
        observer: Observer | None = None,
    ) -> None:
        """A worker on a database.

        ``batch_size`` items are claimed at once, for ``lease_seconds``, which must be longer than the model
        takes for them. ``concurrency`` such batches are in work at a time, each in a thread of its own, so
        that one is read or written while the model is at another; the embedder is called from all of these
        threads. An item that fails ``max_attempts`` times becomes a dead letter. An empty queue is looked
        at again when the database tells of new items, and after ``poll_seconds``. ``observer`` is told of
        the work, such as a `WorkerMetrics`.

        Raises:
            ModelError: the embedder's vectors are not of 384 dimensions.
            InvalidArgumentError: a number is not above 0.
        """
        numbers = {
            "batch_size": batch_size,
            "concurrency": concurrency,
            "lease_seconds": lease_seconds,
            "max_attempts": max_attempts,
            "poll_seconds": poll_seconds,
        }
        for argument, value in numbers.items():
            if value <= 0:
                raise InvalidArgumentError(f"{argument} is {value}.", "Pass a number above 0.")
        require_dimensions(embedder.name, embedder.dimensions)
        self._engine = engine
        self._observer = observer or Observer()
        self._embedder = WatchedEmbedder(embedder, self._observer)
        self._batch_size = batch_size
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts
        self._poll_seconds = poll_seconds
        self._bell = Bell()
        self._turns = Turns()
        self._left: SimpleQueue[list[Job]] = SimpleQueue()
        self._upkeep = Upkeep(engine, embedder)

    def run_once(self, progress: Progress = unheard) -> WorkerReport:
        """Embed until nothing is due; what failed in this pass is due later.

        Where nearly all items wait, and are many, their vector index is built after them: see `built_last`.
        ``progress`` is told the items done of those due, then the blocks indexed.

        Raises:
            ModelError: the database holds vectors of another model, or the model does not return.
            ModelUnavailableError: the model embeds nothing any more.
            DatabaseUnavailableError: the connection was lost and does not come back within seconds. No work
                is lost: what was claimed is due again when its lease ends.
        """
        started = time.monotonic()
        counts: Counter[str] = Counter()
        with translated_errors():
            queue, model = self._open_queue()
            due = queue.pending()
            counts["failed"] = queue.bury()
            self._observer.settled(counts)
            # the index of the standby vectors is built by who switches to them
            with built_last(self._engine, due if model.is_active else 0, progress):
                for outcome in self._lanes(queue).run(threading.Event(), self._require_return):
                    counts += outcome
                    progress("embed", counts.total(), max(due, counts.total()))
            self._upkeep.refresh()
        return _report(counts, started)

    def run(self, stop: threading.Event) -> WorkerReport:
        """Embed what comes until ``stop`` is set; then finish what is in the model and release the rest.

        While the database is away, or the model fails on every text, it is tried again, after 2 seconds, then
        4 and so on up to a minute; no attempt of an item counts then.
        Popularity is refreshed every 5 minutes, tastes once after the first vectors.

        Raises:
            ModelError: the database holds vectors of other models, or the worker's is given up (recsys-pg
                model switch --finish); or the model does not return.
            DatabaseUnavailableError: at the start only.
            RecsysError: the database is read-only, lacks the schema or a privilege.
        """
        started = time.monotonic()
        counts: Counter[str] = Counter()
        failures = 0
        with translated_errors():
            queue, _ = self._open_queue()
            listener = Listener(self._engine, self._bell)
            try:

                def look() -> None:
                    listener.start()
                    self._require_return()

                while not stop.is_set():
                    began = time.monotonic()
                    try:
                        for outcome in self._lanes(queue, self._poll_seconds).run(stop, look):
                            counts += outcome
                    except (OperationalError, InterfaceError, ModelUnavailableError) as error:
                        was_well = time.monotonic() - began > _RECONNECT_LIMIT_SECONDS
                        failures = 1 if was_well else failures + 1
                        self._observer.is_ready(False)
                        self._observer.failed(error)
                        longest = min(_RECONNECT_LIMIT_SECONDS, 2.0 ** min(failures, 10))
                        delay = longest * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
                        away = "model" if isinstance(error, ModelUnavailableError) else "database"
                        cause = error.orig if isinstance(error, DBAPIError) else error
                        logger.warning("The %s is away, next try in %.0f s: %s", away, delay, cause)
                        self._wait(stop, delay)
            finally:
                listener.stop()
        return _report(counts, started)

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stop.wait(min(1.0, seconds)):
            self._observer.is_alive()

    def _open_queue(self) -> tuple[JobQueue, KnownModel]:
        model = adopt_model(self._engine, self._embedder)
        queue = JobQueue(
            self._engine,
            model.id,
            lease_seconds=self._lease_seconds,
            max_attempts=self._max_attempts,
            observer=self._observer,
        )
        return queue, model

    def _lanes(self, queue: JobQueue, idle_seconds: float | None = None) -> Lanes[Counter[str]]:
        is_service = idle_seconds is not None
        batch = BatchEmbedder(queue, self._embedder, self._observer)

        def step(is_stopped: Callable[[], bool]) -> Counter[str] | None:
            self._release_left(queue)
            is_due = is_service and self._upkeep.is_due()
            given_up = self._upkeep.run(queue, is_idle=False) if is_due else 0
            # what may kill the process takes nothing with it
            with self._turns.turn(lambda: queue.claim(self._batch_size), _has_suspect) as jobs:
                outcomes = self._settle(batch, jobs, is_stopped)
            if not jobs and is_service:
                given_up += self._upkeep.run(queue, is_idle=True)
                self._upkeep.build_index(is_stopped)
            self._observer.is_ready(True)
            outcomes["failed"] += given_up
            self._observer.settled(outcomes)
            return outcomes if jobs or given_up else None

        return Lanes(step, self._concurrency, self._bell, idle_seconds)

    def _settle(self, batch: BatchEmbedder, jobs: list[Job], is_stopped: Callable[[], bool]) -> Counter[str]:
        try:
            outcomes = batch.settle(jobs, is_stopped)
        except BaseException:
            # at once, or when the database is there again
            self._left.put(jobs)
            with suppress(DBAPIError):
                self._release_left(batch.queue)
            raise
        if jobs:
            logger.info(
                "A batch of %d items: %s",
                len(jobs),
                ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "released",
                extra={"item_ids": [job.item_id for job in jobs], **outcomes},
            )
        return outcomes

    def _release_left(self, queue: JobQueue) -> None:
        """Give back what an error left in our hands."""
        while not self._left.empty():
            with suppress(Empty):
                jobs = self._left.get_nowait()
                try:
                    queue.release(jobs)
                except BaseException:
                    self._left.put(jobs)
                    raise

    def _require_return(self) -> None:
        self._observer.is_alive()
        seconds = self._embedder.seconds_at_it()
        if seconds > self._lease_seconds:
            raise ModelError(
                f"The model {self._embedder.name} has been at one batch for {seconds:.0f} s, longer than a"
                f" lease of {self._lease_seconds:.0f} s.",
                "If it hangs, start the worker again: the items wait unharmed, and a text that hangs it is"
                " found. If it is slow, claim fewer items at once (--batch-size), or for longer"
                " (RECSYS_PG_WORKER_LEASE_SECONDS).",
            )


def _has_suspect(jobs: list[Job]) -> bool:
    return any(job.is_suspect for job in jobs)


def _report(counts: Counter[str], started: float) -> WorkerReport:
    names = (field.name for field in fields(WorkerReport) if field.name != "seconds")
    return WorkerReport(**{name: counts[name] for name in names}, seconds=time.monotonic() - started)

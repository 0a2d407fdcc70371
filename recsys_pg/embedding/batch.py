"""One claimed batch: embed its texts, write the vectors, and find the text at fault when that fails."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from recsys_pg.embedding.embedder import TextEmbedder, check_vectors
from recsys_pg.embedding.observer import Observer
from recsys_pg.embedding.queue import Job, JobQueue, Settled
from recsys_pg.errors import ModelUnavailableError

logger = logging.getLogger("recsys_pg.embedding")

_MAX_ERROR_LENGTH = 2_000
_PROBE = "a short text, by which a model is known to work"
_NOT_ABOUT_ROWS = ("25", "3F", "42")  # read-only, schema missing, privilege or table missing


@dataclass(frozen=True)
class BatchEmbedder:
    """Settles claimed jobs: texts to the model, vectors to the queue."""

    queue: JobQueue
    embedder: TextEmbedder
    observer: Observer

    def settle(self, jobs: Sequence[Job], is_stopped: Callable[[], bool]) -> Counter[str]:
        """Settle claimed jobs by a vector, an error or a release; counts them by fields of `WorkerReport`.

        A batch that the model fails on, or whose vectors the database refuses, is halved until the fault is
        alone, so a text that cannot be embedded costs its batch about one more pass. A text is at fault only
        if the model embeds another one after it. Once ``is_stopped``, what is not in the model is released.

        Raises:
            ModelUnavailableError: the model embeds nothing; the jobs not yet settled are still held.
            sqlalchemy.exc.DBAPIError: the database is away or unfit; the same.
        """
        empty = [job for job in jobs if not job.content]
        counts: Counter[str] = Counter()
        if empty:
            counts += _counts("emptied", self.queue.drop(empty))
        return counts + self._embed([job for job in jobs if job.content], is_stopped)

    def _embed(
        self, jobs: Sequence[Job], is_stopped: Callable[[], bool], *, is_part: bool = False
    ) -> Counter[str]:
        if not jobs:
            return Counter()
        if is_stopped():
            self.queue.release(jobs)
            return Counter()
        failure: Exception
        try:
            vectors = check_vectors(self.embedder.embed([job.content for job in jobs]), len(jobs))
        except Exception as error:
            if len(jobs) == 1 or not is_part:
                self._require_working(error)
            failure = error
        else:
            try:
                return _counts("embedded", self.queue.complete(jobs, vectors))
            except DBAPIError as error:
                if not _is_about_rows(error):
                    raise
                failure = error
        if len(jobs) == 1:
            return self._fail(jobs[0], failure)
        middle = len(jobs) // 2
        first = self._embed(jobs[:middle], is_stopped, is_part=True)
        return first + self._embed(jobs[middle:], is_stopped, is_part=True)

    def _require_working(self, failure: Exception) -> None:
        try:
            check_vectors(self.embedder.embed([_PROBE]), 1)
        except Exception as error:
            raise ModelUnavailableError(
                f"The model {self.embedder.name} embeds nothing any more:"
                f" {type(failure).__name__}: {failure}",
                "Check it with one short text. The items wait in the queue unharmed.",
            ) from error

    def _fail(self, job: Job, error: Exception) -> Counter[str]:
        self.observer.failed(error)
        cause = error.orig if isinstance(error, DBAPIError) else error
        # PostgreSQL's text holds neither NUL nor half characters, and the error may quote the item's text
        message = f"{type(cause).__name__}: {cause}".replace("\0", "").encode(errors="replace").decode()
        message = message[:_MAX_ERROR_LENGTH]
        is_dead = self.queue.fail(job, message)
        logger.log(
            logging.ERROR if is_dead else logging.WARNING,
            "Item %s could not be embedded in attempt %s%s: %s",
            job.item_id,
            job.attempts,
            ", the last" if is_dead else "",
            message,
            extra={"item_id": job.item_id, "attempt": job.attempts, "lease": str(job.lease_token)},
        )
        outcome = "lost" if is_dead is None else "failed" if is_dead else "retried"
        return Counter({outcome: 1})


def _counts(done: str, settled: Settled) -> Counter[str]:
    return Counter({done: settled.done, "retried": settled.put_back, "lost": settled.lost})


def _is_about_rows(error: DBAPIError) -> bool:
    """Whether the database refused what was written (a constraint, a trigger), and is well otherwise."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return not isinstance(error, OperationalError | InterfaceError) and not state.startswith(_NOT_ABOUT_ROWS)

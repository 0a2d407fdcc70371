"""The queue of items to embed, recsys.embedding_jobs: who may work on a job, and what becomes of it.

A claim gives a job a lease: a token, and a time until which nobody else takes it. Whoever changes the item's
text takes the token away (trigger recsys.enqueue_embedding_job), whoever claims the job after the lease
replaces it, and an outcome counts only under the token of its claim. Locks are taken in the triggers' order,
the item before its job, and nothing waits for a row that an application is writing: it is passed over.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from recsys_pg.config import DIMENSIONS
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.embedding.embedder import Embeddings
from recsys_pg.embedding.observer import Observer
from recsys_pg.embedding.real_array import RealArray
from recsys_pg.embedding.transactions import transact

logger = logging.getLogger("recsys_pg.embedding")

_Result = TypeVar("_Result")

_BACKOFF_SECONDS = 10.0
_BACKOFF_LIMIT_SECONDS = 3_600.0
_PUT_BACK_SECONDS = 1.0
_LOCKED_SECONDS = (0.02, 0.1, 0.3)

# A due job with a token is one whose worker ended without an outcome. It may be the text that killed it, so
# it is claimed alone, and the texts that were claimed with it are charged for it once.
_CLAIM = """
with due as materialized (
    select j.item_id, j.lease_token is not null as is_suspect, j.available_at
    from recsys.embedding_jobs j
    where j.model_id = %(model_id)s and j.failed_at is null and j.available_at <= now()
        and (j.lease_token is null or j.attempts < %(max_attempts)s)
        and exists (select from recsys.models m where m.id = %(model_id)s and (m.is_active or m.is_standby))
    order by j.available_at
    limit %(limit)s
    for update of j skip locked
),
chosen as (
    select d.item_id, false as is_suspect from due d where not exists (select from due s where s.is_suspect)
    union all
    (select d.item_id, true from due d where d.is_suspect order by d.available_at, d.item_id limit 1)
),
claimed as (
    update recsys.embedding_jobs j
    set lease_token = gen_random_uuid(), attempts = j.attempts + 1,
        available_at = now() + make_interval(secs => %(lease_seconds)s)
    -- by the key, however many jobs the planner expects: a hash join would read the whole queue each time
    where j.item_id = any (array(select d.item_id from chosen d)) and j.model_id = %(model_id)s
    returning j.item_id, j.lease_token, j.attempts
)
select c.item_id, c.lease_token, c.attempts, i.content_hash,
    (select bool_or(s.is_suspect) from chosen s) as is_suspect,
    recsys.item_content(i.title, i.description, i.category, i.tags) as content
from claimed c
join recsys.items i on i.id = c.item_id
order by c.item_id
"""

_BURY = """
with dead as materialized (
    select j.item_id, j.model_id
    from recsys.embedding_jobs j
    where j.model_id = %(model_id)s and j.failed_at is null and j.available_at <= now()
        and j.lease_token is not null and j.attempts >= %(max_attempts)s
    for update skip locked
)
update recsys.embedding_jobs j
set failed_at = now(), lease_token = null, last_error = %(error)s
from dead d
where j.item_id = d.item_id and j.model_id = d.model_id
returning j.item_id
"""

# No job was asked for in the future, and none waits for longer than the longest back-off or a lease.
_MEND_TIMES = """
with wrong as materialized (
    select j.item_id, j.model_id
    from recsys.embedding_jobs j
    where j.model_id = %(model_id)s and j.failed_at is null and j.available_at > now()
        and (j.requested_at > now() + interval '5 s'
            or j.available_at > now() + make_interval(secs => %(most_seconds)s))
    for update skip locked
)
update recsys.embedding_jobs j
set requested_at = least(j.requested_at, now()), available_at = now()
from wrong w
where j.item_id = w.item_id and j.model_id = w.model_id
returning j.item_id
"""

_PENDING = """
select count(*) as pending from recsys.embedding_jobs
where model_id = %(model_id)s and failed_at is null and available_at <= now()
"""

# keeps the model what it is until the vectors are committed: see active_model and model_switch
_HOLD_MODEL = """
select is_active from recsys.models
where id = %(model_id)s and (is_active or is_standby) for key share
"""

# The text is compared under the item's lock: a claim can get the job of a new text yet read the old one.
_WRITE = """
with locked as materialized (
    select i.id, c.position
    from recsys.items i
    join unnest(%(item_ids)s::bigint[], %(hashes)s::uuid[])
        with ordinality c (item_id, content_hash, position)
        on c.item_id = i.id and c.content_hash = i.content_hash
    order by i.id
    for no key update of i skip locked
),
done as (
    delete from recsys.embedding_jobs j
    using locked l
    where j.item_id = l.id and j.model_id = %(model_id)s and j.lease_token = any (%(tokens)s)
    returning j.item_id, l.position
)
update recsys.items i
set {slot}embedding = (%(vectors)s)[(d.position - 1) * %(dimensions)s + 1 : d.position * %(dimensions)s],
    {slot}embedding_model_id = %(model_id)s
from done d
where i.id = d.item_id and i.{slot}embedding_model_id is distinct from %(model_id)s
returning i.id
"""

# Needs no lock on the item: whoever gives it a text meanwhile waits for this and then asks for a new job.
_DROP = """
delete from recsys.embedding_jobs j
using unnest(%(item_ids)s::bigint[], %(hashes)s::uuid[]) c (item_id, content_hash)
join recsys.items i on i.id = c.item_id and i.content_hash = c.content_hash
where j.item_id = i.id and j.model_id = %(model_id)s and j.lease_token = any (%(tokens)s)
returning j.item_id
"""

# A claim also locks, for a moment, jobs that another one claimed just before it; see JobQueue._on_held.
_HELD = """
with held as materialized (
    select j.item_id, j.model_id
    from recsys.embedding_jobs j
    where j.item_id = any (%(item_ids)s) and j.model_id = %(model_id)s and j.lease_token = any (%(tokens)s)
    for update skip locked
)
"""

_STILL_HELD = """
select j.item_id from recsys.embedding_jobs j
where j.item_id = any (%(item_ids)s) and j.model_id = %(model_id)s and j.lease_token = any (%(tokens)s)
"""

_PUT_BACK = f"""{_HELD}
update recsys.embedding_jobs j
set lease_token = null, attempts = greatest(j.attempts - 1, 0),
    available_at = now() + make_interval(secs => %(delay_seconds)s)
from held h
where j.item_id = h.item_id and j.model_id = h.model_id
returning j.item_id
"""

_FAIL = f"""{_HELD}
update recsys.embedding_jobs j
set lease_token = null, last_error = %(error)s,
    available_at = now() + make_interval(secs => (0.5 + random() / 2) * least(
        %(backoff_limit_seconds)s, %(backoff_seconds)s * power(2, least(j.attempts, 30) - 1))),
    failed_at = case when j.attempts >= %(max_attempts)s then now() end
from held h
where j.item_id = h.item_id and j.model_id = h.model_id
returning j.item_id, j.failed_at is not null as is_dead
"""

_REQUEUE = """
with dead as materialized (
    select j.item_id, j.model_id
    from recsys.embedding_jobs j
    where j.failed_at is not null and (%(item_ids)s::bigint[] is null or j.item_id = any (%(item_ids)s))
    for update skip locked
)
update recsys.embedding_jobs j
set failed_at = null, attempts = 0, last_error = null, lease_token = null, available_at = now()
from dead d
where j.item_id = d.item_id and j.model_id = d.model_id
returning j.item_id
"""


_MAP = "select recsys_api.refresh_item_factors(%(item_ids)s::bigint[])"


@dataclass(frozen=True)
class Job:
    """A claimed item: the text to embed (empty when nothing is known), and what proves the claim.

    It is a suspect if a worker that had it ended without an outcome.
    """

    item_id: int
    content: str
    content_hash: UUID
    lease_token: UUID
    attempts: int
    is_suspect: bool


@dataclass(frozen=True)
class Settled:
    """What became of jobs: done; put back, as their item is being written; lost to whoever has them now."""

    done: int
    put_back: int
    lost: int


class JobQueue:
    """The jobs of one embedding model. Each method is one short transaction."""

    def __init__(
        self,
        engine: sa.Engine,
        model_id: int,
        *,
        lease_seconds: float,
        max_attempts: int,
        observer: Observer | None = None,
    ) -> None:
        # every statement has to see the latest committed rows, which the stricter isolation levels prevent
        self._engine = engine.execution_options(isolation_level="READ COMMITTED")
        self._model_id = model_id
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts
        self._observer = observer or Observer()

    def pending(self) -> int:
        """The number of jobs that are due."""
        return int(self._rows(_PENDING)[0].pending)

    def claim(self, limit: int) -> list[Job]:
        """Take up to ``limit`` jobs, the longest due first, for ``lease_seconds``; an attempt of each.

        Where one of them was claimed before and its worker ended without an outcome, that one alone. Empty
        when nothing is due, or when the model is neither active nor standby any more.
        """
        rows = self._rows(
            _CLAIM, limit=limit, lease_seconds=self._lease_seconds, max_attempts=self._max_attempts
        )
        return [Job(**row._mapping) for row in rows]

    def bury(self) -> int:
        """Make dead letters of the jobs whose workers ended ``max_attempts`` times; returns how many."""
        error = f"Each of the {self._max_attempts} workers that had it ended without an outcome."
        rows = self._rows(_BURY, max_attempts=self._max_attempts, error=error)
        for row in rows:
            logger.error("Item %s is given up. %s", row.item_id, error, extra={"item_id": row.item_id})
        return len(rows)

    def mend_times(self) -> int:
        """Let jobs be due whose time is too far ahead, as after the server's clock was set back; how many."""
        most_seconds = 1.1 * max(self._lease_seconds, _BACKOFF_LIMIT_SECONDS)
        rows = self._rows(_MEND_TIMES, most_seconds=most_seconds)
        if rows:
            logger.warning(
                "The clock was set back: %d items that waited for a time to come are due.", len(rows)
            )
        return len(rows)

    def complete(self, jobs: Sequence[Job], vectors: Embeddings) -> Settled:
        """Write vectors, (n_jobs, 384) float32 in the order of the jobs, where the text is still the same.

        A job whose item is being written by somebody is put back for a second, its attempt refunded.
        """

        def complete(connection: sa.Connection) -> int | None:
            held = self._execute(connection, _HOLD_MODEL)
            if not held:
                return None
            RealArray.register(driver_connection(connection))
            written = self._execute(
                connection,
                _WRITE.format(slot="" if held[0].is_active else "standby_"),
                hashes=[job.content_hash for job in jobs],
                vectors=RealArray(vectors),
                dimensions=DIMENSIONS,
                **_claims(jobs),
            )
            if held[0].is_active:
                self._map(connection, [job.item_id for job in jobs])
            return len(written)

        done = self._transact(complete)
        if done is None:
            return Settled(done=0, put_back=0, lost=len(jobs))
        return self._settle_rest(jobs, done)

    def _map(self, connection: sa.Connection, item_ids: list[int]) -> None:
        """Let new items compete from the moment that they are embedded; the vectors stay if that fails."""
        try:
            with connection.begin_nested():
                self._execute(connection, _MAP, item_ids=item_ids)
        except (DataError, IntegrityError) as error:
            logger.warning("items %s got no factors: %s", item_ids, error.orig)

    def drop(self, jobs: Sequence[Job]) -> Settled:
        """Delete jobs whose item has no text, where that is still so."""

        rows = self._rows(_DROP, hashes=[job.content_hash for job in jobs], **_claims(jobs))
        return self._settle_rest(jobs, done=len(rows))

    def release(self, jobs: Sequence[Job]) -> None:
        """Give back jobs that are still held, unharmed: due at once, their attempt refunded."""
        self._on_held(_PUT_BACK, jobs, delay_seconds=0)

    def fail(self, job: Job, error: str) -> bool | None:
        """Record the error of a job: due again after a back-off, or a dead letter after ``max_attempts``.

        The back-off is 10 seconds, doubled with each attempt up to an hour, less a random part of up to half.
        Returns whether it is a dead letter now; None when the job was not held any more.
        """
        rows = self._on_held(
            _FAIL,
            [job],
            error=error,
            backoff_seconds=_BACKOFF_SECONDS,
            backoff_limit_seconds=_BACKOFF_LIMIT_SECONDS,
            max_attempts=self._max_attempts,
        )
        return bool(rows[0].is_dead) if rows else None

    def _settle_rest(self, jobs: Sequence[Job], done: int) -> Settled:
        if done == len(jobs):
            return Settled(done=done, put_back=0, lost=0)
        back = len(self._on_held(_PUT_BACK, jobs, delay_seconds=_PUT_BACK_SECONDS))
        return Settled(done=done, put_back=back, lost=len(jobs) - done - back)

    def _on_held(self, statement: str, jobs: Sequence[Job], **parameters: Any) -> Sequence[sa.Row[Any]]:
        """What a statement returns for the jobs still held, those that others lock just now a little later.

        What an application keeps locked for longer is left alone: it is about to take the job away.
        """
        rows = list(self._rows(statement, **_claims(jobs), **parameters))
        for seconds in _LOCKED_SECONDS:
            settled = {row.item_id for row in rows}
            rest = [job for job in jobs if job.item_id not in settled]
            if not rest or not self._rows(_STILL_HELD, **_claims(rest)):
                break
            time.sleep(seconds)
            rows += self._rows(statement, **_claims(rest), **parameters)
        return rows

    def _rows(self, statement: str, **parameters: Any) -> Sequence[sa.Row[Any]]:
        return self._transact(lambda connection: self._execute(connection, statement, **parameters))

    def _transact(self, work: Callable[[sa.Connection], _Result]) -> _Result:
        started = time.monotonic()
        result = transact(self._engine, work)
        self._observer.database_answered(time.monotonic() - started)
        return result

    def _execute(self, connection: sa.Connection, statement: str, **parameters: Any) -> Sequence[sa.Row[Any]]:
        return connection.exec_driver_sql(statement, parameters | {"model_id": self._model_id}).all()


def requeue_failed(engine: sa.Engine, item_ids: Sequence[int] | None = None) -> int:
    """Put dead letters, of some items or all, back into the queue with fresh attempts; returns how many."""
    parameters = {"item_ids": None if item_ids is None else list(item_ids)}
    with translated_errors():
        return transact(
            engine, lambda connection: len(connection.exec_driver_sql(_REQUEUE, parameters).all())
        )


def _claims(jobs: Sequence[Job]) -> dict[str, Any]:
    return {"item_ids": [job.item_id for job in jobs], "tokens": [job.lease_token for job in jobs]}

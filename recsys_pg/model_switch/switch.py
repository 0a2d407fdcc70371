"""The steps of a switch, each of which can be repeated: killed anywhere, the same command completes it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

from recsys_pg.collaborative.tastes import alone_at_tastes, compute_tastes
from recsys_pg.db import vector_schema, vector_text
from recsys_pg.deferred_index import build_deferred
from recsys_pg.embedding import TextEmbedder, Worker
from recsys_pg.errors import DatabaseError, InvalidArgumentError, ModelError
from recsys_pg.indexes.connection import connected, connected_alone, try_lock
from recsys_pg.model_switch import standby
from recsys_pg.model_switch.exchange import PATIENCE_SECONDS, check_followers, empty_copy, exchange
from recsys_pg.model_switch.indexes import build_twins, drop_twins
from recsys_pg.model_switch.recall import standby_recall
from recsys_pg.types import Progress, unheard

_LOCK_KEY = 0x73776974
_PAUSE_SECONDS = 1.0
_QUERIES_A_BATCH = 64
_QUERIES = """
select q.query from recsys.query_embeddings q
where q.model_id = %s and not exists (
    select from recsys.query_embeddings o where o.model_id = %s and o.query_hash = q.query_hash)
order by q.last_used_at desc, q.query_hash
limit greatest(1, recsys_api._setting('search.cached_queries')::integer / 2)
"""
_USERS = "select count(*), count(*) filter (where u.embedding is not null) from recsys.users u"


@dataclass(frozen=True)
class SwitchReport:
    """What a switch did.

    Attributes:
        model: the name of the model that is active now.
        before: that of the one before, which is the way back.
        items: those that have a vector of the active model.
        uncovered: those that had one of the model before and have none now; most of them wait in the queue.
        recall: recall@10 of the vector index in searches that were held against all vectors.
        held_seconds: how long the switch itself kept readers and writers waiting.
        seconds: time it took in all.
    """

    model: str
    before: str
    items: int
    uncovered: int
    recall: float
    held_seconds: float
    seconds: float


def switch_model(
    engine: sa.Engine,
    embedder: TextEmbedder,
    *,
    min_coverage: float = 0.99,
    min_recall: float = 0.95,
    searches: int = 100,
    patience_seconds: float = PATIENCE_SECONDS,
    batch_size: int = 256,
    progress: Progress = unheard,
) -> SwitchReport | None:
    """Make the embedder's model the one that searches use, while they go on.

    All items are embedded by it beside the vectors in use, by this process and by any worker that has that
    model; then the indexes are built and users' tastes and kept search texts are computed, all beside; then
    coverage and recall are checked; then the names are exchanged. The model before becomes the standby model,
    whose vectors workers of that model keep up to date: a switch back takes seconds. `finish_switch` gives it
    up. Whatever ends this process, the same call goes on where it was.

    Args:
        engine: connects to the server itself, as the owner of the tables.
        min_coverage: the share of the items with a vector that must have one of the new model, 0 to 1.
        min_recall: of recall@10 of the new index, 0 to 1.
        searches: how many are made to measure that; each compares all vectors once.
        patience_seconds: how long transactions that hold the tables are waited for in the end.
        batch_size: items to embed at once.
        progress: called with what is done, of how much.

    Returns:
        What it did; None where the model is the active one already, as when it was killed at its very end.

    Raises:
        InvalidArgumentError: a number is out of range.
        ModelError: another model is the standby one; too few items could be embedded; recall is too low.
        UpgradeBlockedError: something that was built on the embeddings cannot follow.
        DatabaseError: another switch runs, or transactions hold the tables for longer.
        PermissionDeniedError, ReadOnlyDatabaseError, DatabaseUnavailableError: as their names say.
    """
    for argument, value in {"min_coverage": min_coverage, "min_recall": min_recall}.items():
        if not 0 <= value <= 1:
            raise InvalidArgumentError(f"{argument} is {value}.", "Pass a share, from 0 to 1.")
    if searches < 1:
        raise InvalidArgumentError(f"searches is {searches}.", "Pass a number above 0.")
    started = time.monotonic()
    with _alone(engine) as connection:
        before, _ = standby.models(connection)
        if before and (before.name, before.revision) == (embedder.name, embedder.revision):
            return None
        check_followers(connection)
        if standby.has_leftovers(connection):
            _clear(connection, progress)
        preparation = _Preparation(engine, connection, embedder, progress)
        preparation.embed(batch_size, min_coverage)
        preparation.compute_tastes()
        preparation.build()
        preparation.keep_queries(before.id if before else 0)
        recall = preparation.require_recall(min_recall, searches)
        # what came and changed meanwhile, which nobody else may have embedded
        covered = preparation.embed(batch_size, min_coverage)
        held = exchange(connection, progress, patience_seconds)
    return SwitchReport(
        model=embedder.name,
        before=before.name if before else "",
        items=covered.covered,
        uncovered=covered.items - covered.covered,
        recall=recall,
        held_seconds=held,
        seconds=time.monotonic() - started,
    )


def finish_switch(engine: sa.Engine, progress: Progress = unheard) -> str | None:
    """Give up the standby model and its vectors, the way back of a switch; returns its name, or None.

    Killed in between, the next call completes it; so it clears what is there without a standby model too.

    Raises:
        DatabaseError: a switch runs, or transactions hold a table for minutes.
        PermissionDeniedError, ReadOnlyDatabaseError, DatabaseUnavailableError: as their names say.
    """
    with _alone(engine) as connection:
        _, model = standby.models(connection)
        if model is not None:
            standby.retire(connection, model.id)
        _clear(connection, progress)
        if model is not None:
            # of items that came while the model was retired
            standby.drop_jobs(connection, model.id)
    return model.name if model else None


def _clear(connection: psycopg.Connection[Any], progress: Progress) -> None:
    """Remove indexes, narrow copy and vectors that are kept beside."""
    for name in drop_twins(connection):
        progress(f"drop {name}", 0, None)
    empty_copy(connection, progress)
    standby.clear(connection, progress)


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit that keeps other switches out; it ends with the process.

    Raises:
        DatabaseError: another process switches.
    """
    with connected(engine) as connection:
        if not try_lock(connection, _LOCK_KEY):
            raise DatabaseError(
                "The embedding model of this database is being switched by another process.",
                "Try again when that has ended.",
            )
        try:
            yield connection
        finally:
            with suppress(psycopg.Error):
                connection.execute("select pg_advisory_unlock(%s)", (_LOCK_KEY,))
                connection.execute("reset client_connection_check_interval")


class _Preparation:
    """What is done beside the vectors in use, while the shop is open."""

    def __init__(
        self,
        engine: sa.Engine,
        connection: psycopg.Connection[Any],
        embedder: TextEmbedder,
        progress: Progress,
    ) -> None:
        self._engine = engine
        self._connection = connection
        self._embedder = embedder
        self._progress = progress
        self.model_id = standby.register(connection, embedder.name, embedder.revision)

    def embed(self, batch_size: int, min_coverage: float) -> standby.Coverage:
        """Embed until what other workers hold, or what failed and is tried again later, is little enough.

        Returns how many items have a vector of the new model, which is enough.
        """
        worker = Worker(self._engine, self._embedder, batch_size=batch_size)
        while True:
            # of transactions that began before the model was registered, too
            standby.ask_for_vectors(self._connection, self.model_id, self._progress)
            worker.run_once(self._progress)
            left = standby.waiting(self._connection, self.model_id)
            found = standby.coverage(self._connection, self.model_id)
            if found.share >= min_coverage or left == 0:
                _require_coverage(found, min_coverage)
                return found
            self._progress("wait for texts that are tried again", found.covered, found.items)
            time.sleep(_PAUSE_SECONDS)

    def build(self) -> None:
        """The indexes, and what the planner knows."""
        build_deferred(self._engine, self._progress)
        if self._connection.execute("select 1 from recsys.deferred_indexes limit 1").fetchone():
            raise DatabaseError(
                "A load goes on that does without the vector index, which it builds in the end.",
                "Run the switch again after it: it goes on from here.",
            )
        with connected_alone(self._engine) as builder:
            build_twins(builder, self._progress)
        self._connection.execute("vacuum (analyze) recsys.standby_searchable_items")
        self._connection.execute("analyze recsys.items, recsys.users")

    def compute_tastes(self) -> None:
        """The users' tastes among the new vectors, where there are any among the old."""
        users, known = self._connection.execute(_USERS).fetchone() or (0, 0)
        self._connection.execute("select recsys_api._refresh_center(true)")
        if known:
            with alone_at_tastes(self._connection):
                compute_tastes(self._connection, users, self._progress, is_standby=True)

    def keep_queries(self, before_id: int) -> None:
        """Embed the texts that are searched for from SQL, so that these go on to find by meaning."""
        queries = [query for (query,) in self._connection.execute(_QUERIES, (before_id, self.model_id))]
        for first in range(0, len(queries), _QUERIES_A_BATCH):
            texts = queries[first : first + _QUERIES_A_BATCH]
            for text, vector in zip(texts, self._embedder.embed(texts), strict=True):
                self._connection.execute(
                    "select recsys_api.remember_query(%s, %s, %s)",
                    (text, vector_text(vector), self.model_id),
                )
            self._progress("embed kept queries", first + len(texts), len(queries))

    def require_recall(self, min_recall: float, searches: int) -> float:
        """recall@10 of the new index, which is enough."""
        found = standby_recall(self._connection, vector_schema(self._connection), searches, self._progress)
        if found is None or found < min_recall:
            raise ModelError(
                f"The index of the new vectors finds {found or 0:.3f} of what is nearest, less than"
                f" {min_recall:g}.",
                "Raise search.ef_search (recsys-pg calibrate measures it), or lower --min-recall; then run"
                " the switch again: it goes on from here.",
            )
        return found


def _require_coverage(found: standby.Coverage, min_coverage: float) -> None:
    if found.wrong:
        raise ModelError(
            f"{found.wrong:,} standby vectors are of another model, or differ from their narrow copy.",
            "Begin anew: recsys-pg model switch --finish, then the switch again.",
        )
    if found.share < min_coverage:
        raise ModelError(
            f"Only {found.covered:,} of {found.items:,} items with a vector have one of the new model:"
            f" {found.failed:,} failed, {found.without_text:,} have no text.",
            "recsys_report.failed_embeddings tells why; recsys-pg requeue tries them again. Or lower"
            " --min-coverage: the others are found by their words only.",
        )

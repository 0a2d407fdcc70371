"""Training from end to end: interactions in, an active item graph out."""

import math
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from recsys_pg.collaborative.content_map import ContentMap, learn_content_map
from recsys_pg.collaborative.histories import sampled_histories
from recsys_pg.collaborative.items import read_embeddings, read_features
from recsys_pg.collaborative.learner import Algorithm, learn, what_is_missing
from recsys_pg.collaborative.log import InteractionLog, read_interactions
from recsys_pg.collaborative.model import LearnedModel, learn_model
from recsys_pg.collaborative.operators.operator import Floats
from recsys_pg.collaborative.served import ServedFactors
from recsys_pg.collaborative.store import activate, write_model
from recsys_pg.config import DIMENSIONS
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.errors import DatabaseError, InvalidArgumentError
from recsys_pg.types import Progress

_HISTORIES = 20_000
_LOCK_KEY = 0x74726169  # "trai": one training at a time on a database


@dataclass(frozen=True)
class TrainReport:
    """What `train` did.

    Without enough interactions model_id and algorithm are None and the model that was active stays so;
    message says what is missing, and otherwise why the algorithm was taken.

    Attributes:
        users, items: those in a positive interaction.
        interactions: pairs of a user and an item that learning was from.
        neighbors_written: items that have neighbors, each a row of recsys.item_neighbors.
        seconds: time it took in all.
    """

    model_id: int | None
    algorithm: str | None
    users: int
    items: int
    interactions: int
    neighbors_written: int
    seconds: float
    message: str


def train(
    engine: sa.Engine,
    *,
    algorithm: Algorithm = "auto",
    neighbors: int = 100,
    reg: float | None = None,
    memory_gb: float = 4.0,
    holdout: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrainReport:
    """Learn the item graph from all interactions and make it the one that recommendations use.

    Then recount popularity and recompute the users' taste vectors, which is done even when there are too few
    interactions to learn from. Reading, writing and refreshing are a transaction each; none is open while the
    graph is learned. The same interactions, arguments and seed give the same graph.

    Args:
        engine: connects to the server itself, not through a transaction-pooling proxy, which would lose the
            lock that keeps a second training out.
        algorithm: auto takes EASE if it fits into memory_gb and at most 20,000 items have interactions.
        neighbors: edges stored an item, the strongest ones, 1 to 1,000.
        reg: regularization relative to the data, see `ease` (default 1.5) and `cosine` (default 20).
        memory_gb: what learning may allocate, in GB.
        holdout: latest likes of each user that the model is chosen by; left out, a tenth of them, 1 to 10.
        seed: of the samples that are drawn.
        progress: called during "read interactions", "learn item graph", "write item graph", "refresh
            popularity", "refresh tastes" and "refresh statistics".

    Raises:
        InvalidArgumentError: an argument is out of its range, or EASE was asked for and does not fit.
        DatabaseError: another training runs on this database.
        SchemaNotReadyError, PermissionDeniedError, ReadOnlyDatabaseError, DatabaseUnavailableError: as their
            names say.
    """
    _check_arguments(algorithm, neighbors, reg, memory_gb)
    report = progress or _unheard
    started = time.monotonic()
    model_id, chosen, written = None, None, 0
    with translated_errors(), _connected_alone(engine) as connection:
        report("read interactions", 0, None)
        with connection.begin():
            log = read_interactions(connection, report).liked_only()
            embeddings = read_embeddings(connection, log.item_ids, report)
            features = read_features(connection, log.item_ids, report)
        users, items = log.likes.shape
        counts = {"users": users, "items": items, "interactions": log.likes.nnz}
        message = what_is_missing(log.likes)
        if not message:
            graph = learn(
                log.likes.astype(np.float64),
                algorithm=algorithm,
                neighbors=neighbors,
                reg=reg,
                memory_gb=memory_gb,
                seed=seed,
                progress=report,
            )
            model = learn_model(
                log, embeddings, memory_gb=memory_gb, targets=holdout, seed=seed, progress=report
            )
            served = ServedFactors.of(model.factors)
            content = _content_map(served, model, log, embeddings, features, seed, report)
            chosen, message = graph.algorithm, graph.reason
            seconds = round(time.monotonic() - started, 3)
            with _autocommitted(engine) as storing:
                model_id, written = write_model(
                    storing,
                    graph.edges,
                    served,
                    [scale.residual for scale in model.factors.scales],
                    [scale.decay for scale in model.factors.scales],
                    content,
                    log.item_ids,
                    algorithm=graph.algorithm,
                    parameters={
                        "neighbors": neighbors,
                        "reg": graph.reg,
                        "seed": seed,
                        "terms": [asdict(term) for term in model.mixture.terms],
                    },
                    metrics=counts
                    | {
                        "edges": graph.edges.nnz,
                        "seconds": seconds,
                        "ndcg": model.mixture.ndcg,
                        "ndcg_alone": dict(model.mixture.alone),
                        "left_out": dict(model.left_out),
                    },
                    progress=report,
                )
                activate(storing, model_id)
        _refresh(connection, report)
    return TrainReport(
        model_id=model_id,
        algorithm=chosen,
        **counts,
        neighbors_written=written,
        seconds=time.monotonic() - started,
        message=message,
    )


def _check_arguments(algorithm: str, neighbors: int, reg: float | None, memory_gb: float) -> None:
    if algorithm not in get_args(Algorithm):
        raise InvalidArgumentError(f"algorithm is {algorithm!r}.", "Pass auto, ease or cosine.")
    if not 1 <= neighbors <= 1000:
        raise InvalidArgumentError(f"neighbors is {neighbors}, not 1 to 1000.", "Leave it out for 100.")
    if reg is not None and not 0 < reg < math.inf:
        raise InvalidArgumentError(f"reg is {reg}, not a positive number.", "Leave it out for the default.")
    if not 0 < memory_gb < math.inf:
        raise InvalidArgumentError(f"memory_gb is {memory_gb}, not a positive number.", "Pass GB, such as 4.")


@contextmanager
def _autocommitted(engine: sa.Engine) -> Iterator[psycopg.Connection[Any]]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield driver_connection(connection)


@contextmanager
def _connected_alone(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that keeps other trainings out while it lives, so that a killed process lets them in."""
    with engine.connect() as connection:
        try:
            with connection.begin():
                alone = connection.scalar(sa.text("select pg_try_advisory_lock(:key)"), {"key": _LOCK_KEY})
            if not alone:
                raise DatabaseError("Another training runs on this database.", "Try again when it has ended.")
            yield connection
        finally:
            with suppress(DBAPIError):  # in the middle of a query it cannot be told, and closing has to do
                connection.rollback()
                connection.execute(sa.text("select pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})
            # closed instead of given back to the pool, where it would keep the lock
            connection.invalidate()


def _content_map(
    served: ServedFactors,
    model: LearnedModel,
    log: InteractionLog,
    embeddings: Floats,
    features: Sequence[Collection[str]],
    seed: int,
    progress: Progress,
) -> ContentMap | None:
    """The map from content to factors; None when no item has any content, or it tells nothing."""
    if not np.isfinite(embeddings).any() and not any(features):
        return None
    progress("learn content map", 0, None)
    known = sampled_histories(log, _HISTORIES, seed=seed)
    queries = sum(
        known.decayed(scale.decay) @ history.astype(np.float32)
        for scale, history in zip(model.factors.scales, served.histories, strict=True)
    )
    # an error in a target costs what users ask for; one in a history, what targets differ by
    factors = served.parts()
    importance = np.concatenate(
        [(np.asarray(queries) ** 2).mean(axis=0), *(len(served.histories) * [(factors[:, :DIMENSIONS] ** 2).mean(axis=0)])]
    ).astype(np.float32)
    content = learn_content_map(factors, importance, embeddings, features, seed=seed)
    return content if content.error < 1 else None


def _refresh(connection: sa.Connection, progress: Progress) -> None:
    for phase, statement in (
        ("refresh new items", "select recsys_api.refresh_item_factors()"),
        ("refresh popularity", "select recsys_api.refresh_popularity()"),
        ("refresh tastes", "select recsys_api.refresh_tastes()"),
        ("refresh statistics", "analyze recsys.item_neighbors, recsys.item_popularity, recsys.users"),
    ):
        progress(phase, 0, None)
        with connection.begin():
            connection.execute(sa.text(statement))


def _unheard(phase: str, done: int, total: int | None) -> None:
    """Progress that nobody asked for."""

"""Training from end to end: interactions in, an active model out."""

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from recsys_pg.collaborative.active import ActiveModel, read_active
from recsys_pg.collaborative.comparison import Comparison
from recsys_pg.collaborative.content_map import ContentMap, Part, learn_content_map
from recsys_pg.collaborative.histories import sampled_histories
from recsys_pg.collaborative.items import read_embeddings, read_features
from recsys_pg.collaborative.learner import Algorithm, ItemGraph, learn, what_is_missing
from recsys_pg.collaborative.log import InteractionLog, read_interactions
from recsys_pg.collaborative.mixture import Term
from recsys_pg.collaborative.model import LearnedModel, learn_model
from recsys_pg.collaborative.operators.operator import Floats
from recsys_pg.collaborative.served import ServedFactors
from recsys_pg.collaborative.store import Trained, activate, drop_unused, write_model
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.errors import DatabaseError, InvalidArgumentError
from recsys_pg.types import Progress

_NOW = "select (extract(epoch from now() - timestamptz '2000-01-01 00:00+00') * 1000000)::bigint"
_EMBEDDING_MODEL = "select id from recsys.models where purpose = 'embedding' and is_active"
_LOCK_KEY = 0x74726169  # "trai": one training at a time on a database


@dataclass(frozen=True)
class TrainReport:
    """What `train` did.

    Without enough interactions model_id and algorithm are None and the model that was active stays so;
    message says what is missing, and otherwise how the model was chosen.

    Attributes:
        is_active: whether recommendations are made by the new model now.
        users, items: those in a positive interaction.
        interactions: pairs of a user and an item that learning was from.
        neighbors_written: items that have neighbors, each a row of recsys.item_neighbors.
        terms: the sum that the hybrid scores by; none when memory_gb sufficed for no operator.
        ndcg: NDCG@20 of the sum on what was held out; None when nothing could be.
        ndcg_alone: the same of each operator at its best decay.
        left_out: why each of the other operators was not tried.
        comparison: with the model that was active; None when too few users liked something since.
        seconds: time it took in all.
    """

    model_id: int | None
    is_active: bool
    algorithm: str | None
    users: int
    items: int
    interactions: int
    neighbors_written: int
    terms: Sequence[Term]
    ndcg: float | None
    ndcg_alone: Mapping[str, float]
    left_out: Mapping[str, str]
    comparison: Comparison | None
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
    force: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrainReport:
    """Learn from all interactions, and make the model the one that recommendations use unless it is worse.

    Learns the sum of operators that the hybrid serves, chosen by each user's latest likes, which are held
    out; the item graph of the method item_based; and the map by which new items compete. Then recounts
    popularity and recomputes the users' taste vectors, which is done even when there are too few interactions
    to learn from. Reading, writing and refreshing are a transaction each; none is open while the model is
    learned. The same interactions, arguments and seed give the same model.

    Args:
        engine: connects to the server itself, not through a transaction-pooling proxy, which would lose the
            lock that keeps a second training out.
        algorithm: of the item graph; auto takes EASE if it fits into memory_gb and at most 20,000 items have
            interactions.
        neighbors: edges stored an item, the strongest ones, 1 to 1,000.
        reg: regularization relative to the data, see `ease` (default 1.5) and `cosine` (default 20).
        memory_gb: what learning may allocate, in GB.
        holdout: latest likes of each user that the model is chosen by; left out, a tenth of them, 1 to 10.
        force: use the new model even if it is worse than the active one.
        seed: of the samples that are drawn.
        progress: called during "read interactions", "learn item graph", "learn …" of each operator, "compare
            operators", "write item graph", "refresh popularity", "refresh tastes" and others.

    Raises:
        InvalidArgumentError: an argument is out of its range, or EASE was asked for and does not fit.
        DatabaseError: another training runs on this database.
        SchemaNotReadyError, PermissionDeniedError, ReadOnlyDatabaseError, DatabaseUnavailableError: as their
            names say.
    """
    _check_arguments(algorithm, neighbors, reg, memory_gb, holdout)
    report = progress or _unheard
    started = time.monotonic()
    with translated_errors(), _connected_alone(engine) as connection:
        report("read interactions", 0, None)
        with connection.begin():
            material = _read(connection, report)
        log = material.log
        users, items = log.likes.shape
        outcome = TrainReport(
            None, False, None, users, items, log.likes.nnz, 0, (), None, {}, {}, None, 0, ""
        )
        outcome = replace(outcome, message=what_is_missing(log.likes))
        if not outcome.message:
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
                log,
                material.embeddings,
                memory_gb=memory_gb,
                targets=holdout,
                active=material.active,
                seed=seed,
                progress=report,
            )
            trained = _trained(graph, model, material, seed, report)
            outcome = _described(outcome, graph, model)
            _make_sure_to_be_alone(connection)
            with _autocommitted(engine) as storing:
                model_id, written = write_model(
                    storing,
                    trained,
                    algorithm=graph.algorithm,
                    parameters={
                        "neighbors": neighbors,
                        "reg": graph.reg,
                        "seed": seed,
                        "terms": [asdict(term) for term in outcome.terms],
                        "embedding_model_id": material.embedding_model_id,
                        "until": min(int(log.times.max()), material.read_at),
                    },
                    metrics=_metrics(outcome, trained, time.monotonic() - started),
                    progress=report,
                )
                outcome = replace(outcome, model_id=model_id, neighbors_written=written)
                if force or not (outcome.comparison and outcome.comparison.is_worse):
                    _make_sure_to_be_alone(connection)
                    activate(storing, model_id)
                    outcome = replace(outcome, is_active=True)
                drop_unused(storing, but=model_id)
        _refresh(connection, report)
    return replace(outcome, seconds=time.monotonic() - started)


def _make_sure_to_be_alone(connection: sa.Connection) -> None:
    """Fail when the connection is lost, and the lock with it."""
    with connection.begin():
        connection.execute(sa.text("select 1"))


@dataclass(frozen=True)
class _Material:
    """What is read for a training; embeddings and features of the items of the log.

    read_at is the time, in µs since 2000-01-01 UTC.
    """

    log: InteractionLog
    embeddings: Floats
    features: Sequence[Collection[str]]
    active: ActiveModel | None
    read_at: int
    embedding_model_id: int | None


def _read(connection: sa.Connection, progress: Progress) -> _Material:
    log = read_interactions(connection, progress).liked_only()
    return _Material(
        log,
        read_embeddings(connection, log.item_ids, progress),
        read_features(connection, log.item_ids, progress),
        read_active(driver_connection(connection), log.item_ids, progress) if len(log) else None,
        int(connection.scalar(sa.text(_NOW)) or 0),
        connection.scalar(sa.text(_EMBEDDING_MODEL)),
    )


def _trained(
    graph: ItemGraph, model: LearnedModel | None, material: _Material, seed: int, progress: Progress
) -> Trained:
    if model is None:
        return Trained(material.log.item_ids, graph.edges, None, (), (), None)
    served = ServedFactors.of(model.factors)
    return Trained(
        material.log.item_ids,
        graph.edges,
        served,
        [scale.residual for scale in model.factors.scales],
        [scale.decay for scale in model.factors.scales],
        _content_map(served, model, material, seed, progress),
    )


def _described(outcome: TrainReport, graph: ItemGraph, model: LearnedModel | None) -> TrainReport:
    outcome = replace(outcome, algorithm=graph.algorithm, message=graph.reason)
    if model is None:
        return replace(
            outcome,
            message=f"{graph.reason} No sum of operators: the memory or the interactions are too few for one."
            " So the hybrid goes by the item graph and the texts.",
        )
    return replace(
        outcome,
        terms=model.mixture.terms,
        ndcg=model.mixture.ndcg,
        ndcg_alone=model.mixture.alone,
        left_out=model.left_out,
        comparison=model.comparison,
    )


def _metrics(outcome: TrainReport, trained: Trained, seconds: float) -> dict[str, Any]:
    return {
        "users": outcome.users,
        "items": outcome.items,
        "interactions": outcome.interactions,
        "edges": trained.graph.nnz,
        "ndcg": outcome.ndcg,
        "ndcg_alone": dict(outcome.ndcg_alone),
        "left_out": dict(outcome.left_out),
        "comparison": asdict(outcome.comparison) if outcome.comparison else None,
        "seconds": round(seconds, 3),
    }


def _check_arguments(
    algorithm: str, neighbors: int, reg: float | None, memory_gb: float, holdout: int | None
) -> None:
    if algorithm not in get_args(Algorithm):
        raise InvalidArgumentError(f"algorithm is {algorithm!r}.", "Pass auto, ease or cosine.")
    if not 1 <= neighbors <= 1000:
        raise InvalidArgumentError(f"neighbors is {neighbors}, not 1 to 1000.", "Leave it out for 100.")
    if reg is not None and not 0 < reg < math.inf:
        raise InvalidArgumentError(f"reg is {reg}, not a positive number.", "Leave it out for the default.")
    if not 0 < memory_gb < math.inf:
        raise InvalidArgumentError(f"memory_gb is {memory_gb}, not a positive number.", "Pass GB, such as 4.")
    if holdout is not None and not 1 <= holdout <= 1000:
        raise InvalidArgumentError(f"holdout is {holdout}, not 1 to 1000.", "Leave it out for a tenth.")


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
    served: ServedFactors, model: LearnedModel, material: _Material, seed: int, progress: Progress
) -> ContentMap | None:
    """The map from content to factors; None when no item has any content, or it tells nothing."""
    if not np.isfinite(material.embeddings).any() and not any(material.features):
        return None
    progress("learn content map", 0, None)
    known = sampled_histories(material.log, seed=seed)
    queries = sum(
        known.decayed(scale.decay) @ history.astype(np.float32)
        for scale, history in zip(model.factors.scales, served.histories, strict=True)
    )
    targets, *histories = np.split(served.parts(), 1 + len(served.histories), axis=1)
    content = learn_content_map(
        [Part(targets, np.asarray(queries)), *(Part(history, targets) for history in histories)],
        material.embeddings,
        material.features,
        seed=seed,
    )
    return content if content.error < 1 else None


def _refresh(connection: sa.Connection, progress: Progress) -> None:
    for phase, statement in (
        ("refresh popularity", "select recsys_api.refresh_popularity()"),
        ("refresh tastes", "select recsys_api.refresh_tastes()"),
        ("refresh statistics", "analyze recsys.item_neighbors, recsys.item_popularity, recsys.users"),
    ):
        progress(phase, 0, None)
        with connection.begin():
            connection.execute(sa.text(statement))


def _unheard(phase: str, done: int, total: int | None) -> None:
    """Progress that nobody asked for."""

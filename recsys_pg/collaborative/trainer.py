"""Training from end to end: interactions in, an active model out."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from recsys_pg.collaborative.candidates import fitting
from recsys_pg.collaborative.checkpoints import Checkpoints
from recsys_pg.collaborative.comparison import Comparison
from recsys_pg.collaborative.content_map import ContentMap, Part, learn_content_map
from recsys_pg.collaborative.counts import read_counts
from recsys_pg.collaborative.factors import queries_of
from recsys_pg.collaborative.half_life import HALF_LIFE_KEY, HalfLife, adopt, choose_half_life
from recsys_pg.collaborative.histories import sampled_histories
from recsys_pg.collaborative.holdout import hold_out
from recsys_pg.collaborative.learner import Algorithm, ItemGraph, choose_by_size, learn, what_is_missing
from recsys_pg.collaborative.material import TrainingMaterial, read_factors_of, read_material
from recsys_pg.collaborative.memory import check_least, default_memory_gb, graph_memory_gb
from recsys_pg.collaborative.mixture import Term
from recsys_pg.collaborative.model import LearnedModel, learn_model
from recsys_pg.collaborative.options import check_arguments
from recsys_pg.collaborative.packing import ITEM_GRAPH
from recsys_pg.collaborative.prior import Prior
from recsys_pg.collaborative.served import ServedFactors
from recsys_pg.collaborative.size import size_of
from recsys_pg.collaborative.store import Trained, activate, drop_unused, write_model
from recsys_pg.collaborative.tastes import refresh_tastes
from recsys_pg.collaborative.trend import Trend
from recsys_pg.db import driver_connection, translated_errors
from recsys_pg.errors import DatabaseError, ReadOnlyDatabaseError
from recsys_pg.types import Progress, unheard

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
        held_out_users: of how many users something was held out.
        ndcg_alone: the same of each operator at its best decay.
        trend: how much more what is liked lately counts; None is no more.
        prior: how what the mean user is shown counts for people of whom little is known; None is not at all.
        half_life: of popularity, the one that foretells best what was held out; it becomes the setting
            popularity.half_life_days unless somebody has set that. None where nothing tells.
        left_out: why each of the other operators was not tried.
        comparison: with the model that was active; None when too few users liked something since.
        graph_ndcg: NDCG@20 of the item graph by each algorithm that was tried on what was held out.
        resumed: what a training that was killed had learned already.
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
    trend: Trend | None = None
    prior: Prior | None = None
    graph_ndcg: Mapping[str, float] = field(default_factory=dict)
    half_life: HalfLife | None = None
    resumed: Sequence[str] = ()
    held_out_users: int = 0


def train(
    engine: sa.Engine,
    *,
    algorithm: Algorithm = "auto",
    neighbors: int = 100,
    reg: float | None = None,
    memory_gb: float | None = None,
    holdout: int | None = None,
    force: bool = False,
    seed: int = 0,
    checkpoint_dir: Path | None = None,
    progress: Progress = unheard,
) -> TrainReport:
    """Learn from all interactions, and make the model the one that recommendations use unless it is worse.

    Learns the sum of operators that the hybrid serves, chosen by each user's latest likes, which are held
    out; the item graph of the method item_based; and the map by which new items compete. Then recounts
    popularity and recomputes the users' taste vectors, which is done even when there are too few interactions
    to learn from. Reading is one transaction, writing and refreshing are several; none is open while the
    model is learned. The same interactions, arguments and seed give the same model.

    Args:
        engine: connects to the server itself, not through a transaction-pooling proxy, which would lose the
            lock that keeps a second training out.
        algorithm: of the item graph; auto takes the one that foretells the held-out likes better, of those
            that fit into memory_gb: EASE only where at most 20,000 items have interactions.
        neighbors: edges stored an item, the strongest ones, 1 to 1,000.
        reg: regularization relative to the data, see `ease` (default 1.5) and `cosine` (default 20).
        memory_gb: what training may take in all, in GB, beside the 0.2 GB of Python and its libraries; None
            is half of the machine's memory, see `default_memory_gb`.
        holdout: latest likes of each user that the model is chosen by; left out, a tenth of them, 1 to 10.
        force: use the new model even if it is worse than the active one.
        seed: of the samples that are drawn.
        checkpoint_dir: a folder for what is learned, of this database alone, so that the next call goes on
            where this one was killed, if it has the same arguments and comes within a day. It then learns
            from what there was when the first began. Emptied of it at the end. None keeps nothing.
        progress: called during "read interactions", "learn item graph", "learn …" of each operator, "compare
            operators", "write item graph", "refresh popularity", "refresh tastes" and others.

    Raises:
        InvalidArgumentError: an argument is out of its range, EASE was asked for and does not fit, or not
            even the least fits into memory_gb.
        DatabaseError: another training runs on this database.
        SchemaNotReadyError, PermissionDeniedError, ReadOnlyDatabaseError, DatabaseUnavailableError: as their
            names say.
    """
    if memory_gb is None:
        memory_gb = default_memory_gb()
    check_arguments(algorithm, neighbors, reg, memory_gb, holdout)
    started = time.monotonic()
    checkpoints = Checkpoints(checkpoint_dir)
    with translated_errors(), _connected_alone(engine) as connection:
        progress("count interactions", 0, None)
        with connection.begin():
            size = read_counts(connection).size
        if size.users:
            check_least(size, neighbors, memory_gb)
        progress("read interactions", 0, None)
        with connection.begin():
            material = read_material(connection, checkpoints, seed=seed, progress=progress)
        log = material.log
        users, items = log.likes.shape
        outcome = TrainReport(
            None, False, None, users, items, log.likes.nnz, 0, (), None, {}, {}, None, 0, ""
        )
        outcome = replace(outcome, message=what_is_missing(log.likes))
        if not outcome.message:
            options = _Options(algorithm, neighbors, reg, memory_gb, holdout, seed)
            outcome, trained, how = _learned(
                connection, outcome, material, options, checkpoints=checkpoints, progress=progress
            )
            _make_sure_to_be_alone(connection)
            with _autocommitted(engine) as storing:
                model_id, written = write_model(
                    storing,
                    trained,
                    algorithm=how.algorithm,
                    parameters={
                        "neighbors": neighbors,
                        "reg": how.reg,
                        "seed": seed,
                        "terms": [asdict(term) for term in outcome.terms],
                        "trend": asdict(outcome.trend) if outcome.trend else None,
                        "prior": asdict(outcome.prior) if outcome.prior else None,
                        "embedding_model_id": material.embedding_model_id,
                        "until": min(int(log.times.max()), material.read_at),
                    },
                    metrics=_metrics(outcome, trained, time.monotonic() - started),
                    progress=progress,
                )
                outcome = replace(outcome, model_id=model_id, neighbors_written=written)
                if force or not (outcome.comparison and outcome.comparison.is_worse):
                    _make_sure_to_be_alone(connection)
                    activate(storing, model_id)
                    outcome = replace(outcome, is_active=True)
                drop_unused(storing, but=model_id)
        checkpoints.clear()
        outcome = _refreshed(engine, connection, outcome, progress)
    return replace(outcome, seconds=time.monotonic() - started, resumed=tuple(checkpoints.resumed))


@dataclass(frozen=True)
class _Options:
    """Arguments of `train`."""

    algorithm: Algorithm
    neighbors: int
    reg: float | None
    memory_gb: float
    holdout: int | None
    seed: int


def _learned(
    connection: sa.Connection,
    outcome: TrainReport,
    material: TrainingMaterial,
    options: _Options,
    *,
    checkpoints: Checkpoints,
    progress: Progress,
) -> tuple[TrainReport, Trained, ItemGraph]:
    """What is stored, and how it came about."""
    log, active = material.log, material.active
    fields = len({feature for of_item in material.features for feature in of_item})
    size = size_of(log, material.embeddings, fields=fields)
    selection = fitting(size, options.memory_gb, neighbors=options.neighbors)
    for_graph = graph_memory_gb(size, options.memory_gb, selection.neighbors)
    choose_by_size(options.algorithm, size.items, for_graph)
    progress("hold out", 0, None)
    held_out = hold_out(
        log, targets=options.holdout, since=active.until + 1 if active else None, seed=options.seed
    )
    asked = int(np.count_nonzero(np.diff(held_out.targets.indptr)))
    with connection.begin():
        in_use = connection.scalar(sa.text("select recsys_api._setting(:key)"), {"key": HALF_LIFE_KEY})
    half_life = choose_half_life(log, held_out, in_use, progress)
    outcome = replace(outcome, held_out_users=asked, half_life=half_life)
    model = learn_model(
        log,
        material.embeddings,
        selection=selection,
        memory_gb=options.memory_gb,
        holdout=held_out,
        read_active=partial(read_factors_of, connection, active, log, progress) if active else None,
        checkpoints=checkpoints,
        seed=options.seed,
        progress=progress,
    )
    outcome = _described(outcome, model)
    served = ServedFactors.of(model.factors) if model else None
    scales = model.factors.scales if model else ()
    residuals, decays = [scale.residual for scale in scales], [scale.decay for scale in scales]
    del model, scales  # the factors as they were found; those that are served are all that is needed
    material = material.described_by(selection.mapped, options.seed)
    content = _content_map(served, decays, material, options.seed, progress) if served else None
    graph = checkpoints.kept(
        "graph",
        "the item graph",
        (options.algorithm, options.neighbors, options.reg, for_graph, options.holdout, options.seed),
        ITEM_GRAPH,
        lambda: learn(
            log.likes,
            algorithm=options.algorithm,
            neighbors=options.neighbors,
            reg=options.reg,
            memory_gb=for_graph,
            seed=options.seed,
            progress=progress,
            holdout=held_out,
        ),
    )
    message = " ".join([graph.reason, outcome.message]).strip()
    outcome = replace(outcome, algorithm=graph.algorithm, graph_ndcg=graph.ndcg, message=message)
    return outcome, Trained(log.item_ids, graph.edges, served, residuals, decays, content), graph


def _make_sure_to_be_alone(connection: sa.Connection) -> None:
    """Fail when the connection is lost, and the lock with it."""
    with connection.begin():
        connection.execute(sa.text("select 1"))


def _described(outcome: TrainReport, model: LearnedModel | None) -> TrainReport:
    if model is None:
        return replace(
            outcome,
            message="No sum of operators: the memory or the interactions are too few for one."
            " So the hybrid goes by the item graph and the texts.",
        )
    return replace(
        outcome,
        terms=model.mixture.terms,
        ndcg=model.mixture.ndcg,
        ndcg_alone=model.mixture.alone,
        trend=model.trend,
        prior=model.prior,
        left_out=model.left_out,
        comparison=model.comparison,
    )


def _metrics(outcome: TrainReport, trained: Trained, seconds: float) -> dict[str, Any]:
    return {
        "users": outcome.users,
        "items": outcome.items,
        "interactions": outcome.interactions,
        "edges": trained.graph.nnz,
        "graph_ndcg": dict(outcome.graph_ndcg),
        "ndcg": outcome.ndcg,
        "held_out_users": outcome.held_out_users,
        "ndcg_alone": dict(outcome.ndcg_alone),
        "left_out": dict(outcome.left_out),
        "comparison": asdict(outcome.comparison) if outcome.comparison else None,
        "seconds": round(seconds, 3),
    }


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
                # said now, not when all is learned
                if connection.scalar(sa.text("select current_setting('transaction_read_only')::boolean")):
                    raise ReadOnlyDatabaseError(
                        "Training writes a model, and the database is read-only or a replica.",
                        "Train on the primary.",
                    )
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
    decays: Sequence[float],
    material: TrainingMaterial,
    seed: int,
    progress: Progress,
) -> ContentMap | None:
    """The map from content to factors; None when no item has any content, or it tells nothing."""
    described = material.described
    embeddings = material.embeddings[described].astype(np.float32)
    if not np.isfinite(embeddings[:, 0]).any() and not any(material.features):
        return None
    progress("learn content map", 0, None)
    known = sampled_histories(material.log, seed=seed)
    queries = sum(
        queries_of(known.decayed(decay), history)
        for decay, history in zip(decays, served.histories, strict=True)
    )
    targets, *histories = np.split(served.parts(described), 1 + len(served.histories), axis=1)
    content = learn_content_map(
        [Part(targets, np.asarray(queries)), *(Part(history, targets) for history in histories)],
        embeddings,
        material.features,
        seed=seed,
    )
    return content if content.error < 1 else None


def _refreshed(
    engine: sa.Engine, connection: sa.Connection, outcome: TrainReport, progress: Progress
) -> TrainReport:
    """The outcome, after popularity was counted by its half-life, and tastes by the model that is active."""
    progress("refresh popularity", 0, None)
    half_life = outcome.half_life
    with connection.begin():
        if half_life and half_life.days != half_life.days_in_use:
            adopted = adopt(driver_connection(connection), half_life)
            outcome = replace(outcome, half_life=replace(half_life, is_adopted=adopted))
        connection.execute(sa.text("select recsys_api.refresh_popularity()"))
    with _autocommitted(engine) as refreshing:
        refresh_tastes(refreshing, progress)
        progress("refresh statistics", 0, None)
        refreshing.execute("analyze recsys.item_neighbors, recsys.item_popularity, recsys.users")
    return outcome

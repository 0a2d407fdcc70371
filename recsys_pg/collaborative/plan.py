"""What a training would do, from counts alone: nothing is learned and nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from recsys_pg.collaborative.active import find_active
from recsys_pg.collaborative.candidates import Selection, fitting
from recsys_pg.collaborative.comparison import LEAST_USERS
from recsys_pg.collaborative.cost import UNSURE, expected_seconds, measured_speed
from recsys_pg.collaborative.counts import read_counts
from recsys_pg.collaborative.factors import MOST_NEIGHBORS
from recsys_pg.collaborative.holdout import asked_at_most
from recsys_pg.collaborative.learner import Algorithm, choose_by_size, missing
from recsys_pg.collaborative.memory import check_least, default_memory_gb, graph_memory_gb
from recsys_pg.collaborative.newcomers import newcomers_of
from recsys_pg.collaborative.options import check_arguments
from recsys_pg.collaborative.size import Size
from recsys_pg.config import DIMENSIONS
from recsys_pg.db import driver_connection, translated_errors

_TIME_SCALES = 3
_VECTOR_BYTES = 2 * DIMENSIONS + 8
_EDGE_BYTES = 12
_ROW_BYTES = 100
_INDEX_BYTES = 1300
_APART_BYTES = 4000
"""Rows and index entries of the histories, which are stored apart, and what pages leave empty, at most."""


@dataclass(frozen=True)
class TrainingPlan:
    """What `train` would do with the same arguments now.

    Attributes:
        users, items: those in a positive interaction.
        interactions: pairs of a user and an item that learning would be from.
        message: what is missing, so that nothing would be learned; empty otherwise.
        operators: that the sum of the hybrid is chosen from; `repeat` is added where people like again what
            they liked.
        left_out: why each of the others would not be tried.
        algorithms: of the item graph; of two, the better one by held-out likes is taken.
        memory_gb: the bound; peak_gb: what is expected to be taken at most.
        seconds: from and to which time is expected where nothing else computes; parts: how many seconds of
            what, in the middle.
        disk_gb: of the new model, beside those that are there.
        compared_users: of about how many users the latest likes would decide between the new model and the
            active one; None without an active one, and below 50 they would not.
    """

    users: int
    items: int
    interactions: int
    message: str
    operators: Sequence[str]
    left_out: Mapping[str, str]
    algorithms: Sequence[str]
    memory_gb: float
    peak_gb: float
    seconds: tuple[float, float]
    parts: Mapping[str, float]
    disk_gb: float
    compared_users: int | None

    @property
    def is_compared(self) -> bool:
        """Whether enough people liked something since the active model was learned."""
        return self.compared_users is not None and self.compared_users >= LEAST_USERS


def plan_training(
    engine: sa.Engine,
    *,
    algorithm: Algorithm = "auto",
    neighbors: int = 100,
    memory_gb: float | None = None,
    holdout: int | None = None,
) -> TrainingPlan:
    """What `train` would learn and what it would take; arguments as there.

    Counts the interactions, some seconds for ten million, and measures for a fraction of a second how fast
    this machine computes; the time that follows is a rough estimate, and not checked at every size.

    Raises:
        InvalidArgumentError: as `train`.
        SchemaNotReadyError, PermissionDeniedError, DatabaseUnavailableError: as their names say.
    """
    if memory_gb is None:
        memory_gb = default_memory_gb()
    check_arguments(algorithm, neighbors, None, memory_gb, holdout)
    with translated_errors(), engine.connect() as connection, connection.begin():
        active = find_active(driver_connection(connection))
        counts = read_counts(connection, since=active.until + 1 if active else None)
    size = counts.size
    message = missing(size.users, size.items, counts.longest)
    if message:
        return TrainingPlan(
            size.users, size.items, size.likes, message, (), {}, (), memory_gb, 0, (0, 0), {}, 0, None
        )
    check_least(size, neighbors, memory_gb)
    selection = fitting(size, memory_gb, neighbors=neighbors)
    chosen, _ = choose_by_size(algorithm, size.items, graph_memory_gb(size, memory_gb, selection.neighbors))
    asked = min(asked_at_most(size.items), counts.askable - newcomers_of(counts.askable, size.items))
    tells = algorithm == "auto" and chosen == "ease" and asked >= LEAST_USERS
    algorithms = ("ease", "cosine") if tells else (chosen,)
    parts = expected_seconds(size, selection.chosen, algorithms, counts.all_users, measured_speed())
    total = sum(parts.values())
    compared = None
    if active:
        compared = round(counts.recent * asked / max(1, counts.askable))
    return TrainingPlan(
        size.users,
        size.items,
        size.likes,
        "",
        [candidate.name for candidate in selection.chosen],
        selection.left_out,
        algorithms,
        memory_gb,
        selection.peak_gb,
        (total / UNSURE, total * UNSURE),
        parts,
        _disk_bytes(size, selection, neighbors) / 1e9,
        compared,
    )


def _disk_bytes(size: Size, selection: Selection, neighbors: int) -> float:
    """Of a model of three time scales, whose items have as many neighbors as they may."""
    an_item = _ROW_BYTES + _EDGE_BYTES * min(neighbors, size.items)
    if selection.chosen:
        residuals = min(selection.neighbors, MOST_NEIGHBORS, size.items)
        an_item += _ROW_BYTES + _VECTOR_BYTES * (1 + _TIME_SCALES) + _INDEX_BYTES + _APART_BYTES
        an_item += _TIME_SCALES * (_ROW_BYTES + _EDGE_BYTES * residuals)
    return float(an_item) * size.items

"""The active model, as far as a new one has to be compared with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from scipy.sparse import coo_array, csr_array

from recsys_pg.collaborative.copying import copied_rows, known_places
from recsys_pg.collaborative.histories import Histories, MeanQuery, served
from recsys_pg.collaborative.operators.operator import Floats, Halves, Sparse
from recsys_pg.collaborative.partitions import partition
from recsys_pg.collaborative.served import row_type
from recsys_pg.config import DIMENSIONS
from recsys_pg.types import Progress

_ROWS = 65_536


@dataclass(frozen=True)
class ActiveModel:
    """Which model is in use.

    until is the time of the last interaction that it was learned from, in µs since 2000-01-01 UTC; decays are
    those of its time scales. mean is what queries begin with.
    """

    model_id: int
    decays: Sequence[float]
    until: int
    mean: MeanQuery | None


@dataclass(frozen=True)
class ActiveFactors:
    """What a model knows that is needed to score all items of a log by histories of some of them.

    targets is (n_items, 384), zeros for items that the model does not know.
    known is (n,) ascending, the positions of the items that histories may have; histories is (n, 384) a
    scale, and residuals (n, n_items).
    """

    model: ActiveModel
    targets: Halves
    known: npt.NDArray[np.intp]
    histories: Sequence[Halves]
    residuals: Sequence[Sparse]

    def scores(self, histories: Histories) -> Floats:
        """(n_users, n_items), what the database computes."""
        return served(self._scores, histories)

    def _scores(self, histories: Histories) -> Floats:
        total: Floats = np.zeros((histories.n_users, histories.n_items), np.float32)
        queries: Floats = np.zeros((histories.n_users, DIMENSIONS), np.float32)
        for decay, history, residual in zip(self.model.decays, self.histories, self.residuals, strict=True):
            decayed = self._of_known(histories.decayed(decay))
            queries += decayed @ history.astype(np.float32)
            total += (decayed @ residual).toarray()
        if self.model.mean:
            queries += self.model.mean.queries(histories)
        for start in range(0, len(self.targets), _ROWS):
            part = slice(start, start + _ROWS)
            total[:, part] += queries @ self.targets[part].astype(np.float32).T
        return total

    def _of_known(self, decayed: Sparse) -> Sparse:
        is_known, columns = known_places(decayed.indices, self.known)
        rows = np.repeat(np.arange(decayed.shape[0]), np.diff(decayed.indptr))
        shape = (decayed.shape[0], len(self.known))
        return csr_array((decayed.data[is_known], (rows[is_known], columns)), shape=shape)


def find_active(connection: psycopg.Connection[Any]) -> ActiveModel | None:
    """The active model; None when there is none, or it has no factors."""
    row = connection.execute(
        "select id, decays, (parameters ->> 'until')::bigint, mean_query::real[], fade from recsys.models"
        " where purpose = 'collaborative' and is_active and decays is not null"
    ).fetchone()
    if row is None or row[2] is None:
        return None
    model_id, decays, until, mean_query, fade = row
    mean = None if mean_query is None else MeanQuery(np.array(mean_query, np.float32), fade)
    return ActiveModel(model_id, decays, until, mean)


def read_active(
    connection: psycopg.Connection[Any],
    active: ActiveModel,
    item_ids: npt.NDArray[np.int64],
    known: npt.NDArray[np.intp],
    progress: Progress,
) -> ActiveFactors:
    """What a model knows, with histories of the given items only: those of all would take several GB.

    Args:
        connection: to the database.
        active: the model.
        item_ids: (n_items,) ascending, those of the log.
        known: (n,) ascending, the positions of the items that histories may have; at least one.
        progress: called in each step.
    """
    scales = len(active.decays)
    targets = np.zeros((len(item_ids), DIMENSIONS), np.float16)
    histories = [np.zeros((len(known), DIMENSIONS), np.float16) for _ in range(scales)]
    statement = sql.SQL(
        "copy (select model_id, item_id, target, history, is_learned from {}) to stdout (format binary)"
    )
    done = 0
    for rows in copied_rows(
        connection, statement.format(partition("item_factors", active.model_id)), row_type(scales)
    ):
        chosen, positions = known_places(rows["item_id"]["value"].astype(np.int64), item_ids)
        targets[positions] = rows["target"]["value"][chosen]
        is_known, places = known_places(positions, known)
        values = rows["history"]["values"]["value"][chosen]
        for scale, history in enumerate(histories):
            history[places] = values[is_known, scale]
        done += len(rows)
        progress("read active model", done, max(done, len(item_ids)))
    residuals = _read_residuals(connection, active.model_id, item_ids, known, scales)
    return ActiveFactors(active, targets, known, histories, residuals)


_EDGE = np.dtype(
    [
        ("fields", ">i2"),
        ("item_length", ">i4"),
        ("item_id", ">i8"),
        ("scale_length", ">i4"),
        ("scale", ">i2"),
        ("neighbor_length", ">i4"),
        ("neighbor_id", ">i8"),
        ("weight_length", ">i4"),
        ("weight", ">f4"),
    ]
)


def _read_residuals(
    connection: psycopg.Connection[Any],
    model_id: int,
    item_ids: npt.NDArray[np.int64],
    known: npt.NDArray[np.intp],
    scales: int,
) -> list[Sparse]:
    statement = sql.SQL(
        "copy (select r.item_id, r.scale, e.neighbor_id, e.weight from {} r"
        " cross join unnest(r.neighbor_ids, r.weights) e (neighbor_id, weight)"
        " where r.item_id = any ({}::bigint[])) to stdout (format binary)"
    ).format(partition("item_residuals", model_id), sql.Literal(item_ids[known].tolist()))
    edges: list[list[tuple[npt.NDArray[Any], ...]]] = [[] for _ in range(scales)]
    for rows in copied_rows(connection, statement, _EDGE):
        has_both, neighbor = known_places(rows["neighbor_id"].astype(np.int64), item_ids)
        kept = rows[has_both]
        item = np.searchsorted(item_ids[known], kept["item_id"].astype(np.int64))
        for scale in range(scales):
            chosen = kept["scale"] == scale + 1
            edges[scale].append(
                (
                    kept["weight"][chosen].astype(np.float32),
                    item[chosen].astype(np.int32),
                    neighbor[chosen].astype(np.int32),
                )
            )
    shape = (len(known), len(item_ids))
    return [_graph(parts, shape) for parts in edges]


def _graph(parts: Sequence[tuple[npt.NDArray[Any], ...]], shape: tuple[int, int]) -> Sparse:
    if not parts:
        return csr_array(coo_array(shape, dtype=np.float32))
    weights, rows, columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return csr_array((weights, (rows, columns)), shape=shape)

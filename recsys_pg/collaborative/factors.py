"""From a sum of operators to vectors that a database can search, and a graph of what they cannot hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from recsys_pg.collaborative.histories import LENGTH, Histories
from recsys_pg.collaborative.operators.operator import Floats, Operator, Sparse
from recsys_pg.collaborative.singular import right_singular_vectors
from recsys_pg.types import Progress

_BLOCK = 1024
_ENTRIES_A_HISTORY = 2000


@dataclass(frozen=True)
class TimeScale:
    """One part of the score: that of the histories decayed by a factor a step back.

    history is (n_items, dimensions), what one unit of an item adds to a user's query vector; residual is
    (n_items, n_items), what it adds to the scores of single items beyond that.
    """

    decay: float
    history: Floats
    residual: Sparse


@dataclass(frozen=True)
class Factors:
    """A model as it is served: score = Σ histories(decay) · (history · targetsᵀ + residual) over its scales.

    targets is (n_items, dimensions).
    """

    targets: Floats
    scales: tuple[TimeScale, ...]

    def scaled(self, factor: float) -> "Factors":
        """The factors of which all scores are so many times as large."""
        return Factors(
            self.targets,
            tuple(
                TimeScale(scale.decay, scale.history * np.float32(factor), scale.residual * np.float32(factor))
                for scale in self.scales
            ),
        )

    def scores(self, histories: Histories) -> Floats:
        """(n_users, n_items), what the database computes."""
        total: Floats = np.zeros((histories.n_users, histories.n_items), np.float32)
        for scale in self.scales:
            decayed = histories.decayed(scale.decay)
            total += (decayed @ scale.history) @ self.targets.T + (decayed @ scale.residual).toarray()
        return total


def factorize(
    operators: Sequence[tuple[float, Operator]],
    histories: Histories,
    *,
    dimensions: int = 383,
    neighbors: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Factors:
    """The factors that come nearest to a sum of operators.

    The targets are the leading right singular vectors of the scores of the given histories, so that they hold
    what differs most between users; each operator is projected on them. Of what remains, the entries of
    largest absolute value of each row are kept.

    Args:
        operators: pairs of a decay and the operator on histories of that decay.
        histories: of users as they will be asked, the more the better.
        dimensions: of the vectors, cut to what there are.
        neighbors: entries of a row of the residual; None is 20 to 100, the more the fewer items of a history
            count at the decay, so that adding them up costs about the same.
        seed: of the randomized decomposition.
        progress: called in each step.
    """
    parts = [(histories.decayed(decay), operator) for decay, operator in operators]

    def times(vectors: Floats) -> Floats:
        total: Floats = sum(
            (decayed @ operator.times(vectors) for decayed, operator in parts),
            start=np.zeros((histories.n_users, vectors.shape[1]), np.float32),
        )
        return total

    def transposed_times(vectors: Floats) -> Floats:
        total: Floats = sum(
            (operator.transposed_times(decayed.T @ vectors) for decayed, operator in parts),
            start=np.zeros((histories.n_items, vectors.shape[1]), np.float32),
        )
        return total

    if progress:
        progress("factorize", 0, None)
    dimensions = min(dimensions, histories.n_items, histories.n_users)
    targets = right_singular_vectors(times, transposed_times, histories.n_items, dimensions, seed=seed)
    scales = []
    for decay, operator in operators:
        history = operator.times(targets)
        kept = neighbors or _neighbors(decay)
        scales.append(TimeScale(decay, history, _residual(operator, history, targets, kept, progress)))
    return Factors(targets, tuple(scales))


def _neighbors(decay: float) -> int:
    counting = LENGTH if decay == 1 else min(LENGTH, 1 / (1 - decay))
    return int(np.clip(_ENTRIES_A_HISTORY / counting, 20, 100))


def _residual(
    operator: Operator, history: Floats, targets: Floats, neighbors: int, progress: Progress | None
) -> Sparse:
    n_items = operator.n_items
    kept = min(neighbors, n_items)
    blocks = []
    for start in range(0, n_items, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n_items))
        rest = operator.rows(rows) - history[rows] @ targets.T
        columns = np.sort(np.argpartition(-np.abs(rest), kept - 1, axis=1)[:, :kept], axis=1)
        values = np.take_along_axis(rest, columns, axis=1)
        blocks.append(
            csr_array((values.ravel(), columns.ravel(), np.arange(0, columns.size + 1, kept)), rest.shape)
        )
        if progress:
            progress("keep what remains", rows.stop, n_items)
    residual = csr_array(vstack(blocks, format="csr"))
    residual.eliminate_zeros()
    return residual

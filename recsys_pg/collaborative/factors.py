"""From a sum of operators to vectors that a database can search, and a graph of what they cannot hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from recsys_pg.collaborative.graph import strongest, strongest_sparse
from recsys_pg.collaborative.histories import Histories
from recsys_pg.collaborative.operators.operator import Floats, Operator, Sparse
from recsys_pg.collaborative.singular import right_singular_vectors
from recsys_pg.types import Progress

DENSE_ITEMS = 50_000
"""Items up to which all entries of the residual are looked at, whose number is their square."""

_BLOCK = 1024
_ENTRIES = 50_000_000
_ENTRIES_A_HISTORY = 5000
_FEWEST_NEIGHBORS, _MOST_NEIGHBORS = 20, 200


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
                TimeScale(
                    scale.decay, scale.history * np.float32(factor), scale.residual * np.float32(factor)
                )
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
    dimensions: int = 384,
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
        neighbors: entries of a row of the residual; None is 20 to 200, the more the fewer items of a history
            count at the decay, so that adding them up costs about the same, 5,000 entries.
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
    typical = len(histories.users) / max(1, histories.n_users)
    scales = []
    for decay, operator in operators:
        history = operator.times(targets)
        kept = neighbors or _neighbors(typical, decay)
        scales.append(TimeScale(decay, history, _residual(operator, history, targets, kept, progress)))
    return Factors(targets, tuple(scales))


def _neighbors(typical: float, decay: float) -> int:
    """How many neighbors an item has in the residual, where a typical history has so many items."""
    counting = typical if decay == 1 else min(typical, 1 / (1 - decay))
    return int(np.clip(_ENTRIES_A_HISTORY / max(1, counting), _FEWEST_NEIGHBORS, _MOST_NEIGHBORS))


def _residual(
    operator: Operator, history: Floats, targets: Floats, neighbors: int, progress: Progress | None
) -> Sparse:
    """(n_items, n_items), of each row of B − history · targetsᵀ the entries of largest absolute value.

    With a sparse graph in a large catalogue, among the entries of the graph only: all others have low rank by
    themselves, and to compute them all takes the square of the items.
    """
    n_items = operator.n_items
    in_graph = n_items > DENSE_ITEMS and not isinstance(operator.graph, np.ndarray)
    block = _BLOCK if in_graph else max(1, _ENTRIES // n_items)
    rests = []
    for start in range(0, n_items, block):
        rows = slice(start, min(start + block, n_items))
        rests.append(
            strongest_sparse(_rest_in_graph(operator, history, targets, rows), neighbors)
            if in_graph
            else strongest(operator.rows(rows) - history[rows] @ targets.T, neighbors)
        )
        if progress:
            progress("keep what remains", rows.stop, n_items)
    return csr_array(vstack(rests, format="csr"))


def _rest_in_graph(operator: Operator, history: Floats, targets: Floats, rows: slice) -> Sparse:
    if operator.graph is None:
        return csr_array((rows.stop - rows.start, operator.n_items), dtype=np.float32)
    rest = csr_array(operator.graph[rows], copy=True)
    of_row = np.repeat(np.arange(rows.start, rows.stop), np.diff(rest.indptr))
    for first in range(0, rest.nnz, _BLOCK * 64):
        part = slice(first, first + _BLOCK * 64)
        row, column = of_row[part], rest.indices[part]
        rest.data[part] -= np.einsum("ij,ij->i", history[row], targets[column])
        if operator.left is not None and operator.right is not None:
            rest.data[part] += np.einsum("ij,ij->i", operator.left[row], operator.right[column])
    return rest

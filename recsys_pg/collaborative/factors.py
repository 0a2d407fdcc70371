"""From a sum of operators to vectors that a database can search, and a graph of what they cannot hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from recsys_pg.collaborative.asked import MANY_ITEMS, AskedScores
from recsys_pg.collaborative.graph import stacked, strongest, strongest_sparse
from recsys_pg.collaborative.histories import Histories, MeanQuery, served
from recsys_pg.collaborative.operators.operator import Floats, Halves, OperatorSum, Sparse
from recsys_pg.collaborative.singular import right_singular_vectors
from recsys_pg.collaborative.threads import in_threads
from recsys_pg.types import Progress, unheard

MOST_NEIGHBORS = 200
"""Entries of a row of the residual."""

LARGEST_HALF = 60_000.0
"""A little below what half precision holds: no vector in PostgreSQL may hold its infinity."""

_BLOCK = 1024
_ENTRIES = 50_000_000
_ENTRIES_A_HISTORY = 5000
_ENTRIES_IN_LARGE = 2000
_FEWEST_NEIGHBORS = 20
_COLUMNS = 100_000


@dataclass(frozen=True)
class TimeScale:
    """One part of the score: that of the histories decayed by a factor a step back.

    history is (n_items, dimensions), what one unit of an item adds to a user's query vector; residual is
    (n_items, n_items), what it adds to the scores of single items beyond that.
    """

    decay: float
    history: Floats | Halves
    residual: Sparse


@dataclass(frozen=True)
class Factors:
    """A model as it is served: score = Σ histories(decay) · (history · targetsᵀ + residual) over its scales.

    targets is (n_items, dimensions). In a large catalogue the histories are in half precision. With a prior,
    queries begin with a mean one.
    """

    targets: Floats
    scales: tuple[TimeScale, ...]
    mean: MeanQuery | None = None

    def scale_scores(self, factor: float) -> None:
        """Make all scores so many times as large, in place: what is copied may not fit the memory."""
        for scale in self.scales:
            scale.residual.data *= np.float32(factor)
            for start in range(0, len(scale.history), _BLOCK):
                part = scale.history[start : start + _BLOCK]
                part[:] = np.clip(part.astype(np.float32) * np.float32(factor), *_limits(part))

    def scores(self, histories: Histories) -> Floats:
        """(n_users, n_items), what the database computes, which cuts the residuals of long histories."""
        return served(self._scores, histories)

    def _scores(self, histories: Histories) -> Floats:
        total: Floats = np.zeros((histories.n_users, histories.n_items), np.float32)
        total += self.queries(histories) @ self.targets.T
        for scale in self.scales:
            total += (histories.decayed(scale.decay) @ scale.residual).toarray()
        return total

    def queries(self, histories: Histories) -> Floats:
        """(n_users, dimensions), what the targets are multiplied with."""
        total: Floats = np.zeros((histories.n_users, self.targets.shape[1]), np.float32)
        for scale in self.scales:
            total += queries_of(histories.decayed(scale.decay), scale.history)
        if self.mean:
            total += self.mean.queries(histories)
        return total


def queries_of(decayed: Sparse, history: Floats | Halves) -> Floats:
    """decayed · history, (n_users, dimensions), converting only the rows of history that occur in it."""
    items, columns = np.unique(decayed.indices, return_inverse=True)
    total: Floats = np.zeros((decayed.shape[0], history.shape[1]), np.float32)
    used = csr_array((decayed.data, columns, decayed.indptr), shape=(decayed.shape[0], len(items)))
    if len(items) <= _COLUMNS:
        return total if not len(items) else total + used @ history[items].astype(np.float32)
    by_item = used.tocsc()
    for start in range(0, len(items), _COLUMNS):
        part = slice(start, start + _COLUMNS)
        total += by_item[:, part] @ history[items[part]].astype(np.float32)
    return total


def factorize(
    operators: Sequence[tuple[float, OperatorSum]],
    histories: Histories,
    *,
    dimensions: int = 384,
    neighbors: int | None = None,
    most_neighbors: int = MOST_NEIGHBORS,
    seed: int = 0,
    progress: Progress = unheard,
) -> Factors:
    """The factors that come nearest to a sum of operators, up to one factor of all scores.

    The targets are the leading right singular vectors of the scores of the given histories, so that they hold
    what differs most between users; each operator is projected on them. Of what remains, the entries of
    largest absolute value of each row are kept.

    Args:
        operators: pairs of a decay and the operator on histories of that decay.
        histories: of users as they will be asked, the more the better.
        dimensions: of the vectors, cut to what there are.
        neighbors: entries of a row of the residual; None is 20 to 200, the more the fewer items of a history
            count at the decay, so that adding them up costs about the same: 5,000 entries, 2,000 in a
            catalogue of more than 50,000 items, whose search takes longer too.
        most_neighbors: where the memory allows for no more, at least 20.
        seed: of the randomized decomposition.
        progress: called in each step.
    """

    def report(phase: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(phase, done, total)

    dimensions = min(dimensions, histories.n_items, histories.n_users)
    asked = AskedScores(operators, histories)
    targets = right_singular_vectors(
        asked.times,
        asked.transposed_times,
        histories.n_items,
        dimensions,
        seed=seed,
        progress=report("factorize"),
    )
    del asked
    typical = len(histories.users) / max(1, histories.n_users)
    is_large = histories.n_items > MANY_ITEMS
    unit = _half_unit(operators, targets) if is_large else np.float32(1)
    scales = []
    for number, (decay, operator) in enumerate(operators, start=1):
        history: Floats | Halves = np.empty(targets.shape, np.float16 if is_large else np.float32)
        residual = _residual(
            operator,
            targets,
            history,
            unit,
            neighbors=neighbors or min(most_neighbors, _neighbors(typical, decay, is_large)),
            progress=report(f"keep what remains {number}"),
        )
        scales.append(TimeScale(decay, history, residual))
    return Factors(targets, tuple(scales))


def _half_unit(operators: Sequence[tuple[float, OperatorSum]], targets: Floats) -> np.float32:
    """A power of two by which no history vector exceeds what half precision holds, nor drowns in it."""
    first = np.ascontiguousarray(targets[:, :8])
    largest = 0.0
    for _, operator in operators:
        projected = operator.rows_times(first)
        for start in range(0, len(targets), _BLOCK):
            rows = projected(slice(start, min(start + _BLOCK, len(targets))))
            largest = max(largest, float(np.abs(rows).max()))
    return np.float32(2.0 ** -np.floor(np.log2(largest))) if largest > 0 else np.float32(1)


def _limits(part: Floats | Halves) -> tuple[float, float]:
    limit = float(np.finfo(part.dtype).max) if part.dtype == np.float32 else LARGEST_HALF
    return -limit, limit


def _neighbors(typical: float, decay: float, is_large: bool) -> int:
    """How many neighbors an item has in the residual, where a typical history has so many items."""
    counting = typical if decay == 1 else min(typical, 1 / (1 - decay))
    entries = _ENTRIES_IN_LARGE if is_large else _ENTRIES_A_HISTORY
    return int(np.clip(entries / max(1, counting), _FEWEST_NEIGHBORS, MOST_NEIGHBORS))


def _residual(
    operator: OperatorSum,
    targets: Floats,
    history: Floats | Halves,
    unit: np.float32,
    *,
    neighbors: int,
    progress: Callable[[int, int], None],
) -> Sparse:
    """(n_items, n_items), of each row of B − history · targetsᵀ the entries of largest absolute value.

    Fills history, (n_items, dimensions), with B · targets. Both are times unit.

    In a large catalogue, of a sum without dense graphs: the entries of its graph that targets do not hold,
    G − G · targets · targetsᵀ where G is not 0. All others have low rank by themselves, and to compute them
    takes the square of the items.
    """
    n_items = operator.n_items
    in_graph = n_items > MANY_ITEMS and operator.is_sparse
    block = _BLOCK if in_graph else max(1, _ENTRIES // n_items)
    projected = operator.rows_times(targets, with_graphs=not in_graph)

    def rest_of(start: int) -> Sparse:
        rows = slice(start, min(start + block, n_items))
        of_rows = projected(rows)
        if in_graph:
            graph = operator.graph_rows(rows)
            of_rows += _taken_from(graph, targets)
            rest = strongest_sparse(graph, neighbors)
        else:
            rest = strongest(operator.rows(rows) - of_rows @ targets.T, neighbors)
        history[rows] = of_rows * unit
        rest.data *= unit
        return rest

    starts = range(0, n_items, block)
    rests = []
    for rest in in_threads(rest_of, starts) if in_graph else map(rest_of, starts):
        rests.append(rest)
        progress(min(len(rests) * block, n_items), n_items)
    return stacked(rests)


def _taken_from(graph: Sparse, targets: Floats) -> Floats:
    """graph · targets, (n, dimensions); what that says of the graph's entries, (n, n_items), is taken off.

    Row by row, so that what is gathered is small enough for a processor's cache and serves both products.
    """
    told: Floats = np.zeros((graph.shape[0], targets.shape[1]), np.float32)
    for row, (start, stop) in enumerate(pairwise(graph.indptr)):
        gathered = targets[graph.indices[start:stop]]
        told[row] = graph.data[start:stop] @ gathered
        graph.data[start:stop] -= gathered @ told[row]
    return told

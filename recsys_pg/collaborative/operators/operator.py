"""What every learned model is: a linear map from what somebody did to a score of every item."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats: TypeAlias = npt.NDArray[np.float32]
Sparse: TypeAlias = csr_array[np.float32]


@dataclass(frozen=True)
class Operator:
    """B = left · rightᵀ + graph, (n_items, n_items): B[j, i] is what item j of a history adds to i's score.

    left and right are (n_items, d) or None, graph is dense, sparse or None; not all of them are None.
    """

    left: Floats | None = None
    right: Floats | None = None
    graph: Floats | Sparse | None = None

    @property
    def n_items(self) -> int:
        """Side of the matrix."""
        part = self.graph if self.left is None else self.left
        assert part is not None  # noqa: S101
        return int(part.shape[0])

    def scores(self, histories: Sparse) -> Floats:
        """histories · B: (n_users, n_items) of weights in, of scores out."""
        total: Floats = np.zeros((histories.shape[0], self.n_items), np.float32)
        if self.left is not None and self.right is not None:
            total += (histories @ self.left) @ self.right.T
        if self.graph is not None:
            total += dense(histories @ self.graph)
        return total

    def times(self, vectors: Floats) -> Floats:
        """B · vectors, (n_items, k) in and out."""
        total: Floats = np.zeros_like(vectors)
        if self.left is not None and self.right is not None:
            total += self.left @ (self.right.T @ vectors)
        if self.graph is not None:
            total += self.graph @ vectors
        return total

    def transposed_times(self, vectors: Floats) -> Floats:
        """Bᵀ · vectors, (n_items, k) in and out."""
        total: Floats = np.zeros_like(vectors)
        if self.left is not None and self.right is not None:
            total += self.right @ (self.left.T @ vectors)
        if self.graph is not None:
            total += self.graph.T @ vectors
        return total

    def rows(self, block: slice) -> Floats:
        """Some rows of B, dense: (n, n_items)."""
        total: Floats = np.zeros((len(range(*block.indices(self.n_items))), self.n_items), np.float32)
        if self.left is not None and self.right is not None:
            total += self.left[block] @ self.right.T
        if self.graph is not None:
            total += dense(self.graph[block])
        return total


def dense(matrix: Floats | Sparse) -> Floats:
    """The matrix as an array."""
    return matrix.toarray() if isinstance(matrix, csr_array) else matrix


class OperatorSum:
    """Σ weight · B of operators that are added one after the other, so that only the sum need be kept."""

    def __init__(self) -> None:
        self._lefts: list[Floats] = []
        self._rights: list[Floats] = []
        self._graph: Floats | Sparse | None = None

    def add(self, operator: Operator, weight: float) -> None:
        """Add weight · B; the operator stays as it is."""
        if operator.left is not None and operator.right is not None:
            self._lefts.append(operator.left * np.float32(weight))
            self._rights.append(operator.right)
        if operator.graph is not None:
            self._graph = _added(self._graph, operator.graph * np.float32(weight))

    def total(self) -> Operator:
        """The sum of what was added, at least one operator."""
        if not self._lefts:
            return Operator(graph=self._graph)
        return Operator(np.hstack(self._lefts), np.hstack(self._rights), self._graph)


def _added(graph: Floats | Sparse | None, more: Floats | Sparse) -> Floats | Sparse:
    """Both may be changed; the result is one of them where one is dense."""
    if graph is None:
        return more
    if isinstance(graph, csr_array) and isinstance(more, csr_array):
        return csr_array(graph + more)
    if isinstance(graph, csr_array):
        graph, more = more, graph
    graph += more if not isinstance(more, csr_array) else more.toarray()
    return graph

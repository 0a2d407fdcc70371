"""What every learned model is: a linear map from what somebody did to a score of every item."""

from collections.abc import Sequence
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


def weighted_sum(operators: Sequence[Operator], weights: Sequence[float]) -> Operator:
    """Σ weight · B over at least one operator, all of the same side."""
    lefts, rights = [], []
    graph: Floats | Sparse | None = None
    for operator, weight in zip(operators, weights, strict=True):
        if operator.left is not None and operator.right is not None:
            lefts.append(operator.left * np.float32(weight))
            rights.append(operator.right)
        if operator.graph is not None:
            graph = _added(graph, operator.graph * np.float32(weight))
    return Operator(np.hstack(lefts) if lefts else None, np.hstack(rights) if rights else None, graph)


def _added(graph: Floats | Sparse | None, more: Floats | Sparse) -> Floats | Sparse:
    if graph is None:
        return more
    if isinstance(graph, csr_array) and isinstance(more, csr_array):
        return csr_array(graph + more)
    return dense(graph) + dense(more)

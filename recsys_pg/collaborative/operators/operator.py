"""What every learned model is: a linear map from what somebody did to a score of every item."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats: TypeAlias = npt.NDArray[np.float32]
Halves: TypeAlias = npt.NDArray[np.float16]
Sparse: TypeAlias = csr_array[np.float32]


class Scorer(Protocol):
    """What scores all items by what somebody did."""

    def scores(self, histories: Sparse) -> Floats:
        """(n_users, n_items) of weights in, of scores out."""


@dataclass(frozen=True)
class Operator:
    """B = D · left · rightᵀ + graph: B[j, i] is what item j of a history adds to the score of item i.

    left and right are (n_items, d) or None, graph is dense, sparse or None; not all of them are None. D is
    the diagonal matrix of ratio, (n_items,), or of ones: with it, one matrix may be both left and right.
    """

    left: Floats | None = None
    right: Floats | None = None
    graph: Floats | Sparse | None = None
    ratio: Floats | None = None

    @property
    def n_items(self) -> int:
        """Side of the matrix."""
        part = self.graph if self.left is None else self.left
        assert part is not None  # noqa: S101
        return int(part.shape[0])

    def scores(self, histories: Sparse) -> Floats:
        """histories · B: (n_users, n_items) of weights in, of scores out."""
        of_graph = None if self.graph is None else dense(histories @ self.graph)
        if self.right is None:
            assert of_graph is not None  # noqa: S101
            return of_graph
        total: Floats = self.queries(histories) @ self.right.T
        if of_graph is not None:
            total += of_graph
        return total

    def queries(self, histories: Sparse) -> Floats:
        """histories · D · left, (n_users, d): what is multiplied with right; there is a left matrix."""
        assert self.left is not None  # noqa: S101
        queries: Floats = self._weighed(histories) @ self.left
        return queries

    def rows(self, block: slice) -> Floats:
        """Some rows of B, dense: (n, n_items)."""
        total: Floats = np.zeros((len(range(*block.indices(self.n_items))), self.n_items), np.float32)
        if self.left is not None and self.right is not None:
            total += self.left_rows(np.arange(*block.indices(self.n_items))) @ self.right.T
        if self.graph is not None:
            total += dense(self.graph[block])
        return total

    def left_rows(self, items: npt.NDArray[np.signedinteger]) -> Floats:
        """Some rows of D · left; there is a left matrix."""
        assert self.left is not None  # noqa: S101
        rows: Floats = self.left[items]
        return rows if self.ratio is None else rows * self.ratio[items, None]

    def _weighed(self, histories: Sparse) -> Sparse:
        if self.ratio is None:
            return histories
        data = histories.data * self.ratio[histories.indices]
        return csr_array((data, histories.indices, histories.indptr), shape=histories.shape)


def dense(matrix: Floats | Sparse) -> Floats:
    """The matrix as an array."""
    return matrix.toarray() if isinstance(matrix, csr_array) else matrix


class OperatorSum:
    """Σ weight · B · G over its terms, G the diagonal matrix of gains, (n_items,), or of ones.

    Refers to the operators: one that several sums hold is in memory once.
    """

    def __init__(self, terms: Sequence[tuple[float, Operator]], gains: Floats | None = None) -> None:
        self.terms = [(np.float32(weight), operator) for weight, operator in terms]
        self.gains = gains

    @property
    def n_items(self) -> int:
        """Side of the matrix."""
        return self.terms[0][1].n_items

    @property
    def is_sparse(self) -> bool:
        """Whether no graph is dense."""
        return not any(isinstance(operator.graph, np.ndarray) for _, operator in self.terms)

    def rows(self, block: slice) -> Floats:
        """Some rows of the sum, dense: (n, n_items)."""
        total = self._added(lambda operator: operator.rows(block))
        if self.gains is not None:
            total *= self.gains
        return total

    def rows_times(self, vectors: Floats, *, with_graphs: bool = True) -> Callable[[slice], Floats]:
        """What gives some rows of the sum · vectors, (n, k), without all the others; or of all but graphs."""
        if self.gains is not None:
            vectors = vectors * self.gains[:, None]
        inner = [None if operator.right is None else operator.right.T @ vectors for _, operator in self.terms]

        def rows(block: slice) -> Floats:
            items = np.arange(block.start, block.stop)
            total: Floats = np.zeros((len(items), vectors.shape[1]), np.float32)
            for (weight, operator), folded in zip(self.terms, inner, strict=True):
                if folded is not None:
                    total += weight * (operator.left_rows(items) @ folded)
                if with_graphs and operator.graph is not None:
                    total += weight * (operator.graph[block] @ vectors)
            return total

        return rows

    def graph_rows(self, block: slice) -> Sparse:
        """Some rows of the sum of the graphs, (n, n_items), where no graph is dense."""
        total = csr_array((block.stop - block.start, self.n_items), dtype=np.float32)
        for weight, operator in self.terms:
            if isinstance(operator.graph, csr_array):
                total = csr_array(total + operator.graph[block] * weight)
        if self.gains is not None:
            total.data *= self.gains[total.indices]
        return total

    def _added(self, applied: Callable[[Operator], Floats]) -> Floats:
        weight, first = self.terms[0]
        total = applied(first)
        total *= weight
        for weight, operator in self.terms[1:]:
            part = applied(operator)
            part *= weight
            total += part
        return total

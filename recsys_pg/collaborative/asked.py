"""What a sum of operators scores for some histories: a matrix that is known by its products."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csc_array, csr_array

from recsys_pg.collaborative.graph import stacked, strongest_sparse
from recsys_pg.collaborative.histories import Histories
from recsys_pg.collaborative.operators.operator import Floats, OperatorSum, Sparse
from recsys_pg.collaborative.threads import in_threads

MANY_ITEMS = 50_000
"""Items above which no work may grow with their square: the scores by sparse graphs are computed once instead
of in every product, and of a residual only the entries of the graphs are looked at."""

MOST_ENTRIES = 2000
_ITEMS_AN_ENTRY = 48

_BLOCK = 128


def entries_kept(n_items: int) -> int:
    """Of the scores of a history by sparse graphs, those of largest absolute value; none with few items."""
    return min(MOST_ENTRIES, n_items // _ITEMS_AN_ENTRY) if n_items > MANY_ITEMS else 0


class AskedScores:
    """M = Σ histories(decay) · operator, (n_histories, n_items). All sums have the same gains.

    Graphs are the most work of its products with vectors. With many items, M is sparse as far as it comes
    from them, and of few rows: a product goes through it in the order of the items, and what it gathers fits
    a processor's cache.
    """

    def __init__(self, operators: Sequence[tuple[float, OperatorSum]], histories: Histories) -> None:
        self._shape = histories.n_users, histories.n_items
        self._gains = operators[0][1].gains if operators else None
        of_graphs: list[tuple[Sparse, Floats | Sparse]] = []
        # an operator may count at several decays
        products: dict[int, tuple[Floats, Floats]] = {}
        for decay, operator_sum in operators:
            decayed = histories.decayed(decay)
            for weight, operator in operator_sum.terms:
                if operator.graph is not None:
                    of_graphs.append((csr_array(decayed * weight), operator.graph))
                if operator.right is not None:
                    queries = operator.queries(decayed) * weight
                    before = products.get(id(operator.right))
                    products[id(operator.right)] = queries + before[0] if before else queries, operator.right
        self._products = list(products.values())
        self._scores: csc_array | None = None
        if histories.n_items > MANY_ITEMS and all(isinstance(graph, csr_array) for _, graph in of_graphs):
            self._scores = self._strongest(of_graphs) if of_graphs else None
            of_graphs = []
        self._of_graphs = of_graphs

    def times(self, vectors: Floats) -> Floats:
        """M · vectors, (n_items, k) to (n_histories, k)."""
        if self._gains is not None:
            vectors = vectors * self._gains[:, None]
        total: Floats = np.zeros((self._shape[0], vectors.shape[1]), np.float32)
        for queries, right in self._products:
            total += queries @ (right.T @ vectors)
        for decayed, graph in self._of_graphs:
            total += decayed @ (graph @ vectors)
        if self._scores is not None:
            total += self._scores @ vectors
        return total

    def transposed_times(self, vectors: Floats) -> Floats:
        """Mᵀ · vectors, (n_histories, k) to (n_items, k)."""
        total: Floats = np.zeros((self._shape[1], vectors.shape[1]), np.float32)
        for queries, right in self._products:
            total += right @ (queries.T @ vectors)
        for decayed, graph in self._of_graphs:
            total += graph.T @ (decayed.T @ vectors)
        if self._scores is not None:
            total += self._scores.T @ vectors
        return total if self._gains is None else total * self._gains[:, None]

    def _strongest(self, of_graphs: Sequence[tuple[Sparse, Floats | Sparse]]) -> csc_array:
        def rows(start: int) -> Sparse:
            block = slice(start, min(start + _BLOCK, self._shape[0]))
            total, *others = (csr_array(decayed[block] @ graph) for decayed, graph in of_graphs)
            for other in others:
                total = csr_array(total + other)
            if self._gains is None:
                return strongest_sparse(total, entries_kept(self._shape[1]))
            # the largest once they are multiplied, which `times` does
            total.data *= self._gains[total.indices]
            total = strongest_sparse(total, entries_kept(self._shape[1]))
            total.data /= self._gains[total.indices]
            return total

        return stacked(list(in_threads(rows, range(0, self._shape[0], _BLOCK)))).tocsc()

"""How often two items are liked together, by how much else their users and they are involved in."""

import numpy as np
from scipy.sparse import csr_array

from recsys_pg.collaborative.blocks import blocks
from recsys_pg.collaborative.graph import stacked, strongest_sparse
from recsys_pg.collaborative.operators.normalized import normalized
from recsys_pg.collaborative.operators.operator import Operator, Sparse
from recsys_pg.types import Progress, unheard


def cooccurrence(
    weights: Sparse, *, neighbors: int, exponent: float = 0.4, progress: Progress = unheard
) -> Operator:
    """RᵀR with R the `normalized` interactions, without its diagonal.

    The linear filter of Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021, where
    e is 1/2. Computed in blocks of items, of about 200 MB each; only the strongest neighbors of each item are
    kept.

    Args:
        weights: X, (n_users, n_items), positive entries.
        neighbors: entries that a row of the result has at most.
        exponent: e; the smaller, the more popularity counts.
        progress: called after each block.
    """
    ratings, _ = normalized(weights, exponent)
    transposed = ratings.T.tocsr()
    n_items = weights.shape[1]
    rows = []
    for block in blocks(ratings):
        part = csr_array(transposed[block] @ ratings)
        part.data[np.repeat(np.arange(n_items)[block], np.diff(part.indptr)) == part.indices] = 0
        rows.append(strongest_sparse(part, neighbors))
        progress("count together", block.stop, n_items)
    return Operator(graph=stacked(rows))

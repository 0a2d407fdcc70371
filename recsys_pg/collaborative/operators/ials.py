"""Matrix factorization of implicit feedback, turned into an operator."""

import numpy as np
from scipy.sparse import csr_array

from recsys_pg.collaborative.operators.least_squares import solved_rows
from recsys_pg.collaborative.operators.operator import Floats, Operator, Sparse
from recsys_pg.types import Progress, unheard

DIMENSIONS = 128

_UNOBSERVED, _UNOBSERVED_TOTAL = 0.3, 1000


def ials(
    weights: Sparse,
    *,
    dimensions: int = DIMENSIONS,
    reg: float = 0.007,
    unobserved: float | None = None,
    epochs: int = 8,
    seed: int = 0,
    progress: Progress = unheard,
) -> Operator:
    """The operator of a matrix factorization by alternating least squares.

    Minimizes Σ_observed x · (w·h − 1)² + α Σ_all (w·h)² + λ Σ_u (n_u + α n_items) ‖w_u‖² + the same of the
    items, which is iALS with its regularization by frequency (Rendle, Krichene, Zhang and Koren, Revisiting
    the Performance of iALS on Item Recommendation Benchmarks, RecSys 2022, with ν = 1).

    A user's vector is then taken as (Σ x_j h_j / √Σ x_j) · A over the history, A by ridge regression on the
    trained vectors: linear in the history, so that it is known for any history without solving anything.

    Args:
        weights: X, (n_users, n_items), positive entries.
        dimensions: of the vectors; the rank of the operator.
        reg: λ, positive.
        unobserved: α, the weight of a pair that was not observed, against 1 of one that was. None is .3, or
            what makes all pairs of a user that were not observed weigh 1,000 together, if that is less: with
            .3 and 40,981 items they drown the others (NDCG@20 of Gowalla's held-out likes .008 against .111).
        epochs: of solving for both sides.
        seed: of the first vectors.
        progress: called in each epoch.
    """
    if unobserved is None:
        unobserved = min(_UNOBSERVED, _UNOBSERVED_TOTAL / max(1, weights.shape[1]))
    users, items = weights, csr_array(weights.T)
    random = np.random.default_rng(seed)
    item_vectors = random.normal(0, 0.1 / np.sqrt(dimensions), (weights.shape[1], dimensions)).astype(
        np.float32
    )
    for epoch in range(epochs):
        progress("learn factors", epoch, epochs)
        user_vectors = _solved(users, item_vectors, reg, unobserved)
        item_vectors = _solved(items, user_vectors, reg, unobserved)
    user_vectors = _solved(users, item_vectors, reg, unobserved)
    totals = np.maximum(users.sum(axis=1), np.float32(1e-6))
    sums = (users @ item_vectors) / np.sqrt(totals)[:, None]
    gram = (sums.T @ sums).astype(np.float64)
    gram[np.diag_indices(dimensions)] += 1e-4 * np.trace(gram) / dimensions
    fold_in = np.linalg.solve(gram, (sums.T @ user_vectors).astype(np.float64)).astype(np.float32)
    return Operator(item_vectors @ fold_in, item_vectors)


def _solved(weights: Sparse, vectors: Floats, reg: float, unobserved: float) -> Floats:
    """The best vectors of the rows of weights, given those of its columns."""
    regs = np.float32(reg) * (np.diff(weights.indptr) + np.float32(unobserved * len(vectors)))
    return solved_rows(weights, vectors, unobserved, regs.astype(np.float32))

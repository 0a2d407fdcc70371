"""The spectral operator: what the leading singular vectors of the interactions hold."""

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys_pg.collaborative.operators.operator import Operator, Sparse
from recsys_pg.collaborative.singular import right_singular_vectors


def lowpass(weights: Sparse, *, dimensions: int = 384, exponent: float = 0.4, seed: int = 0) -> Operator:
    """The projection on the leading singular vectors of the normalized interactions.

    With R = D_u^(−1/2) · X · D_i^(−e), D the sums of rows and of columns, and V the leading right singular
    vectors of R: B = D_i^(−e) · V · Vᵀ · D_i^e (the ideal low-pass filter of Shen et al., How Powerful is
    Graph Convolution for Recommendation?, CIKM 2021, where e is 1/2).

    Args:
        weights: X, (n_users, n_items), positive entries.
        dimensions: number of singular vectors, cut to what there are.
        exponent: e; the smaller, the more popularity counts.
        seed: of the randomized decomposition.
    """
    users, items = (np.maximum(weights.sum(axis=axis), np.float32(1e-6)) for axis in (1, 0))
    normalized = csr_array(diags_array(users**-0.5) @ weights @ diags_array(items**-exponent)).astype(
        np.float32
    )
    vectors = right_singular_vectors(
        lambda v: normalized @ v,
        lambda v: normalized.T @ v,
        weights.shape[1],
        min(dimensions, *weights.shape),
        seed=seed,
    )
    seen = (weights.count_nonzero(axis=0) > 0)[:, None]
    scale = (items**exponent)[:, None].astype(np.float32)
    return Operator(np.where(seen, vectors / scale, 0), np.where(seen, vectors * scale, 0))

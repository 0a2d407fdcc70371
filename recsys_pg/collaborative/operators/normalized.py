"""Interactions divided by how much their users and items are involved in."""

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys_pg.collaborative.operators.operator import Floats, Sparse


def normalized(weights: Sparse, exponent: float) -> tuple[Sparse, Floats]:
    """D_u^(−1/2) · X · D_i^(−e), D the sums of rows and of columns; and the diagonal of D_i^e, (n_items,).

    Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021, where e is 1/2.

    Args:
        weights: X, (n_users, n_items), positive entries.
        exponent: e; the smaller, the more popularity counts.
    """
    users, items = (np.maximum(weights.sum(axis=axis), np.float32(1e-6)) for axis in (1, 0))
    scale: Floats = (items**exponent).astype(np.float32)
    return csr_array(diags_array(users**-0.5) @ weights @ diags_array(1 / scale)).astype(np.float32), scale

"""Item-based nearest neighbors: the cosine of who liked what, for catalogues of any size."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array

from recsys_pg.collaborative.blocks import blocks
from recsys_pg.collaborative.graph import stacked, strongest_sparse
from recsys_pg.types import Progress, unheard

LONGEST_PROFILE = 2000
"""Items that one user counts for at most; of longer profiles that many are drawn.

The work grows with the square of a profile, and who likes everything tells little.
"""


def cosine(
    weights: csr_array[np.float64],
    reg: float,
    neighbors: int,
    *,
    seed: int = 0,
    progress: Progress = unheard,
) -> csr_array[np.float32]:
    """The item graph of the shrunk cosine, cut to the strongest neighbors of each item.

    S[i, j] = x_i · x_j / (‖x_i‖ ‖x_j‖ + reg · m) for i ≠ j. x_i is column i of X after each user's row was
    divided by the root of its sum, so that somebody who likes everything says less about each item (as in
    Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021). m is the mean square of
    the entries, so that reg is a number of average co-occurrences: items that share a single user are no
    twins (shrinkage, as in Bell and Koren, ICDM 2007).

    XᵀX is computed in blocks of items, of about 200 MB each.

    Args:
        weights: X, (n_users, n_items), positive entries, at least one.
        reg: not negative.
        neighbors: entries that a row of the result has at most.
        seed: of the draw from profiles of more than `LONGEST_PROFILE` items.

    Returns:
        S, (n_items, n_items) float32, positive entries.
    """
    users = _damped(_shortened(weights, seed))
    items = users.T.tocsr()
    norms = np.sqrt(users.multiply(users).sum(axis=0))
    shrinkage = reg * float((users.data**2).mean())
    rows = []
    for block in blocks(users):
        part = items[block] @ users
        row = np.repeat(np.arange(items.shape[0])[block], np.diff(part.indptr))
        part.data /= norms[row] * norms[part.indices] + shrinkage
        part.data[row == part.indices] = 0
        rows.append(strongest_sparse(part.astype(np.float32), neighbors))
        progress("learn item graph", block.stop, items.shape[0])
    return stacked(rows)


def _shortened(weights: csr_array[np.float64], seed: int) -> csr_array[np.float64]:
    lengths = np.diff(weights.indptr)
    if lengths.max() <= LONGEST_PROFILE:
        return weights
    random = np.random.default_rng(seed)
    kept = np.ones(weights.nnz, dtype=bool)
    for user in np.flatnonzero(lengths > LONGEST_PROFILE):
        dropped = random.choice(lengths[user], lengths[user] - LONGEST_PROFILE, replace=False)
        kept[weights.indptr[user] + dropped] = False
    shortened = weights.copy()
    shortened.data[~kept] = 0
    shortened.eliminate_zeros()
    return shortened


def _damped(weights: csr_array[np.float64]) -> csr_array[np.float64]:
    totals: npt.NDArray[np.float64] = weights.sum(axis=1)
    totals[totals == 0] = 1  # of users of whom nothing is left
    return csr_array(diags_array(1 / np.sqrt(totals)) @ weights)

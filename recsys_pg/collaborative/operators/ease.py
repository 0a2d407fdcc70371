"""EASE: a linear item graph in closed form."""

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import csr_array

from recsys_pg.errors import InvalidArgumentError

_BLOCK = 1024


def memory_gb(n_items: int) -> float:
    """What `ease` allocates for a catalogue, in GB of 10⁹ bytes: 12 · n_items².

    8 for the Gram matrix, which is inverted in place, and 4 for the result.
    """
    return 12e-9 * n_items**2


def ease(weights: csr_array[np.float64], reg: float) -> npt.NDArray[np.float32]:
    """The item graph B of EASE: user u's score of item j is the sum over items i of X[u, i] · B[i, j].

    B = I − P · diag(1 / diag P) with P = (XᵀX + λI)⁻¹, so that the diagonal is 0: the ridge regression of
    each item on all others. Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019,
    equation 8.

    λ is reg times Σd² / Σd, where d is the diagonal of XᵀX: how popular the item behind an average
    interaction is. So reg means the same for a shop with few interactions of small weight and for one with
    many.

    Args:
        weights: X, (n_users, n_items), not negative, at least one entry.
        reg: positive.

    Returns:
        B, (n_items, n_items) float32.

    Raises:
        InvalidArgumentError: reg is so small that XᵀX + λI is singular in float64.
    """
    gram = _gram(weights)
    popularity = np.diagonal(gram).copy()
    np.fill_diagonal(gram, popularity + reg * (popularity**2).sum() / popularity.sum())
    factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1, clean=0)
    if not failed:
        inverse, failed = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise InvalidArgumentError(
            f"reg {reg} is too small for this data: the regression is singular.", "Leave it out, or pass 1.5."
        )
    return _graph(inverse)


def _gram(weights: csr_array[np.float64]) -> npt.NDArray[np.float64]:
    n_items = weights.shape[1]
    gram = np.empty((n_items, n_items), order="F")
    transposed, columns = weights.T.tocsr(), weights.tocsc()
    for start in range(0, n_items, _BLOCK):
        block = slice(start, start + _BLOCK)
        gram[:, block] = (transposed @ columns[:, block]).toarray()
    return gram


def _graph(inverse: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """−P / diag P with a diagonal of 0, from P, whose upper triangle LAPACK leaves undefined."""
    n_items = len(inverse)
    graph = np.empty((n_items, n_items), dtype=np.float32)
    scale = -1 / np.diagonal(inverse)
    for start in range(0, n_items, _BLOCK):
        stop = min(start + _BLOCK, n_items)
        square = np.tril(inverse[start:stop, start:stop], -1)
        below = inverse[stop:, start:stop]
        graph[start:stop, start:stop] = (square + square.T) * scale[start:stop]
        graph[stop:, start:stop] = below * scale[start:stop]
        graph[start:stop, stop:] = below.T * scale[stop:]
    return graph

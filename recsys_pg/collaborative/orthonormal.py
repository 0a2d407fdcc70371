"""An orthonormal basis of the columns of a tall matrix, in place where the matrix is large."""

import numpy as np

from recsys_pg.collaborative.operators.operator import Floats

LARGE = 10_000_000
"""Entries above which a matrix is not copied."""

_ROWS = 65_536
_SMALLEST = 1e-12
"""Of the eigenvalues of the Gram matrix, relative to the largest: below it a direction is but rounding."""


def orthonormal(matrix: Floats, *, nearly: bool = False) -> Floats:
    """(rows, k) orthonormal columns that span those of the matrix, which may be overwritten.

    A large one is multiplied with the inverse root of its Gram matrix, twice, or once where the columns need
    only be nearly orthonormal, so that no copy is made
    (Stathopoulos and Wu, A Block Orthogonalization Procedure with Constant Synchronization Requirements, SIAM
    Journal on Scientific Computing 2002). Directions that the matrix lacks are then columns of zeros; QR
    fills them with any.
    """
    if matrix.size <= LARGE:
        basis: Floats = np.linalg.qr(matrix)[0]
        return basis
    for _ in range(1 if nearly else 2):
        _whiten(matrix)
    return matrix


def _whiten(matrix: Floats) -> None:
    gram = np.zeros((matrix.shape[1], matrix.shape[1]))
    for start in range(0, len(matrix), _ROWS):
        part = matrix[start : start + _ROWS]
        gram += part.T @ part
    # columns of one length, so that the small ones among them are not taken for rounding
    lengths = np.sqrt(np.diagonal(gram))
    lengths[lengths == 0] = 1
    values, vectors = np.linalg.eigh(gram / np.outer(lengths, lengths))
    known = values > _SMALLEST * values[-1]
    inverse = np.where(known, 1 / np.sqrt(np.where(known, values, 1)), 0)
    root = (vectors / lengths[:, None] * inverse).astype(np.float32)
    for start in range(0, len(matrix), _ROWS):
        matrix[start : start + _ROWS] = matrix[start : start + _ROWS] @ root

"""The leading singular vectors of a matrix that is known by its products."""

from collections.abc import Callable

import numpy as np

from recsys_pg.collaborative.operators.operator import Floats

_OVERSAMPLING = 32


def right_singular_vectors(
    times: Callable[[Floats], Floats],
    transposed_times: Callable[[Floats], Floats],
    columns: int,
    dimensions: int,
    *,
    iterations: int = 4,
    seed: int = 0,
) -> Floats:
    """The right singular vectors of the largest singular values, by randomized subspace iteration.

    Halko, Martinsson and Tropp, Finding Structure with Randomness, SIAM Review 2011, algorithms 4.4 and 5.1.

    Args:
        times: V → M · V, (columns, k) to (rows, k).
        transposed_times: V → Mᵀ · V, (rows, k) to (columns, k).
        columns: of M.
        dimensions: how many, at most the number of columns.
        iterations: the more, the better they are told apart where singular values lie close.
        seed: of the first subspace.

    Returns:
        (columns, dimensions), orthonormal, largest singular value first.
    """
    random = np.random.default_rng(seed)
    width = min(columns, dimensions + _OVERSAMPLING)
    basis: Floats = random.standard_normal((columns, width)).astype(np.float32)
    for _ in range(iterations):
        basis = np.linalg.qr(transposed_times(np.linalg.qr(times(basis))[0]))[0]
    product = times(basis)
    # the eigenvectors of productᵀ · product: as small as the subspace, however many rows there are
    _, vectors = np.linalg.eigh((product.T @ product).astype(np.float64))
    leading: Floats = basis @ vectors[:, ::-1][:, :dimensions].astype(np.float32)
    return leading

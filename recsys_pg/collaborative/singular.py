"""The leading singular vectors of a matrix that is known by its products."""

from collections.abc import Callable

import numpy as np

from recsys_pg.collaborative.operators.operator import Floats
from recsys_pg.collaborative.orthonormal import orthonormal
from recsys_pg.collaborative.threads import in_threads, n_threads

OVERSAMPLING = 32
"""Vectors that are sought beyond those that are wanted."""

_COLUMNS = 64
"""Vectors that are multiplied together: what a product takes besides its result is that many columns."""

_FEWEST_COLUMNS = 16
"""Of a thread: a cache line."""

_ROWS = 65_536


def right_singular_vectors(
    times: Callable[[Floats], Floats],
    transposed_times: Callable[[Floats], Floats],
    columns: int,
    dimensions: int,
    *,
    iterations: int = 4,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """The right singular vectors of the largest singular values, by randomized subspace iteration.

    Halko, Martinsson and Tropp, Finding Structure with Randomness, SIAM Review 2011, algorithms 4.4 and 5.1.
    Needs 8 · (dimensions + 32) · (rows + columns) bytes, and what the products of 64 vectors take.

    Args:
        times: V → M · V, (columns, k) to (rows, k).
        transposed_times: V → Mᵀ · V, (rows, k) to (columns, k).
        columns: of M.
        dimensions: how many, at most the number of columns.
        iterations: the more, the better they are told apart where singular values lie close.
        seed: of the first subspace.
        progress: called with the iterations that are done, and how many there are.

    Returns:
        (columns, dimensions), orthonormal, largest singular value first.
    """
    random = np.random.default_rng(seed)
    width = min(columns, dimensions + OVERSAMPLING)
    basis: Floats = np.empty((columns, width), np.float32)
    for start in range(0, columns, _ROWS):
        part = basis[start : start + _ROWS]
        part[:] = random.standard_normal(part.shape)
    for done in range(iterations):
        if progress:
            progress(done, iterations + 1)
        product = orthonormal(_product(times, basis), nearly=True)
        del basis
        basis = orthonormal(_product(transposed_times, product), nearly=done < iterations - 1)
        del product
    product = _product(times, basis)
    # the eigenvectors of productᵀ · product: as small as the subspace, however many rows there are
    gram = np.zeros((product.shape[1], product.shape[1]))
    for start in range(0, len(product), _ROWS):
        part = product[start : start + _ROWS]
        gram += part.T @ part
    del product, part
    _, vectors = np.linalg.eigh(gram)
    rotation = vectors[:, ::-1][:, :dimensions].astype(np.float32)
    leading: Floats = np.empty((columns, dimensions), np.float32)
    for start in range(0, columns, _ROWS):
        leading[start : start + _ROWS] = basis[start : start + _ROWS] @ rotation
    return leading


def _product(times: Callable[[Floats], Floats], vectors: Floats) -> Floats:
    """times(vectors), some columns at a time, which threads share."""
    if vectors.shape[1] <= _COLUMNS:
        return times(vectors)
    threads = min(n_threads(), _COLUMNS // _FEWEST_COLUMNS)
    width = _COLUMNS // threads
    total: Floats | None = None
    starts = range(0, vectors.shape[1], width)

    def product(start: int) -> Floats:
        return times(np.ascontiguousarray(vectors[:, start : start + width]))

    for start, part in zip(starts, in_threads(product, starts, threads=threads), strict=True):
        if total is None:
            total = np.empty((len(part), vectors.shape[1]), np.float32)
        total[:, start : start + width] = part
    assert total is not None  # noqa: S101
    return total

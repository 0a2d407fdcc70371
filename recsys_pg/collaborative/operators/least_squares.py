"""Weighted ridge regressions of many sparse rows on the same vectors, in batches of about equal length."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from recsys_pg.collaborative.operators.operator import Floats, Sparse
from recsys_pg.collaborative.threads import in_threads

_ENTRIES = 1_000_000
"""Of the vectors of a batch; a thread holds about four times as many numbers."""

_STEPS_AN_OCTAVE = 2


def solved_rows(weights: Sparse, vectors: Floats, unobserved: float, regs: Floats) -> Floats:
    """(n_rows, dimensions) for each row x of weights with entries, the w that minimizes

        Σ_j x_j · (w·v_j − 1)² + unobserved · Σ_all (w·v)² + reg · ‖w‖²

    In the eigenvectors of the second moment of all vectors the last two terms are a diagonal matrix D. With
    A = √x · V · D^−½ of the row's entries w = D^−½ · (I + AᵀA)⁻¹ · Aᵀ√x = D^−½ · Aᵀ · (I + AAᵀ)⁻¹ · √x: the
    smaller system is solved. Rows are filled up with zeros to lengths that are few, and solved many at once.

    Args:
        weights: (n_rows, n_columns), positive entries.
        vectors: (n_columns, dimensions).
        unobserved: weight of every pair, not negative.
        regs: (n_rows,) positive.
    """
    dimensions = vectors.shape[1]
    moment = (vectors.T @ vectors).astype(np.float64)
    values, basis = np.linalg.eigh(moment)
    shared = (unobserved * np.maximum(values, 0)).astype(np.float32)
    rotated: Floats = vectors @ basis.astype(np.float32)
    solved: Floats = np.zeros((weights.shape[0], dimensions), np.float32)

    def solve(rows: npt.NDArray[np.intp]) -> None:
        solved[rows] = _solved(weights, rotated, shared, rows, regs[rows])

    for _ in in_threads(solve, _batches(np.diff(weights.indptr), dimensions)):
        pass
    unrotated: Floats = solved @ basis.T.astype(np.float32)
    return unrotated


def _batches(lengths: npt.NDArray[np.signedinteger], dimensions: int) -> Iterator[npt.NDArray[np.intp]]:
    """Rows of about equal length, those with nothing left out."""
    rows = np.flatnonzero(lengths)
    octaves = np.ceil(np.log2(lengths[rows]) * _STEPS_AN_OCTAVE).astype(int)
    order = np.argsort(octaves, kind="stable")
    rows, octaves = rows[order], octaves[order]
    for of_octave in np.split(rows, np.flatnonzero(np.diff(octaves)) + 1):
        if not len(of_octave):
            continue
        longest = int(lengths[of_octave].max())
        size = max(1, _ENTRIES // (longest * dimensions))
        yield from (of_octave[start : start + size] for start in range(0, len(of_octave), size))


def _solved(
    weights: Sparse, rotated: Floats, shared: Floats, rows: npt.NDArray[np.intp], regs: Floats
) -> Floats:
    starts, lengths = weights.indptr[rows], np.diff(weights.indptr)[rows]
    width = int(lengths.max())
    places = np.arange(width)
    is_entry = places < lengths[:, None]
    positions = np.where(is_entry, starts[:, None] + places, 0)
    roots = np.where(is_entry, np.sqrt(weights.data[positions]), np.float32(0)).astype(np.float32)
    scales = 1 / np.sqrt(shared + regs[:, None])
    a = rotated[weights.indices[positions]]
    a *= roots[:, :, None]
    a *= scales[:, None, :]
    transposed = a.transpose(0, 2, 1)
    if width < rotated.shape[1]:
        found = transposed @ _over(a @ transposed, roots[:, :, None])
    else:
        found = _over(transposed @ a, transposed @ roots[:, :, None])
    solution: Floats = found[:, :, 0] * scales
    return solution


def _over(system: Floats, right: Floats) -> Floats:
    """(I + system)⁻¹ · right."""
    diagonal = np.arange(system.shape[1])
    system[:, diagonal, diagonal] += 1
    solution: Floats = np.linalg.solve(system, right)
    return solution

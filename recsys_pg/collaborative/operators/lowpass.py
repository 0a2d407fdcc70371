"""The spectral operator: what the leading singular vectors of the interactions hold."""

from recsys_pg.collaborative.operators.normalized import normalized
from recsys_pg.collaborative.operators.operator import Operator, Sparse
from recsys_pg.collaborative.singular import right_singular_vectors
from recsys_pg.types import Progress, unheard

DIMENSIONS = 384
"""Singular vectors; with 384 of them Gowalla is at its best (docs/quality.md)."""


def lowpass(
    weights: Sparse,
    *,
    dimensions: int = DIMENSIONS,
    exponent: float = 0.4,
    seed: int = 0,
    progress: Progress = unheard,
) -> Operator:
    """The projection on the leading singular vectors of the normalized interactions.

    With R the `normalized` interactions and V its leading right singular vectors:
    B = D_i^(−e) · V · Vᵀ · D_i^e (the ideal low-pass filter of Shen et al., How Powerful is Graph Convolution
    for Recommendation?, CIKM 2021, where e is 1/2).

    Args:
        weights: X, (n_users, n_items), positive entries.
        dimensions: number of singular vectors, cut to what there are.
        exponent: e; the smaller, the more popularity counts.
        seed: of the randomized decomposition.
        progress: called in each iteration.
    """
    ratings, scale = normalized(weights, exponent)
    vectors = right_singular_vectors(
        lambda v: ratings @ v,
        lambda v: ratings.T @ v,
        weights.shape[1],
        min(dimensions, *weights.shape),
        seed=seed,
        progress=lambda done, total: progress("decompose", done, total),
    )
    vectors[weights.count_nonzero(axis=0) == 0] = 0
    vectors *= scale[:, None]
    return Operator(vectors, vectors, ratio=scale**-2)

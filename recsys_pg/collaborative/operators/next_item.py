"""What comes next: operators learned from the order in which people went on."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import coo_array, csr_array

from recsys_pg.collaborative.graph import strongest_sparse
from recsys_pg.collaborative.operators.operator import Operator
from recsys_pg.collaborative.sequences import Sequences

_SMALLEST_DECAY = 0.01


def next_item_ridge(sequences: Sequences, n_items: int, *, decay: float = 0.8, reg: float = 0.04) -> Operator:
    """The ridge regression of each next item on the decayed past before it; needs 28 · n_items² bytes.

    Minimizes Σ_t ‖T_t − S_t · B‖² + λ ‖B‖² over all steps t of all sequences, where S_t = Σ_s decay^(t−s) of
    the items up to t and T_t is the item after it: the time-aware transitions of SLIST (Choi et al.,
    Session-aware Linear Item-Item Models for Session-based Recommendation, WWW 2021). The Gram matrices are
    summed lag by lag, without ever holding the steps. λ is reg times Σd² / Σd, d the diagonal of SᵀS.

    Args:
        sequences: what each user liked, oldest first.
        n_items: side of the operator.
        decay: of an item a step further back, in (0, 1).
        reg: positive.
    """
    gram = np.zeros((n_items, n_items))
    cross = np.zeros((n_items, n_items))
    # every later step of the sequence holds an item again, at the square of the decay of its age
    remaining = (1 - decay ** (2 * sequences.steps_left)) / (1 - decay**2)
    for lag in range(_lags(decay)):
        first, second = sequences.pairs(lag)
        if len(first) == 0:
            break
        # each pair stands for both of its orders, but an entry with itself for one
        share = decay**lag if lag else 0.5
        _add(gram, sequences.items[first], sequences.items[second], share * remaining[second])
        if lag:
            _add(
                cross,
                sequences.items[first],
                sequences.items[second],
                np.full(len(first), decay ** (lag - 1)),
            )
    gram += gram.T
    diagonal = np.diagonal(gram).copy()
    typical = (diagonal**2).sum() / diagonal.sum() if diagonal.any() else 1
    np.fill_diagonal(gram, diagonal + reg * typical)
    graph = lapack.dposv(gram, cross, lower=1, overwrite_a=1, overwrite_b=1)[1].astype(np.float32)
    np.fill_diagonal(graph, 0)
    return Operator(graph=np.ascontiguousarray(graph))


def transitions(
    sequences: Sequences, n_items: int, *, neighbors: int, decay: float = 0.8, exponent: float = 0.5
) -> Operator:
    """How often an item followed on another, the nearer the more, by how often each occurs; for any n_items.

    B[j, i] = c_ji / (n_j + 1)^½ / n_i^e, where c_ji = Σ decay^(lag − 1) over the times that i came lag steps
    after j, and n counts occurrences. Only the strongest neighbors of each item are kept.
    """
    counts = np.bincount(sequences.items, minlength=n_items).astype(np.float64)
    nobody = np.zeros(0, dtype=np.int32)
    total = csr_array((np.zeros(0, np.float32), (nobody, nobody)), shape=(n_items, n_items))
    for lag in range(1, _lags(decay)):
        first, second = sequences.pairs(lag)
        values = np.full(len(first), decay ** (lag - 1), np.float32)
        pairs = (sequences.items[first], sequences.items[second])
        total = csr_array(total + csr_array((values, pairs), shape=total.shape))
    total.setdiag(0)
    total.eliminate_zeros()
    rows = np.repeat(np.arange(n_items), np.diff(total.indptr))
    total.data /= (np.sqrt(counts[rows] + 1) * counts[total.indices] ** exponent).astype(np.float32)
    return Operator(graph=strongest_sparse(csr_array(total), neighbors))


def _lags(decay: float) -> int:
    return 1 + int(np.ceil(np.log(_SMALLEST_DECAY) / np.log(decay)))


def _add(
    matrix: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int32],
    columns: npt.NDArray[np.int32],
    values: npt.NDArray[np.floating[Any]],
) -> None:
    unique = coo_array((values, (rows, columns)), shape=matrix.shape).tocsr().tocoo()
    matrix[unique.row, unique.col] += unique.data

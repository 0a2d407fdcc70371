"""Products of all items with all items, in parts that fit the memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_array

_ENTRIES = 5_000_000


def blocks(weights: csr_array[Any]) -> Iterator[slice]:
    """Ranges of columns of X whose rows of XᵀX have at most about five million entries together."""
    n_items = weights.shape[1]
    lengths = np.diff(weights.indptr)
    entries = np.bincount(weights.indices, np.repeat(lengths, lengths), n_items)
    ends = np.cumsum(np.minimum(entries, n_items))
    start = 0
    while start < n_items:
        limit = (ends[start - 1] if start else 0) + _ENTRIES
        stop = max(start + 1, int(np.searchsorted(ends, limit, side="right")))
        yield slice(start, stop)
        start = stop

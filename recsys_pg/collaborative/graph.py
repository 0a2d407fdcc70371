"""What every item graph goes through before it is stored: the cut to its strongest edges, and one scale."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

_BLOCK = 1024
_SAMPLE = 2000


def strongest(weights: npt.NDArray[np.float32], neighbors: int) -> csr_array[np.float32]:
    """The entries of largest absolute value of each row of a dense (n_items, n_items) matrix, zeros left out.

    Negative ones are kept: that one item speaks against another is knowledge too.
    """
    neighbors = min(neighbors, weights.shape[1])
    blocks = []
    for start in range(0, len(weights), _BLOCK):
        rows = weights[start : start + _BLOCK]
        columns = np.sort(np.argpartition(-np.abs(rows), neighbors - 1, axis=1)[:, :neighbors], axis=1)
        values = np.take_along_axis(rows, columns, axis=1)
        starts = np.arange(0, columns.size + 1, neighbors)
        blocks.append(csr_array((values.ravel(), columns.ravel(), starts), shape=rows.shape))
    graph = csr_array(vstack(blocks, format="csr"))
    graph.eliminate_zeros()
    return graph


def strongest_sparse(weights: csr_array[np.float32], neighbors: int) -> csr_array[np.float32]:
    """`strongest` for a sparse matrix, which it changes and returns."""
    starts = weights.indptr
    for row in np.flatnonzero(np.diff(starts) > neighbors):
        values = weights.data[starts[row] : starts[row + 1]]
        values[np.argpartition(-np.abs(values), neighbors - 1)[neighbors:]] = 0
    weights.eliminate_zeros()
    return weights


def stacked(blocks: list[csr_array[np.float32]]) -> csr_array[np.float32]:
    """Blocks of rows, one below the other; the list is emptied meanwhile, so that there is no second copy."""
    columns = blocks[0].shape[1]
    lengths = np.concatenate([np.diff(block.indptr) for block in blocks])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    data = np.empty(starts[-1], np.float32)
    indices = np.empty(starts[-1], np.int32)
    stop = len(data)
    while blocks:
        block = blocks.pop()
        part = slice(stop - block.nnz, stop)
        data[part], indices[part] = block.data[: block.nnz], block.indices[: block.nnz]
        stop = part.start
    return csr_array((data, indices, starts), shape=(len(lengths), columns))


def scaled(
    graph: csr_array[np.float32], weights: csr_array[np.float64], *, seed: int = 0
) -> csr_array[np.float32]:
    """The graph times one constant, by which the best score of an unseen item is 1 for the median user.

    The SQL functions add content similarity to the graph's score with a fixed weight (setting
    hybrid.content_weight), which needs the same scale from every algorithm and every catalogue. The median is
    over at most 2,000 users, drawn by seed, for whom some unseen item has a positive score; without any, the
    graph is returned as it is.

    Args:
        graph: (n_items, n_items).
        weights: (n_users, n_items), what the users liked; entries count as seen.
    """
    users = np.arange(weights.shape[0])
    if len(users) > _SAMPLE:
        users = np.sort(np.random.default_rng(seed).choice(users, _SAMPLE, replace=False))
    best = []
    for start in range(0, len(users), 100):
        histories = weights[users[start : start + 100]]
        scores = histories @ graph
        unseen = scores - scores.multiply(histories.astype(bool))
        best.append(unseen.max(axis=1).toarray().ravel())
    positive = np.concatenate(best)
    positive = positive[positive > 0]
    return graph if len(positive) == 0 else csr_array(graph * np.float32(1 / np.median(positive)))

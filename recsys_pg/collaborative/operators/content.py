"""What the texts of items say: the similarity of their embeddings."""

import numpy as np
import numpy.typing as npt

from recsys_pg.collaborative.operators.operator import Floats, Halves, Operator

_BLOCK = 65_536


def content(embeddings: Floats | Halves) -> Operator:
    """(E − m) · (E − m)ᵀ, where m is the mean of the embeddings that there are.

    Args:
        embeddings: E, (n_items, dimensions), rows of unit length; NaN in the rows of items without one, to
            whose scores, and from which, nothing is added.
    """
    known = is_embedded(embeddings)
    total, centered = np.zeros(embeddings.shape[1]), np.zeros(embeddings.shape, np.float32)
    for start in range(0, len(embeddings), _BLOCK):
        part = slice(start, start + _BLOCK)
        centered[part] = np.where(known[part, None], embeddings[part], 0)
        total += centered[part].sum(axis=0)
    centered -= (total / max(1, int(known.sum()))).astype(np.float32)
    centered[~known] = 0
    return Operator(centered, centered)


def is_embedded(embeddings: Floats | Halves) -> npt.NDArray[np.bool_]:
    """(n_items,) whether a row is an embedding: a row without one is NaN all over."""
    known: npt.NDArray[np.bool_] = np.isfinite(embeddings[:, 0])
    return known

"""What the texts of items say: the similarity of their embeddings."""

import numpy as np

from recsys_pg.collaborative.operators.operator import Floats, Operator


def content(embeddings: Floats) -> Operator:
    """(E − m) · (E − m)ᵀ, where m is the mean of the embeddings that there are.

    Args:
        embeddings: E, (n_items, dimensions), rows of unit length; NaN in the rows of items without one, to
            whose scores, and from which, nothing is added.
    """
    known = np.isfinite(embeddings).all(axis=1)
    centered = np.zeros_like(embeddings)
    if known.any():
        centered[known] = embeddings[known] - embeddings[known].mean(axis=0)
    return Operator(centered, centered)

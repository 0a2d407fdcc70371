"""How much there is to learn from, which decides what is learned, and what that takes."""

from dataclasses import dataclass

import numpy as np

from recsys_pg.collaborative.log import InteractionLog
from recsys_pg.collaborative.operators.content import is_embedded
from recsys_pg.collaborative.operators.operator import Floats, Halves


@dataclass(frozen=True)
class Size:
    """Of a log, reduced to users who like something and items that somebody likes.

    Attributes:
        users, items: of the log.
        likes: distinct pairs of a user and an item that it likes.
        interactions: events, dislikes too.
        pairs: Σ over the users of (items liked)²: the pairs of items that somebody likes together.
        embedded: items of the log that have an embedding.
        is_ordered: whether the times tell what came after what.
        fields: distinct values of the fields of items, as far as they were counted.
    """

    users: int
    items: int
    likes: int
    interactions: int
    pairs: int
    embedded: int
    is_ordered: bool
    fields: int = 0


def size_of(log: InteractionLog, embeddings: Floats | Halves | None, *, fields: int = 0) -> Size:
    """The size of a log, the embeddings of its items, (n_items, 384) or None for none, and their fields."""
    users, items = log.likes.shape
    return Size(
        users,
        items,
        log.likes.nnz,
        len(log),
        int((np.diff(log.likes.indptr).astype(np.int64) ** 2).sum()),
        int(is_embedded(embeddings).sum()) if embeddings is not None else 0,
        log.is_ordered,
        fields,
    )

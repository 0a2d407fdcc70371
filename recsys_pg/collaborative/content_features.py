"""What items are, as numbers: their texts' embeddings and the values of their fields."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from recsys_pg.collaborative.operators.operator import Floats, Sparse

MOST_VALUES = 4000
"""Values of fields that are learned at most, the most frequent ones."""
FEW_ITEMS = 5000
"""Items up to which three times as many are: a regression takes the cube of the smaller of both numbers."""


@dataclass(frozen=True)
class Joined:
    """The matrix X = [text, fields], (n_items, 384 + n_values), one part dense, one sparse."""

    text: Floats
    fields: Sparse

    @property
    def shape(self) -> tuple[int, int]:
        """Of X."""
        return len(self.text), self.text.shape[1] + self.fields.shape[1]

    def rows(self, chosen: npt.NDArray[np.intp]) -> "Joined":
        """Some of the items."""
        return Joined(self.text[chosen], csr_array(self.fields[chosen]))

    def times(self, vectors: Floats) -> Floats:
        """X · vectors."""
        width = self.text.shape[1]
        product: Floats = self.text @ vectors[:width] + self.fields @ vectors[width:]
        return product

    def transposed_times(self, vectors: Floats) -> Floats:
        """Xᵀ · vectors."""
        return np.vstack([self.text.T @ vectors, self.fields.T @ vectors])

    def gram_of_rows(self) -> npt.NDArray[np.float64]:
        """X · Xᵀ."""
        of_text: npt.NDArray[np.float64] = (self.text @ self.text.T).astype(np.float64)
        return of_text + (self.fields @ self.fields.T).toarray()

    def gram_of_columns(self) -> npt.NDArray[np.float64]:
        """Xᵀ · X."""
        mixed = np.asarray(self.fields.T @ self.text, np.float64)
        return np.block(
            [
                [(self.text.T @ self.text).astype(np.float64), mixed.T],
                [mixed, (self.fields.T @ self.fields).toarray().astype(np.float64)],
            ]
        )


@dataclass(frozen=True)
class ContentFeatures:
    """The content of some items.

    mean is (384,), of the embeddings that there are; text (n_items, 384) the embeddings less it, zeros for
    items without; names are the values that are learned, weights (n_values,) what each counts, fields
    (n_items, n_values) these weights where an item has the value.
    """

    mean: Floats
    text: Floats
    names: Sequence[str]
    weights: Floats
    fields: Sparse

    @classmethod
    def of(cls, embeddings: Floats, values: Sequence[Collection[str]]) -> "ContentFeatures":
        """The features of items; a value counts the logarithm of how rare it is.

        The weights are such that the mean square of a row of fields is 1, as it is of embeddings, nearly.

        Args:
            embeddings: (n_items, 384) of unit length, NaN in the rows of items without.
            values: of each item's fields; each counts once.
        """
        known = np.asarray(np.isfinite(embeddings).all(axis=1))
        mean = embeddings[known].mean(axis=0) if known.any() else np.zeros(embeddings.shape[1], np.float32)
        text: Floats = np.where(known[:, None], embeddings - mean, 0).astype(np.float32)
        counts = Counter(value for of_item in values for value in set(of_item))
        most = MOST_VALUES * (3 if len(values) <= FEW_ITEMS else 1)
        names = sorted(sorted(counts), key=counts.__getitem__, reverse=True)[:most]
        column = {name: number for number, name in enumerate(names)}
        rows = [row for row, of_item in enumerate(values) for value in set(of_item) if value in column]
        columns = [column[value] for of_item in values for value in set(of_item) if value in column]
        weights = np.log(len(values) / np.array([counts[name] for name in names], dtype=np.float64))
        square = (weights[columns] ** 2).sum() / max(1, len(values))
        weights = (weights / np.sqrt(square) if square else weights).astype(np.float32)
        shape = (len(values), len(names))
        return cls(mean, text, names, weights, csr_array((weights[columns], (rows, columns)), shape=shape))

    def scaled(self, share: float) -> "Joined":
        """The text, and the fields times the share."""
        return Joined(self.text, csr_array(self.fields * np.float32(share)))

    def separated(self, learned: Floats, share: float) -> tuple[Floats, dict[str, Floats]]:
        """What `scaled` features are multiplied with, for the text and for a value that an item has."""
        width = self.text.shape[1]
        of_values = learned[width:] * (np.float32(share) * self.weights)[:, None]
        return learned[:width], dict(zip(self.names, of_values, strict=True))

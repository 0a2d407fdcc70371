"""What an embedder is, and the check of what it returns."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from recsys_pg.config import DEFAULT_MODEL, DIMENSIONS
from recsys_pg.errors import ModelError

Embeddings: TypeAlias = npt.NDArray[np.float32]


class TextEmbedder(Protocol):
    """Turns texts into vectors.

    Plain attributes do for the properties.
    """

    @property
    def name(self) -> str:
        """The name of the model, as people know it."""
        ...

    @property
    def revision(self) -> str:
        """What tells its versions apart: embedders of equal name and revision give equal vectors."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of texts: (n_texts, 384) float32, in their order, rows of unit length."""
        ...


def require_dimensions(name: str, dimensions: int) -> None:
    """Refuse a model whose vectors do not fit the database.

    Raises:
        ModelError: ``dimensions`` is not 384.
    """
    if dimensions != DIMENSIONS:
        raise ModelError(
            f"The model {name} gives vectors of {dimensions} dimensions, the database holds {DIMENSIONS}.",
            f"Set RECSYS_PG_EMBEDDING_MODEL to a model of {DIMENSIONS} dimensions, such as {DEFAULT_MODEL}.",
        )


def check_vectors(vectors: npt.ArrayLike, n_texts: int) -> Embeddings:
    """What a model returned for ``n_texts`` texts, as (n_texts, 384) float32.

    Raises:
        ModelError: another shape, a value that is not finite in float32, or a row of zeros.
    """
    remedy = "The model or its installation is broken: check it with one short text."
    try:
        with np.errstate(over="ignore"):
            checked = np.asarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model returned no array of numbers: {error}.", remedy) from error
    if checked.shape != (n_texts, DIMENSIONS):
        raise ModelError(
            f"The model returned an array of shape {checked.shape} for {n_texts} texts,"
            f" not {(n_texts, DIMENSIONS)}.",
            remedy,
        )
    for fault, rows in (
        ("a vector with values that are not finite", ~np.isfinite(checked).all(axis=1)),
        ("a vector of zeros", ~checked.any(axis=1)),
    ):
        if rows.any():
            raise ModelError(f"The model returned {fault} for text {int(rows.argmax())}.", remedy)
    return checked

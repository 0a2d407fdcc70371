"""How fast this machine embeds texts, by how the model computes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys_pg.config import DEFAULT_MODEL
from recsys_pg.embedding.embedder import Embeddings
from recsys_pg.embedding.sentence_transformer import SentenceTransformerEmbedder
from recsys_pg.types import Progress, unheard

_SETTINGS: tuple[tuple[Literal["float32", "bfloat16"], float], ...] = (
    ("float32", 1),
    ("float32", 0.25),
    ("float32", 4),
    ("bfloat16", 1),
)
"""Precision, and the tokens of a pass as a multiple of the default."""


@dataclass(frozen=True)
class Speed:
    """Texts a second of one way of computing.

    Attributes:
        precision: what the model computes in.
        threads: CPU threads that it takes.
        batch_tokens: tokens in one pass.
        texts_per_second: the median of three passes over all texts.
        least_cosine: of a text's vector to that of float32.
    """

    precision: str
    threads: int
    batch_tokens: int
    texts_per_second: float
    least_cosine: float


def measure_speed(
    texts: Sequence[str],
    *,
    model: str = DEFAULT_MODEL,
    threads: int | None = None,
    progress: Progress = unheard,
) -> list[Speed]:
    """The speed of a model on texts: as a worker would compute by default, then in other ways.

    Raises:
        MissingDependencyError, ModelError, InvalidArgumentError: as `SentenceTransformerEmbedder` does.
    """
    default = SentenceTransformerEmbedder(model, threads=threads).batch_tokens
    exact: Embeddings | None = None
    speeds = []
    for number, (precision, factor) in enumerate(_SETTINGS):
        progress("measure", number, len(_SETTINGS))
        embedder = SentenceTransformerEmbedder(
            model, threads=threads, precision=precision, batch_tokens=max(1, int(default * factor))
        )
        vectors = embedder.embed(texts[:16])
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            vectors = embedder.embed(texts)
            seconds.append(time.perf_counter() - started)
        exact = vectors if exact is None else exact
        speeds.append(
            Speed(
                precision=embedder.precision,
                threads=embedder.threads,
                batch_tokens=embedder.batch_tokens,
                texts_per_second=len(texts) / float(np.median(seconds)),
                least_cosine=float(np.einsum("ij,ij->i", exact, vectors).min()),
            )
        )
    progress("measure", len(_SETTINGS), len(_SETTINGS))
    return speeds

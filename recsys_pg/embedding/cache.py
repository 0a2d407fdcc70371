"""Equal texts embedded once: catalogues repeat themselves, above all in variants of one product."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from recsys_pg.embedding.embedder import Embeddings, TextEmbedder, check_vectors
from recsys_pg.errors import InvalidArgumentError


class CachingEmbedder:
    """A `TextEmbedder` that remembers the vectors of the texts that were asked for last; safe for threads."""

    def __init__(self, embedder: TextEmbedder, texts: int = 10_000) -> None:
        """Remember up to ``texts`` vectors of an embedder, 1.7 KB each.

        Raises:
            InvalidArgumentError: ``texts`` is below 1.
        """
        if texts < 1:
            raise InvalidArgumentError(f"texts is {texts}.", "Pass a whole number of at least 1.")
        self.name = embedder.name
        self.revision = embedder.revision
        self.dimensions = embedder.dimensions
        self._embedder = embedder
        self._most = texts
        self._vectors: OrderedDict[bytes, Embeddings] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of texts: (n_texts, 384) float32, in their order, rows of unit length."""
        keys = [
            hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest() for text in texts
        ]
        found = self._remembered(keys)
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if unknown:
            vectors = check_vectors(self._embedder.embed(list(unknown.values())), len(unknown))
            # copies, as a row keeps the array of its whole batch alive
            new = {key: vector.copy() for key, vector in zip(unknown, vectors, strict=True)}
            self._remember(new)
            found |= new
        return np.stack([found[key] for key in keys]) if keys else self._embedder.embed([])

    def _remembered(self, keys: Sequence[bytes]) -> dict[bytes, Embeddings]:
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in found:
                self._vectors.move_to_end(key)
        return found

    def _remember(self, vectors: dict[bytes, Embeddings]) -> None:
        with self._lock:
            self._vectors.update(vectors)
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)

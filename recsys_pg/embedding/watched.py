"""An embedder of which is known how long it has been at its present texts."""

import threading
import time
from collections.abc import Sequence

from recsys_pg.embedding.embedder import Embeddings, TextEmbedder
from recsys_pg.embedding.observer import Observer


class WatchedEmbedder:
    """A `TextEmbedder` as it was, and for whom watches it, since when it is at work and what it did."""

    def __init__(self, embedder: TextEmbedder, observer: Observer) -> None:
        self.name = embedder.name
        self.revision = embedder.revision
        self.dimensions = embedder.dimensions
        self._embedder = embedder
        self._observer = observer
        self._since: dict[int, float] = {}

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of texts: (n_texts, 384) float32, in their order, rows of unit length."""
        thread = threading.get_ident()
        started = self._since[thread] = time.monotonic()
        try:
            vectors = self._embedder.embed(texts)
        finally:
            del self._since[thread]
        self._observer.model_ran(len(texts), time.monotonic() - started)
        return vectors

    def seconds_at_it(self) -> float:
        """How long the longest of the calls that go on has been going on; 0 without one."""
        return time.monotonic() - min(self._since.copy().values(), default=time.monotonic())

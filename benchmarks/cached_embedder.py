"""The project's embedder, which remembers in the user's cache what it has embedded: benchmarks run again."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from recsys_pg.config import DIMENSIONS
from recsys_pg.embedding import SentenceTransformerEmbedder

CACHE = platformdirs.user_cache_path("recsys_pg") / "benchmarks" / "vectors.sqlite"


class CachedEmbedder:
    """A `TextEmbedder` that asks the default model only for texts it was never asked for."""

    def __init__(self, cache: Path = CACHE) -> None:
        self._model = SentenceTransformerEmbedder()
        self.name, self.revision = self._model.name, self._model.revision
        self.dimensions = DIMENSIONS
        cache.parent.mkdir(parents=True, exist_ok=True)
        self._cache = sqlite3.connect(cache)
        self._cache.execute("create table if not exists vectors (key blob primary key, vector blob not null)")

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n_texts, 384) float32, rows of unit length."""
        keys = [hashlib.sha256(f"{self.revision}\0{text}".encode()).digest() for text in texts]
        found = {key: vector for key in keys if (vector := self._known(key)) is not None}
        missing = [place for place, key in enumerate(keys) if key not in found]
        if missing:
            embedded = self._model.embed([texts[place] for place in missing])
            new = {keys[place]: vector for place, vector in zip(missing, embedded, strict=True)}
            with self._cache:
                self._cache.executemany(
                    "insert or replace into vectors values (?, ?)",
                    [(key, vector.astype("<f4").tobytes()) for key, vector in new.items()],
                )
            found |= new
        return np.stack([found[key] for key in keys])

    def _known(self, key: bytes) -> npt.NDArray[np.float32] | None:
        row = self._cache.execute("select vector from vectors where key = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], "<f4").astype(np.float32)

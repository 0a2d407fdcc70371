"""The real texts of the search benchmark, 300,000 software packages; their vectors, embedded once and cached.

Run alone, it fills the cache: python benchmarks/package_vectors.py
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyarrow import parquet

from recsys_pg.embedding.sentence_transformer import SentenceTransformerEmbedder

SOURCE = Path(__file__).parents[1].parent / "shared" / "data" / "packages" / "packages.parquet"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recsys_pg" / "benchmarks"
CHUNK = 10_000


@dataclass(frozen=True)
class Packages:
    """Names and summaries in a fixed random order; vectors (n_packages, 384) float32 of unit length."""

    names: list[str]
    summaries: list[str]
    vectors: npt.NDArray[np.float32]


def load(n: int) -> Packages:
    """The first n packages with their vectors, embedding those that the cache lacks (about 250 a second)."""
    table = parquet.read_table(SOURCE)
    order = np.random.default_rng(0).permutation(table.num_rows)[:n]
    names = table["name"].take(order).to_pylist()
    summaries = table["summary"].take(order).to_pylist()
    CACHE.mkdir(parents=True, exist_ok=True)
    embedder = None
    chunks = []
    for start in range(0, n, CHUNK):
        path = CACHE / f"packages-{start:07d}.npy"
        if not path.exists():
            embedder = embedder or SentenceTransformerEmbedder()
            chunk = zip(names[start : start + CHUNK], summaries[start : start + CHUNK], strict=True)
            texts = [f"{name}. {summary}" for name, summary in chunk]
            if len(texts) < CHUNK:
                raise SystemExit(f"n is {n}. Pass a multiple of {CHUNK:,}: the cache holds whole chunks.")
            partial = path.with_suffix(".partial")
            with partial.open("wb") as file:
                np.save(file, embedder.embed(texts))
            partial.rename(path)
            print(f"\rembedded {start + CHUNK:,} of {n:,} packages", end="", file=sys.stderr, flush=True)
        chunks.append(np.load(path))
    return Packages(names, summaries, np.concatenate(chunks)[:n])


if __name__ == "__main__":
    print(f"{len(load(300_000).vectors):,} vectors in {CACHE}")

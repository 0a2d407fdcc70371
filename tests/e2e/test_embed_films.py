"""The example examples/embed_films.py."""

import runpy
from pathlib import Path

import numpy as np

from recsys_pg.embedding import SentenceTransformerEmbedder

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "embed_films.py"


def test_four_films_give_the_vectors_that_the_model_defines():
    example = runpy.run_path(str(EXAMPLE))
    texts = list(example["FILMS"].values())
    vectors = SentenceTransformerEmbedder().embed(texts)
    assert (vectors.shape, vectors.dtype) == ((4, 384), np.float32)
    reference = example["mean_pooled"](texts)
    assert reference.dtype == np.float32
    assert np.abs(vectors - reference).max() < 1e-5

    matrix, inception, notebook, _ = vectors
    assert matrix @ inception > matrix @ notebook


def test_the_example_runs_as_a_script(capfd):
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = capfd.readouterr()
    assert printed.out.startswith("shape: (4, 384)\n")
    assert "The Notebook" in printed.out
    assert "largest difference from AutoModel with mean pooling: " in printed.out
    assert printed.err == ""

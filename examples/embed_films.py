"""Four films as vectors: which plots are alike, and that the vectors are what the model's authors define.

Run it with: python examples/embed_films.py (needs the extras embed and model).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from recsys_pg.embedding import SentenceTransformerEmbedder, bundled_model_path

FILMS = {
    "The Matrix": "A hacker finds out that everyday reality is a simulation run by machines, and joins the"
    " rebels who fight from inside it.",
    "Inception": "A thief who steals secrets by entering people's dreams is hired to plant an idea, in dreams"
    " nested within dreams where reality blurs.",
    "The Notebook": "A poor young man and a rich young woman fall in love one summer in the 1940s; years"
    " later their story is read aloud to someone who has forgotten it.",
    "Finding Nemo": "A timid clownfish crosses the ocean to find his only son, whom a diver has taken away.",
}


def mean_pooled(texts: list[str]) -> NDArray[np.float32]:
    """The vectors without sentence-transformers: means over the tokens that are not padding, normalized."""
    folder = bundled_model_path()
    tokens = AutoTokenizer.from_pretrained(folder)(
        texts, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(-1).float()
    means = (states * mask).sum(dim=1) / mask.sum(dim=1)
    return torch.nn.functional.normalize(means, dim=1).numpy()


def main() -> None:
    disable_progress_bar()
    texts = list(FILMS.values())
    vectors = SentenceTransformerEmbedder().embed(texts)
    print("shape:", vectors.shape)

    print("\ncosine similarity")
    for title, row in zip(FILMS, vectors @ vectors.T, strict=True):
        print(f"{title:>14}", *(f"{similarity:6.2f}" for similarity in row))

    difference = np.abs(vectors - mean_pooled(texts)).max()
    print(f"\nlargest difference from AutoModel with mean pooling: {difference:.1e}")


if __name__ == "__main__":
    main()

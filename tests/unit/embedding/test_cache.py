"""Texts that were embedded before are not embedded again, and no more are remembered than asked for."""

import numpy as np
import pytest

from recsys_pg.embedding import CachingEmbedder
from recsys_pg.errors import InvalidArgumentError, ModelError


class Counting:
    name, revision, dimensions = "counting", "1", 384

    def __init__(self):
        self.texts = []

    def embed(self, texts):
        self.texts.extend(texts)
        return np.stack([np.full(384, len(text), np.float32) for text in texts])


def test_equal_texts_are_embedded_once():
    model = Counting()
    embedder = CachingEmbedder(model)
    first = embedder.embed(["a", "bb", "a"])
    assert model.texts == ["a", "bb"]
    assert first[:, 0].tolist() == [1, 2, 1]
    assert embedder.embed(["ccc", "bb", "a"])[:, 0].tolist() == [3, 2, 1]
    assert model.texts == ["a", "bb", "ccc"]
    assert (embedder.name, embedder.revision, embedder.dimensions) == ("counting", "1", 384)


def test_what_was_asked_for_least_recently_is_forgotten():
    model = Counting()
    embedder = CachingEmbedder(model, texts=2)
    embedder.embed(["a", "bb"])
    embedder.embed(["a"])
    embedder.embed(["ccc"])
    assert embedder.embed(["a", "ccc"]).shape == (2, 384)
    assert model.texts == ["a", "bb", "ccc"]
    embedder.embed(["bb"])
    assert model.texts == ["a", "bb", "ccc", "bb"]


def test_more_texts_at_once_than_are_remembered():
    embedder = CachingEmbedder(Counting(), texts=1)
    assert embedder.embed(["a", "bb", "ccc"])[:, 0].tolist() == [1, 2, 3]


def test_what_the_model_does_wrong_is_not_remembered():
    model = Counting()
    model.embed = lambda texts: np.full((len(texts), 384), np.nan)
    embedder = CachingEmbedder(model)
    with pytest.raises(ModelError, match="not finite"):
        embedder.embed(["a"])
    model.embed = Counting().embed
    assert embedder.embed(["a"]).shape == (1, 384)


def test_a_text_with_half_a_character_is_a_text():
    assert CachingEmbedder(Counting()).embed(["\ud800"]).shape == (1, 384)


def test_a_cache_of_nothing_is_refused():
    with pytest.raises(InvalidArgumentError, match="texts is 0"):
        CachingEmbedder(Counting(), texts=0)

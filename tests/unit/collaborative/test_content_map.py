"""From content to factors: what was planted is found, for items that the map has not seen."""

import numpy as np
import pytest

from recsys_pg.collaborative.content_map import MOST_FIELDS, ContentMap, learn_content_map

DIMENSIONS = 6
RANDOM = np.random.default_rng(0)
TEXT = RANDOM.normal(size=(384, DIMENSIONS)).astype(np.float32)
GENRES = {genre: RANDOM.normal(size=DIMENSIONS).astype(np.float32) for genre in ("drama", "comedy", "war")}


def embeddings(n: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, 384))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def importance() -> np.ndarray:
    return np.ones(DIMENSIONS, np.float32)


def of_fields(found: ContentMap, *values: str) -> np.ndarray:
    """The factors of an item without a text."""
    return found.factors(np.full((1, 384), np.nan, np.float32), [values])[0]


def test_factors_that_follow_from_the_text_are_found_for_new_items():
    known, new = embeddings(2000, 1), embeddings(50, 2)
    found = learn_content_map(known @ TEXT, importance(), known, [()] * 2000)
    predicted = found.factors(new, [()] * 50)
    assert found.error < 0.05
    assert predicted == pytest.approx(new @ TEXT, abs=0.4)
    assert np.corrcoef(predicted.ravel(), (new @ TEXT).ravel())[0, 1] > 0.98


def test_factors_that_follow_from_fields_are_found_without_any_text():
    genres = np.random.default_rng(3).choice(list(GENRES), 300).tolist()
    nothing = np.full((300, 384), np.nan, np.float32)
    factors = np.array([GENRES[genre] for genre in genres])
    found = learn_content_map(factors, importance(), nothing, [[genre] for genre in genres])
    for genre, vector in GENRES.items():
        assert of_fields(found, genre) == pytest.approx(vector, abs=0.1)
    assert found.error < 0.01


def test_what_was_never_seen_says_nothing():
    known = embeddings(100, 1)
    found = learn_content_map(known @ TEXT, importance(), known, [["drama"]] * 100)
    assert of_fields(found, "never seen").tolist() == [0] * DIMENSIONS


def test_a_map_from_noise_says_that_it_knows_nothing():
    factors = np.random.default_rng(4).normal(size=(400, DIMENSIONS)).astype(np.float32)
    found = learn_content_map(factors, importance(), embeddings(400, 5), [()] * 400)
    assert found.error > 0.9


def test_the_most_frequent_values_are_learned():
    values = [[f"rare {item}", "common"] for item in range(MOST_FIELDS + 500)]
    factors = np.ones((len(values), DIMENSIONS), np.float32)
    nothing = np.full((len(values), 384), np.nan, np.float32)
    values[0] = ["other"]  # a value that all have tells nothing apart
    found = learn_content_map(factors[:600], importance(), nothing[:600], values[:600])
    assert "common" in found.fields
    assert len(found.fields) == 601


def test_items_with_no_content_at_all():
    nothing = np.full((20, 384), np.nan, np.float32)
    factors = np.ones((20, DIMENSIONS), np.float32)
    found = learn_content_map(factors, importance(), nothing, [()] * 20)
    assert of_fields(found).tolist() == [0] * DIMENSIONS
    assert found.error == pytest.approx(1)

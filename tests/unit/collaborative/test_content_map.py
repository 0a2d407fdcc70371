"""From content to factors: what was planted is found, for items that the map has not seen."""

import numpy as np
import pytest

from recsys_pg.collaborative.content_features import FEW_ITEMS, MOST_VALUES, ContentFeatures
from recsys_pg.collaborative.content_map import ContentMap, Part, learn_content_map

DIMENSIONS = 6
RANDOM = np.random.default_rng(0)
TEXT = RANDOM.normal(size=(384, DIMENSIONS)).astype(np.float32)
GENRES = {genre: RANDOM.normal(size=DIMENSIONS).astype(np.float32) for genre in ("drama", "comedy", "war")}


def embeddings(n: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, 384))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def asked(n: int = 200) -> np.ndarray:
    """Queries that want every direction alike."""
    return np.random.default_rng(9).normal(size=(n, DIMENSIONS)).astype(np.float32)


def learned(factors: np.ndarray, vectors: np.ndarray, values: list) -> ContentMap:
    return learn_content_map([Part(factors, asked())], vectors, values)


def of_fields(found: ContentMap, *values: str) -> np.ndarray:
    """The factors of an item without a text."""
    return found.factors(np.full((1, 384), np.nan, np.float32), [values])[0]


def test_factors_that_follow_from_the_text_are_found_for_new_items():
    known, new = embeddings(2000, 1), embeddings(50, 2)
    found = learned(known @ TEXT, known, [()] * 2000)
    predicted = found.factors(new, [()] * 50)
    assert found.error < 0.05
    assert predicted == pytest.approx(new @ TEXT, abs=0.4)
    assert np.corrcoef(predicted.ravel(), (new @ TEXT).ravel())[0, 1] > 0.98


def test_factors_that_follow_from_fields_are_found_without_any_text():
    genres = np.random.default_rng(3).choice(list(GENRES), 300).tolist()
    nothing = np.full((300, 384), np.nan, np.float32)
    factors = np.array([GENRES[genre] for genre in genres])
    found = learned(factors, nothing, [[genre] for genre in genres])
    for genre, vector in GENRES.items():
        assert of_fields(found, genre) == pytest.approx(vector, abs=0.1)
    assert found.error < 0.01


def test_what_was_never_seen_says_nothing():
    known = embeddings(100, 1)
    found = learned(known @ TEXT, known, [["drama"]] * 100)
    assert of_fields(found, "never seen").tolist() == [0] * DIMENSIONS


def test_a_map_from_noise_says_that_it_knows_nothing():
    factors = np.random.default_rng(4).normal(size=(400, DIMENSIONS)).astype(np.float32)
    found = learned(factors, embeddings(400, 5), [()] * 400)
    assert found.error > 0.9


def test_the_most_frequent_values_are_learned_where_items_are_many():
    values = [[f"rare {item}", "common"] for item in range(FEW_ITEMS + 1)]
    values[0] = ["other"]
    features = ContentFeatures.of(np.full((len(values), 384), np.nan, np.float32), values)
    assert len(features.names) == MOST_VALUES
    assert features.names[0] == "common"


def test_rare_values_are_learned_too_where_items_are_few():
    values = [[f"rare {item}", "common"] for item in range(MOST_VALUES + 500)]
    features = ContentFeatures.of(np.full((len(values), 384), np.nan, np.float32), values)
    assert len(features.names) == MOST_VALUES + 501


def test_a_direction_that_content_tells_is_not_shrunk_for_one_that_it_does_not():
    random = np.random.default_rng(6)
    known = embeddings(400, 7)
    told = known @ random.normal(size=384).astype(np.float32)
    noise = random.normal(size=400).astype(np.float32)
    alone = learn_content_map([Part(told[:, None], np.ones((1, 1), np.float32))], known, [()] * 400)
    both = learn_content_map(
        [Part(np.stack([told, noise], axis=1), np.diag([1.0, 10.0]).astype(np.float32))], known, [()] * 400
    )
    new = embeddings(50, 8)
    expected = alone.factors(new, [()] * 50)[:, 0]
    assert both.factors(new, [()] * 50)[:, 0] == pytest.approx(expected, abs=1e-4)
    assert np.abs(both.factors(new, [()] * 50)[:, 1]).mean() < 0.3


def test_fields_weigh_as_much_as_ranks_new_items_best():
    genres = np.random.default_rng(10).choice(list(GENRES), 300).tolist()
    factors = np.array([GENRES[genre] for genre in genres])
    found = learned(factors, embeddings(300, 11), [[genre] for genre in genres])
    # texts are noise here, and hide the genre unless these count for more
    assert found.factors(embeddings(1, 12), [["war"]])[0] == pytest.approx(GENRES["war"], abs=0.3)


def test_history_vectors_are_predicted_with_the_targets():
    known = embeddings(2000, 1)
    histories = known @ TEXT[:, ::-1]
    found = learn_content_map(
        [Part(known @ TEXT, asked()), Part(histories, known @ TEXT)], known, [()] * 2000
    )
    new = embeddings(50, 2)
    predicted = found.factors(new, [()] * 50)[:, DIMENSIONS:]
    assert np.corrcoef(predicted.ravel(), (new @ TEXT[:, ::-1]).ravel())[0, 1] > 0.98


def test_items_with_no_content_at_all():
    nothing = np.full((20, 384), np.nan, np.float32)
    factors = np.ones((20, DIMENSIONS), np.float32)
    found = learned(factors, nothing, [()] * 20)
    assert of_fields(found).tolist() == [0] * DIMENSIONS
    assert found.error == pytest.approx(1)

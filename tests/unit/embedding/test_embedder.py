"""What a model may return."""

import numpy as np
import pytest

from recsys_pg.embedding import check_vectors
from recsys_pg.errors import ModelError


def test_good_vectors_come_back_in_single_precision():
    vectors = check_vectors(np.ones((3, 384), np.float64), 3)
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    assert check_vectors([[1.0] * 384], 1).shape == (1, 384)
    assert check_vectors(np.empty((0, 384)), 0).shape == (0, 384)


def spoiled(value, row=1):
    vectors = np.ones((3, 384))
    vectors[row] = value
    return vectors


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones((3, 383)), r"an array of shape \(3, 383\) for 3 texts, not \(3, 384\)"),
        (np.ones((2, 384)), r"an array of shape \(2, 384\) for 3 texts"),
        (np.ones(384), r"an array of shape \(384,\) for 3 texts"),
        (spoiled(np.nan), "not finite for text 1"),
        (spoiled(-np.inf, row=2), "not finite for text 2"),
        (spoiled(1e39), "not finite for text 1"),
        (spoiled(0), "a vector of zeros for text 1"),
        (None, "no array of numbers|not finite|shape"),
        ([["a"] * 384] * 3, "no array of numbers: could not convert string to float"),
        ([[1.0], [1.0, 2.0]], "no array of numbers"),
    ],
)
def test_bad_vectors_are_named(vectors, message):
    with pytest.raises(ModelError, match=message):
        check_vectors(vectors, 3)

"""The regression is the same by rows and by columns."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.content_features import Joined
from recsys_pg.collaborative.ridge import Ridge


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (10, 10)])
def test_the_regression_solves_the_normal_equations(shape):
    random = np.random.default_rng(0)
    features = random.normal(size=shape).astype(np.float32)
    wanted = random.normal(size=(shape[0], 3)).astype(np.float32)
    ridge = Ridge.of(Joined(features[:, :5], csr_array(features[:, 5:])), wanted)
    for reg in (0.1, 10.0):
        gram = features.T.astype(np.float64) @ features + reg * np.eye(shape[1])
        expected = np.linalg.solve(gram, features.T @ wanted)
        assert ridge.solved(reg) == pytest.approx(expected, abs=1e-4)

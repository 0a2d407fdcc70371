"""The served form of factors: equal inner products, and the bytes that COPY gets."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.factors import Factors, TimeScale
from recsys_pg.collaborative.served import ServedFactors, row_type


def some_factors(dimensions: int = 384, items: int = 50, scales: int = 2) -> Factors:
    random = np.random.default_rng(0)
    targets = random.normal(size=(items, dimensions)).astype(np.float32)
    targets *= random.uniform(0.01, 3, (items, 1)).astype(np.float32)
    nothing = csr_array((items, items), dtype=np.float32)
    return Factors(
        targets,
        tuple(
            TimeScale(0.9**scale, random.normal(size=(items, dimensions)).astype(np.float32), nothing)
            for scale in range(scales)
        ),
    )


@pytest.mark.parametrize("dimensions", [2, 100, 384])
def test_inner_products_stay_and_the_longest_target_has_length_one(dimensions):
    factors = some_factors(dimensions)
    served = ServedFactors.of(factors)
    targets = served.targets.astype(np.float32)
    assert targets.shape == (50, 384)
    assert np.linalg.norm(targets, axis=1).max() == pytest.approx(1, abs=2e-3)
    for scale, history in zip(factors.scales, served.histories, strict=True):
        expected = scale.history @ factors.targets.T
        assert history.astype(np.float32) @ targets.T == pytest.approx(
            expected, abs=0.003 * float(np.abs(expected).max())
        )


def test_targets_that_are_all_zero_are_served():
    factors = some_factors()
    served = ServedFactors.of(Factors(factors.targets * 0, factors.scales))
    assert (served.targets == 0).all()


def test_what_content_predicts_is_as_long_as_it_says_up_to_one():
    parts = np.zeros((3, 768), np.float32)
    parts[0, 0], parts[1, 0] = 0.6, 5
    parts[:, 384] = 7
    served = ServedFactors.of_parts(parts)
    assert served.targets[:, 0].tolist() == pytest.approx([0.6, 1, 0], abs=1e-3)
    assert (served.targets[:, 1:] == 0).all()
    assert len(served.histories) == 1
    assert (served.histories[0][:, 0] == 7).all()


def test_parts_are_what_content_has_to_predict():
    served = ServedFactors.of(some_factors())
    parts = served.parts(np.arange(10, 50))
    assert parts.shape == (40, 3 * 384)
    assert parts[:, :384] == pytest.approx(served.targets[10:].astype(np.float32))
    assert parts[:, 384:768] == pytest.approx(served.histories[0][10:].astype(np.float32))


def test_rows_are_read_as_they_were_written():
    served = ServedFactors.of(some_factors())
    chosen = np.array([3, 7, 49])
    copied = b"".join(served.copy_blocks(9, np.arange(100, 150), chosen, 12345, is_learned=True))
    assert copied[:11] == b"PGCOPY\n\xff\r\n\0"
    assert copied[-2:] == b"\xff\xff"
    rows = np.frombuffer(copied, row_type(2), 3, 19)
    assert rows["model_id"]["value"].tolist() == [9, 9, 9]
    assert rows["item_id"]["value"].tolist() == [103, 107, 149]
    assert (rows["target"]["value"] == served.targets[chosen]).all()
    for scale, history in enumerate(served.histories):
        assert (rows["history"]["values"]["value"][:, scale] == history[chosen]).all()


def test_the_longest_targets_come_first(monkeypatch):
    monkeypatch.setattr("recsys_pg.collaborative.served._ROWS", 2)
    targets = np.zeros((5, 384), np.float16)
    targets[:, 3] = [0.1, -0.9, 0, 0.5, 1]
    served = ServedFactors(targets, ())
    assert served.longest_first(np.arange(5)).tolist() == [4, 1, 3, 0, 2]
    assert served.longest_first(np.array([0, 3])).tolist() == [3, 0]
    assert served.longest_first(np.array([], np.intp)).tolist() == []

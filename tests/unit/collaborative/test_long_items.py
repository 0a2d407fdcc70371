"""The bits of items with long targets."""

import numpy as np
import pytest

from recsys_pg.collaborative.long_items import bits_of


def is_set(bits: bytes, item_id: int) -> bool:
    """As get_bit and recsys_api._long_bit have it."""
    place = item_id % (8 * len(bits))
    return bool(bits[place // 8] >> (place % 8) & 1)


@pytest.mark.parametrize("ids", [[1, 5, 8, 999], [0], [-3, 12, 2**62 + 1], list(range(1, 1000, 7))])
def test_the_bits_of_the_ids_are_set(ids):
    bits = bits_of(np.array(ids, np.int64), 1000)
    assert len(bits) == 125
    assert all(is_set(bits, item_id) for item_id in ids)
    assert sum(byte.bit_count() for byte in bits) == len({item_id % 1000 for item_id in ids})


def test_there_are_at_least_as_many_bits_as_asked_for():
    assert len(bits_of(np.array([3], np.int64), 9)) == 2

"""The two bits of each item that tell how long its target is."""

import numpy as np
import pytest

from recsys_pg.collaborative.length_classes import packed_classes


def class_of(packed: bytes, item_id: int) -> int:
    """As recsys_api._length_class has it."""
    slot = item_id % (4 * len(packed) - 1)
    return packed[slot // 4] >> 2 * (slot % 4) & 3


@pytest.mark.parametrize("ids", [[1, 5, 8, 999], [0, 1], [-3, 12, 2**62 + 1], list(range(1, 1000, 7))])
def test_what_comes_first_has_the_highest_class(ids):
    packed = packed_classes(np.array(ids, np.int64), [len(ids), len(ids) // 2, 1], 1000)
    slots = 4 * len(packed) - 1
    assert slots == 1019
    assert class_of(packed, ids[0]) == 3
    assert all(class_of(packed, item_id) == 2 for item_id in ids[1 : len(ids) // 2])
    assert all(class_of(packed, item_id) == 1 for item_id in ids[max(1, len(ids) // 2) :])
    others = set(range(slots)) - {item_id % slots for item_id in ids}
    assert not any(class_of(packed, item_id) for item_id in others)


def test_of_ids_that_share_bits_the_highest_class_counts():
    assert class_of(packed_classes(np.array([3, 14], np.int64), [2, 1], 8), 3) == 2
    assert class_of(packed_classes(np.array([14, 3], np.int64), [2, 1], 8), 14) == 2


def test_there_are_as_many_classes_as_asked_for():
    assert 4 * len(packed_classes(np.array([3], np.int64), [1], 9)) - 1 >= 9


@pytest.mark.parametrize("step", [2**22, 1000, 4096, 10**13])
def test_ids_in_steps_share_no_bits(step):
    ids = np.arange(1, 5001) * step
    packed = packed_classes(ids, [1250, 625, 312], len(ids))
    assert sum(class_of(packed, item_id) > 0 for item_id in ids.tolist()) == 1250

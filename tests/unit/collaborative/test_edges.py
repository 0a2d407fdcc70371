import struct

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys_pg.collaborative.copying import HEADER, TRAILER
from recsys_pg.collaborative.edges import copy_blocks


def parsed(stream: bytes) -> list[list[bytes]]:
    """The fields of each row of PostgreSQL's binary COPY format."""
    assert stream.startswith(HEADER)
    assert stream.endswith(TRAILER)
    place, rows = len(HEADER), []
    while place < len(stream) - len(TRAILER):
        (fields,) = struct.unpack_from(">h", stream, place)
        place += 2
        row = []
        for _ in range(fields):
            (length,) = struct.unpack_from(">i", stream, place)
            row.append(stream[place + 4 : place + 4 + length])
            place += 4 + length
        rows.append(row)
    assert place == len(stream) - len(TRAILER)
    return rows


def array(field: bytes, oid: int, value: str) -> list[float]:
    dimensions, has_nulls, element, length, lower = struct.unpack_from(">iiIii", field)
    assert (dimensions, has_nulls, element, lower) == (1, 0, oid, 1)
    size = struct.calcsize(value)
    assert len(field) == 20 + length * (4 + size)
    return [struct.unpack_from(f">i{value}", field, 20 + n * (4 + size))[1] for n in range(length)]


GRAPH = csr_array(np.array([[0, -3, 1, 2], [0, 0, 0, 0], [5, 0, 0, 6], [0, 0, 0, 1]], np.float32))
IDS = np.array([10, 20, 30, 2**40])


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
@pytest.mark.parametrize("scale", [None, 2])
def test_rows_are_those_of_the_graph_the_strongest_first(monkeypatch, rows_at_once, scale):
    monkeypatch.setattr("recsys_pg.collaborative.edges._ROWS", rows_at_once)
    blocks = list(copy_blocks(GRAPH, IDS, np.ones(4, bool), model_id=7, scale=scale))
    assert blocks[-1][1] == 4
    found = {}
    for model, item, *scales, neighbors, weights in parsed(b"".join(block for block, _ in blocks)):
        assert struct.unpack(">q", model) == (7,)
        assert [struct.unpack(">h", field) for field in scales] == ([] if scale is None else [(2,)])
        (item_id,) = struct.unpack(">q", item)
        found[item_id] = array(neighbors, 20, "q"), array(weights, 700, "f")
    assert found == {
        10: ([20, 2**40, 30], [-3, 2, 1]),
        30: ([2**40, 10], [6, 5]),
        2**40: ([2**40], [1]),
    }


def test_items_that_were_deleted_are_neither_rows_nor_neighbors():
    kept = np.array([True, True, True, False])
    blocks = list(copy_blocks(GRAPH, IDS, kept, model_id=1))
    rows = parsed(b"".join(block for block, _ in blocks))
    assert [array(row[2], 20, "q") for row in rows] == [[10], [20, 30]]


def test_a_graph_without_edges_has_no_rows():
    blocks = list(copy_blocks(csr_array((4, 4), dtype=np.float32), IDS, np.ones(4, bool), model_id=1))
    assert parsed(b"".join(block for block, _ in blocks)) == []

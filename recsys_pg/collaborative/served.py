"""Factors in the form in which the database searches and adds them up."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys_pg.collaborative.copying import HEADER, TRAILER
from recsys_pg.collaborative.factors import LARGEST_HALF, Factors
from recsys_pg.collaborative.histories import MeanQuery
from recsys_pg.collaborative.operators.operator import Floats, Halves
from recsys_pg.config import DIMENSIONS

ROWS_A_BLOCK = 1000
"""Of what COPY gets at a time."""

_ROWS = 65_536


@dataclass(frozen=True)
class ServedFactors:
    """What recsys.item_factors holds: targets (n_items, 384), a history of that shape a scale.

    The inner product of the sum of history vectors with a target is the score. Targets are divided by the
    length of the longest, with which histories are multiplied, so that half precision suffices for all.
    mean is of 384 dimensions.
    """

    targets: Halves
    histories: tuple[Halves, ...]
    mean: MeanQuery | None = None

    def parts(self, items: npt.NDArray[np.intp]) -> Floats:
        """(n, 384 · (1 + scales)): targets of some items, then histories; see `of_parts`."""
        return np.hstack([part[items].astype(np.float32) for part in (self.targets, *self.histories)])

    @classmethod
    def of_parts(cls, parts: Floats) -> "ServedFactors":
        """The served form of what content predicts, as recsys_api._mapped_factors makes it."""
        target, *histories = np.split(parts, parts.shape[1] // DIMENSIONS, axis=1)
        length = np.linalg.norm(target, axis=1, keepdims=True)
        target = target / np.maximum(1, length)
        return cls(target.astype(np.float16), tuple(map(_halves, histories)))

    @classmethod
    def of(cls, factors: Factors) -> "ServedFactors":
        """The served form of factors of at most 384 dimensions."""
        n_items, dimensions = factors.targets.shape
        longest = np.float32(np.sqrt(max(_squares(factors.targets[rows]).max() for rows in _blocks(n_items))))
        longest = longest or np.float32(1)
        targets = np.zeros((n_items, DIMENSIONS), np.float16)
        for rows in _blocks(n_items):
            targets[rows, :dimensions] = factors.targets[rows] / longest
        histories = []
        for scale in factors.scales:
            history = np.zeros((n_items, DIMENSIONS), np.float16)
            for rows in _blocks(n_items):
                history[rows, :dimensions] = _halves(scale.history[rows].astype(np.float32) * longest)
            histories.append(history)
        mean = None
        if factors.mean:
            query = np.zeros(DIMENSIONS, np.float32)
            query[:dimensions] = factors.mean.query * longest
            mean = MeanQuery(query, factors.mean.fade)
        return cls(targets, tuple(histories), mean)

    def longest_first(self, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """The positions in the order of the lengths of their targets."""
        squares = np.zeros(len(chosen), np.float32)
        for rows in _blocks(len(chosen)):
            squares[rows] = _squares(self.targets[chosen[rows]].astype(np.float32))
        return chosen[np.argsort(-squares, kind="stable")]

    def copy_blocks(
        self,
        model_id: int,
        item_ids: npt.NDArray[np.int64],
        chosen: npt.NDArray[np.intp],
        halfvec_oid: int,
        *,
        is_learned: bool,
    ) -> Iterator[bytes]:
        """The chosen rows as PostgreSQL's binary COPY format: model_id, item_id, target, history, is_learned.

        Every row has the same length, so that they are filled in as arrays: a million rows take seconds.
        """
        row = row_type(len(self.histories))
        yield HEADER
        for start in range(0, len(chosen), ROWS_A_BLOCK):
            positions = chosen[start : start + ROWS_A_BLOCK]
            rows = np.zeros(len(positions), row)
            rows["fields"] = 5
            for name, value in (("model_id", model_id), ("item_id", item_ids[positions])):
                rows[name]["length"], rows[name]["value"] = 8, value
            _fill(rows["target"], self.targets[positions])
            array = rows["history"]
            array["length"] = row["history"].itemsize - 4
            array["array_dimensions"], array["element_type"] = 1, halfvec_oid
            array["elements"], array["lower_bound"] = len(self.histories), 1
            for scale, history in enumerate(self.histories):
                _fill(array["values"][:, scale], history[positions])
            rows["is_learned"]["length"], rows["is_learned"]["value"] = 1, is_learned
            yield rows.tobytes()
        yield TRAILER


def _halves(vectors: Floats) -> Halves:
    """In half precision, whose infinity no vector in PostgreSQL may hold."""
    return np.clip(vectors, -LARGEST_HALF, LARGEST_HALF).astype(np.float16)


def _squares(vectors: Floats) -> Floats:
    squares: Floats = (vectors**2).sum(axis=1)
    return squares


def _blocks(n_items: int) -> Iterator[slice]:
    for start in range(0, n_items, _ROWS):
        yield slice(start, start + _ROWS)


def row_type(scales: int) -> np.dtype[np.void]:
    """A row of recsys.item_factors in PostgreSQL's binary COPY format; nothing of it is NULL."""
    number = np.dtype([("length", ">i4"), ("value", ">i8")])
    vector = np.dtype(
        [("length", ">i4"), ("dimensions", ">i2"), ("unused", ">i2"), ("value", ">f2", (DIMENSIONS,))]
    )
    array = np.dtype(
        [
            ("length", ">i4"),
            ("array_dimensions", ">i4"),
            ("has_nulls", ">i4"),
            ("element_type", ">u4"),
            ("elements", ">i4"),
            ("lower_bound", ">i4"),
            ("values", vector, (scales,)),
        ]
    )
    flag = np.dtype([("length", ">i4"), ("value", "i1")])
    return np.dtype(
        [
            ("fields", ">i2"),
            ("model_id", number),
            ("item_id", number),
            ("target", vector),
            ("history", array),
            ("is_learned", flag),
        ]
    )


def _fill(field: npt.NDArray[np.void], vectors: Halves) -> None:
    field["length"] = 4 + 2 * DIMENSIONS
    field["dimensions"] = DIMENSIONS
    field["value"] = vectors

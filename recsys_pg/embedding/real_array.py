"""Vectors as a parameter of a statement: one flat array of type real[], in PostgreSQL's binary format."""

from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from recsys_pg.embedding.embedder import Embeddings

_REAL, _REAL_ARRAY = 700, 1021
"""The ids of PostgreSQL's types real and real[]."""


class RealArray:
    """Numbers of any shape, sent in the order of their rows.

    psycopg writes a list number by number, which takes longer than the server does with the vectors.
    """

    def __init__(self, numbers: Embeddings) -> None:
        self.numbers: npt.NDArray[np.float32] = np.ascontiguousarray(numbers, np.float32).ravel()

    @staticmethod
    def register(connection: psycopg.Connection[Any]) -> None:
        """Let a connection send such parameters."""
        connection.adapters.register_dumper(RealArray, _RealArrayDumper)


class _RealArrayDumper(Dumper):
    format = Format.BINARY
    oid = _REAL_ARRAY

    def dump(self, obj: RealArray) -> bytes:
        # dimensions, flag of nulls, type; length and lower bound of the dimension; then the numbers
        header = np.array([1, 0, _REAL, len(obj.numbers), 1], ">i4")
        elements = np.empty(len(obj.numbers), np.dtype([("length", ">i4"), ("value", ">f4")]))
        elements["length"] = 4
        elements["value"] = obj.numbers
        return header.tobytes() + elements.tobytes()

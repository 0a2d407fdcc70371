"""Parquet files, through pyarrow (the extra ``parquet``)."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from recsys_pg.errors import InvalidArgumentError, MissingDependencyError
from recsys_pg.importing.files import File
from recsys_pg.importing.source import Row, Table

_BATCH_ROWS = 10_000


def table(file: File) -> Table:
    """The rows of a file; the number of a row stands for the line.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        InvalidArgumentError: the file is no Parquet file, or lies inside an archive.
    """
    with _opened(file) as parquet:
        columns = tuple(parquet.schema_arrow.names)
    return Table(file.name, columns, partial(_rows, file))


def _rows(file: File) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa

    line = 0
    with _opened(file) as parquet:
        for batch in parquet.iter_batches(_BATCH_ROWS):
            # Python's datetime has no nanoseconds
            coarse = pa.schema(
                [
                    column.with_type(pa.timestamp("us", column.type.tz))
                    if pa.types.is_timestamp(column.type) and column.type.unit == "ns"
                    else column
                    for column in batch.schema
                ]
            )
            values = [_values(column) for column in batch.cast(coarse, safe=False).columns]
            for row in zip(*values, strict=True):
                line += 1
                yield line, dict(zip(batch.schema.names, row, strict=True))


def _values(column: Any) -> list[Any]:
    """The values of a column; lists of floats as arrays, a number of which is no object of Python's."""
    import pyarrow as pa

    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not (is_list and pa.types.is_floating(kind.value_type)):
        return [None if _is_nan(value) else value for value in column.to_pylist()]
    numbers = column.flatten().to_numpy(zero_copy_only=False)
    ends = _ends(column)
    return [
        numbers[start:end] if valid else None
        for start, end, valid in zip([0, *ends[:-1]], ends, column.is_valid().to_pylist(), strict=True)
    ]


def _ends(column: Any) -> list[int]:
    """Where the list of each row ends among the numbers of all."""
    from pyarrow import compute

    lengths = compute.fill_null(compute.list_value_length(column), 0)
    return list(np.cumsum(lengths.to_numpy(zero_copy_only=False)).tolist())


def _is_nan(value: object) -> bool:
    # how data frames write an absent value
    return isinstance(value, float) and math.isnan(value)


def _opened(file: File) -> Any:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"Reading {file.name} needs pyarrow, which is not installed.",
            'Run: pip install "recsys-pg[parquet]".',
        ) from error
    if file.member is not None:
        raise InvalidArgumentError(
            f"{file.name} lies inside {file.path.name}, where Parquet cannot be read.",
            "Unpack the archive first.",
        )
    try:
        return parquet.ParquetFile(file.path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidArgumentError(
            f"{file.name} is no Parquet file: {error}.", "Check how it was written."
        ) from error

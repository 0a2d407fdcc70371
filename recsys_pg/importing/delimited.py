"""CSV and TSV files: separated values with a header."""

import csv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeAlias

from recsys_pg.errors import InvalidRecordError
from recsys_pg.importing.files import File
from recsys_pg.importing.source import InvalidValueError, Row, Table

_LONGEST_FIELD = 16 * 1024 * 1024
"""Characters of one field. Python's own limit of 128 KiB is less than a long description; without one, a
quote that is never closed would read the rest of the file into memory."""

_Lines: TypeAlias = Iterator[tuple[int, list[str] | InvalidValueError]]


def table(
    file: File,
    *,
    delimiter: str | None = None,
    quoted: bool = True,
    columns: Sequence[str] = (),
    encoding: str = "utf-8-sig",
) -> Table:
    """The rows of a file of separated values.

    The first line names the columns, unless ``columns`` does for a file without a header. Without a
    ``delimiter`` it is a comma, or a semicolon where that line has no comma. Without ``quoted``, quotes are
    characters like any other.

    Raises:
        InvalidRecordError: the header is missing, or names a column twice or not at all.
        InvalidArgumentError: the file cannot be read.
    """
    if delimiter is None:
        with file.open_text(encoding) as text:
            first = text.readline(_LONGEST_FIELD)
        delimiter = ";" if ";" in first and "," not in first else ","
    read = partial(_lines, file, delimiter, quoted, encoding)
    names = tuple(columns) or _header(file, read())
    return Table(file.name, names, partial(_rows, read, names, has_header=not columns))


def _header(file: File, lines: _Lines) -> tuple[str, ...]:
    line, found = next(
        lines, (1, InvalidValueError("there is no header.", "Name the columns in the first line."))
    )
    if isinstance(found, InvalidValueError):
        raise InvalidRecordError(f"{file.name}, line {line}: {found.message}", found.hint, line=line)
    names = tuple(name.strip() for name in found)
    repeated = [name for name in names if not name or names.count(name) > 1]
    if repeated:
        problem = f"column {repeated[0]!r} is there twice" if repeated[0] else "a column has no name"
        raise InvalidRecordError(
            f"{file.name}, line {line}: {problem}.", "Give every column a name of its own.", line=line
        )
    return names


def _lines(file: File, delimiter: str, quoted: bool, encoding: str) -> _Lines:
    # the csv module keeps this limit for the whole process, so it is only ever raised
    csv.field_size_limit(max(_LONGEST_FIELD, csv.field_size_limit()))
    with file.open_text(encoding) as text:
        reader = csv.reader(
            text,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            strict=True,
        )
        while True:
            line = reader.line_num + 1  # where the record starts: a quoted field may go on for many lines
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield (
                    line,
                    InvalidValueError(
                        f"it is no CSV: {error}.", "Close every quote, and double those inside."
                    ),
                )
            else:
                if values:
                    yield line, values


def _rows(
    read: Callable[[], _Lines], names: tuple[str, ...], *, has_header: bool
) -> Iterator[tuple[int, Row | InvalidValueError]]:
    width = len(names)
    for line, values in islice(read(), int(has_header), None):
        if isinstance(values, InvalidValueError):
            yield line, values
        elif len(values) == width:
            yield line, dict(zip(names, values, strict=True))
        else:
            yield (
                line,
                InvalidValueError(
                    f"it has {len(values)} fields instead of {width}.",
                    f"Give it one for each of {', '.join(names)}, and quote fields that hold the separator.",
                ),
            )

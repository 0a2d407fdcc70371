"""A re-iterable stream of records from a file, and what is said about a line that is none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from recsys_pg.errors import InvalidRecordError

Record = TypeVar("Record")

Row: TypeAlias = dict[str, Any]
"""A line of a file: its values by column."""


class InvalidValueError(ValueError):
    """What is wrong with a line, before it is known which line it is; never leaves this package."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class InvalidLine:
    """A line that holds no valid record: its file, its number counted from 1, what is wrong, the remedy."""

    file: str
    line: int
    message: str
    hint: str

    def error(self) -> InvalidRecordError:
        """The exception that says the same."""
        return InvalidRecordError(f"{self.file}, line {self.line}: {self.message}", self.hint, line=self.line)


OnInvalid: TypeAlias = Callable[[InvalidLine], None]
"""Called with each line that holds no valid record; may raise."""


def refuse(invalid: InvalidLine) -> None:
    """Raise the error that an invalid line stands for.

    Raises:
        InvalidRecordError: always.
    """
    raise invalid.error()


Rows: TypeAlias = Callable[[], Iterator[tuple[int, Row | InvalidValueError]]]
"""Starts reading: pairs of line number, counted from 1, and row, or what keeps the line from being one."""


@dataclass(frozen=True)
class Table:
    """A file as rows of named columns, whatever its format; every call of ``rows`` reads it anew."""

    file: str
    columns: tuple[str, ...]
    rows: Rows = field(repr=False)


@dataclass(frozen=True)
class Source(Generic[Record]):
    """Records of one file. Every iteration reads it anew, as a stream, whatever its size.

    ``file`` is its name in messages. ``fields`` are those of the record that the file has columns for; an
    import leaves the others of existing items and users as they are. ``unused`` are columns that fill none.
    """

    file: str
    fields: frozenset[str]
    rows: Rows = field(repr=False)
    parse: Callable[[Row], Record] = field(repr=False)
    unused: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        """The same as `records`, with an InvalidRecordError at the first line that holds none."""
        return self.records()

    def records(self, on_invalid: OnInvalid = refuse) -> Iterator[tuple[int, Record]]:
        """Pairs of line number, counted from 1, and record. Lines that hold none go to ``on_invalid``.

        Raises:
            InvalidRecordError: a line holds no valid record, unless ``on_invalid`` does something else.
        """
        parse = self.parse
        for line, row in self.rows():
            try:
                if isinstance(row, InvalidValueError):
                    raise row
                record = parse(row)
            except InvalidValueError as error:
                on_invalid(InvalidLine(self.file, line, error.message, error.hint))
            else:
                yield line, record

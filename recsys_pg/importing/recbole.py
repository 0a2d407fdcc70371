"""RecBole's atomic files: ``.item``, ``.user`` and ``.inter``, tab-separated, with typed columns.

A column is named ``name:type``, of the types token, token_seq, float and float_seq
(https://recbole.io/docs/user_guide/data/atomic_files.html).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from recsys_pg.errors import InvalidRecordError
from recsys_pg.importing import delimited
from recsys_pg.importing.fields import Tokens, shown
from recsys_pg.importing.files import File
from recsys_pg.importing.source import InvalidValueError, Row, Table
from recsys_pg.importing.titles import natural_title, split_year

_Column: TypeAlias = tuple[str, str, Callable[[str], Any]]

_TYPES: Mapping[str, Callable[[str], Any]] = {
    "token": str,
    "token_seq": Tokens,
    "float": float,
    "float_seq": lambda value: [float(part) for part in value.split()],
}


def table(file: File) -> Table:
    """The rows of an atomic file, its values of the types that the header says.

    A column ``movie_title`` tells that the items are MovieLens's: titles become as people write them, and
    ``release_year`` a column ``year`` of numbers.

    Raises:
        InvalidRecordError: the header has a column without a type, or of an unknown one.
    """
    raw = delimited.table(file, delimiter="\t", quoted=False)
    columns = [_column(file, header) for header in raw.columns]
    names = [name for _, name, _ in columns]
    films = {"movie_title", "release_year"} <= set(names)

    def rows() -> Iterator[tuple[int, Row | InvalidValueError]]:
        for line, row in raw.rows():
            typed = row if isinstance(row, InvalidValueError) else _typed(row, columns)
            if films and not isinstance(typed, InvalidValueError):
                _name_film(typed)
            yield line, typed

    return Table(
        file.name, tuple("year" if films and name == "release_year" else name for name in names), rows
    )


def _column(file: File, header: str) -> _Column:
    name, _, kind = header.rpartition(":")
    if not name or kind not in _TYPES:
        raise InvalidRecordError(
            f"{file.name}, line 1: column {header!r} has no type that RecBole knows.",
            f"Name columns name:type, with a type of {', '.join(_TYPES)}.",
            line=1,
        )
    return header, name, _TYPES[kind]


def _typed(row: Row, columns: list[_Column]) -> Row | InvalidValueError:
    typed = {}
    for header, name, convert in columns:
        value = row[header]
        try:
            typed[name] = convert(value) if value else None
        except ValueError:
            return InvalidValueError(
                f"{name} is {shown(value)}, not a number.", "Write digits with a decimal point."
            )
    return typed


def _name_film(row: Row) -> None:
    title, year = split_year(row["movie_title"] or "")
    released = row.pop("release_year") or ""
    row["movie_title"] = natural_title(title)
    row["year"] = int(released) if released.isdecimal() else year

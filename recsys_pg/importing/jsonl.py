"""JSON Lines files: one JSON object a line."""

import json
from collections.abc import Iterator
from functools import partial
from typing import NoReturn

from recsys_pg.importing.files import File
from recsys_pg.importing.source import InvalidLine, InvalidValueError, Row, Table, refuse


def table(file: File) -> Table:
    """The objects of a file; blank lines are none. It is read once for its columns, all keys that occur.

    Raises:
        InvalidRecordError: it holds no object at all.
        InvalidArgumentError: it cannot be read.
    """
    columns: dict[str, None] = {}
    problem = InvalidLine(file.name, 1, "there is no JSON object.", "Write one JSON object on every line.")
    for line, row in _rows(file):
        if not isinstance(row, InvalidValueError):
            columns.update(dict.fromkeys(row))
        elif not columns:
            problem = InvalidLine(file.name, line, row.message, row.hint)
    if not columns:
        refuse(problem)
    return Table(file.name, tuple(columns), partial(_rows, file))


def _rows(file: File) -> Iterator[tuple[int, Row | InvalidValueError]]:
    with file.open_text() as lines:
        for line, written in enumerate(lines, start=1):
            if not written.isspace():
                yield line, _row(written)


def _row(written: str) -> Row | InvalidValueError:
    try:
        found = json.loads(written, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        return InvalidValueError(f"it is no JSON: {reason}.", "Write one JSON object on every line.")
    if not isinstance(found, dict):
        return InvalidValueError("it is no JSON object.", "Write one JSON object on every line.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")

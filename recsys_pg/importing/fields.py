"""One value of a file, text or typed, as a value of a record.

Every function takes the value and the name of its column, for messages. An absent or empty value becomes
None. A value that does not fit raises InvalidValueError, which names the column, the value and the remedy.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from recsys_pg.config import DIMENSIONS
from recsys_pg.importing.source import InvalidValueError

Embedding: TypeAlias = npt.NDArray[np.float32]

KEY_LENGTH = 255
"""Characters that keys, categories and tags may have; they are indexed, and an index takes no long ones."""

_BIGINT = 2**63
_LARGEST_NUMBER = 1e9  # what the constraint interactions_value_check allows
_PRICE_EXPONENT = 30  # beyond it Decimal("1e999999") would become a megabyte
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Tokens(str):
    """Text that is a sequence of words, as RecBole's token_seq: split at spaces where a list is wanted."""

    __slots__ = ()


def shown(value: object) -> str:
    """A value as a message shows it: quoted, and cut where it is long."""
    written = repr(value if not isinstance(value, str) else str(value))
    return written if len(written) <= 100 else f"{written[:90]}… ({len(written)} characters)"


def text(value: object, column: str) -> str | None:
    """Text of any length; a number as it is written. Blanks alone are no text."""
    if value is None:
        return None
    if not isinstance(value, str):
        if isinstance(value, bool | Mapping | list | tuple | bytes):
            raise InvalidValueError(f"{column} is {shown(value)}, not text.", "Write it as text.")
        # a whole number that passed through a data frame comes as 42.0
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if not value or value.isspace():
        return None
    if not value.isascii() or "\0" in value:
        _require_storable(value, column)
    return value


def key(value: object, column: str) -> str | None:
    """Text of at most 255 characters: a key, a category, a tag."""
    found = text(value, column)
    if found is not None and len(found) > KEY_LENGTH:
        raise InvalidValueError(
            f"{column} has {len(found)} characters: {shown(found)}.",
            f"Shorten it to {KEY_LENGTH} characters.",
        )
    return found


def identity(value: object, column: str) -> int | None:
    """An id of the application's own, a whole number of 64 bits."""
    written = text(value, column)
    if written is None:
        return None
    try:
        found = _BIGINT if "_" in written else int(written)
    except ValueError:
        found = _BIGINT
    if not -_BIGINT <= found < _BIGINT:
        raise InvalidValueError(
            f"{column} is {shown(value)}, not a whole number of 64 bits.",
            "Map keys of any other form to the external_id.",
        )
    return found


def number(value: Any, column: str) -> float | None:
    """A finite number from -1e9 to 1e9, such as a rating."""
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = float("nan")
    if not -_LARGEST_NUMBER <= found <= _LARGEST_NUMBER or _reads_otherwise(value):
        raise InvalidValueError(
            f"{column} is {shown(value)}, not a number from -1e9 to 1e9.",
            "Write digits with a decimal point, such as 4.5.",
        )
    return found


def price(value: Any, column: str) -> Decimal | None:
    """An amount of money, exact."""
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))  # through text, so that the float 0.1 stays 0.1
    except InvalidOperation:
        found = Decimal("NaN")
    if (
        not found.is_finite()
        or found < 0
        or abs(found.adjusted()) > _PRICE_EXPONENT
        or _reads_otherwise(value)
    ):
        raise InvalidValueError(
            f"{column} is {shown(value)}, not a price.",
            "Write a number that is not negative, without a currency sign.",
        )
    return found


def boolean(value: object, column: str) -> bool | None:
    """True or false; also 1 and 0, yes and no, t and f, y and n, in any case."""
    if value is None or value == "":
        return None
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise InvalidValueError(f"{column} is {shown(value)}, neither true nor false.", "Write true or false.")


def time(value: Any, column: str) -> datetime | None:
    """A point in time: seconds since 1970, or ISO 8601, in UTC unless it says otherwise."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and value[4:5] == "-":
            value = datetime.fromisoformat(value)
        if not isinstance(value, date):
            if not _reads_otherwise(value):
                return datetime.fromtimestamp(float(value), UTC)
        elif isinstance(value, datetime):
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        else:
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        pass
    raise InvalidValueError(
        f"{column} is {shown(value)}, not a time.",
        "Write seconds since 1970, or ISO 8601 such as 2026-05-31T18:00:00Z.",
    )


def labels(value: object, column: str) -> tuple[str, ...]:
    """The distinct labels of a list, or of text that separates them by ``|`` or else by commas.

    Brackets and quotes around them are dropped, as in ``['Toys', 'Games']``. `Tokens` with neither
    separator are split at spaces.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        if "|" in value or "," in value:
            parts: list[Any] = value.split("|" if "|" in value else ",")
        else:
            parts = value.split() if isinstance(value, Tokens) else [value]
        parts = [part.strip(" []'\"") for part in parts]
    else:
        parts = value if isinstance(value, list) else [value]
    found = (key(part, column) for part in parts)
    return tuple(dict.fromkeys(label for label in found if label is not None))


def attribute(value: object, column: str) -> Any:
    """A value of the attributes: what JSON can hold; times become ISO 8601, decimals numbers."""
    if isinstance(value, Tokens):
        return [text(word, column) for word in value.split()]
    if isinstance(value, str):
        return text(value, column)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [attribute(element, column) for element in value]
    if isinstance(value, dict):
        return {text(name, column) or "": attribute(element, column) for name, element in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    if (
        value is None
        or isinstance(value, int)
        or (isinstance(value, float | Decimal) and math.isfinite(value))
    ):
        return float(value) if isinstance(value, Decimal) else value
    raise InvalidValueError(f"{column} is {shown(value)}, which JSON cannot hold.", "Write it as text.")


def vector(value: Any, column: str) -> Embedding | None:
    """An embedding, (384,) float32: a list of numbers, or text such as [0.1, -0.2, …]."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        numbers = json.loads(value) if isinstance(value, str) else value
        with np.errstate(over="ignore"):
            found = np.asarray(numbers, np.float32)
    except (TypeError, ValueError):
        found = np.empty((), np.float32)
    remedy = f"Write a list of {DIMENSIONS} numbers, or leave it empty for the worker to embed the text."
    if found.shape != (DIMENSIONS,):
        count = f"{len(found)} numbers" if found.ndim == 1 else "no list of numbers"
        raise InvalidValueError(f"{column} is {count}, not {DIMENSIONS}: {shown(value)}.", remedy)
    if not np.isfinite(found).all() or not found.any():
        raise InvalidValueError(f"{column} is zero or has a number that is not finite.", remedy)
    return found


def _reads_otherwise(value: object) -> bool:
    # Python reads 1_000 and True as numbers, which no data file means
    return isinstance(value, bool) or (isinstance(value, str) and "_" in value)


def _require_storable(value: str, column: str) -> None:
    found = _UNSTORABLE.search(value)
    if found is None:
        return
    # lone surrogates are what File.open_text makes of bytes that it cannot decode
    what = "the character NUL" if found[0] == "\0" else "bytes that are not UTF-8"
    raise InvalidValueError(
        f"{column} has {what} at position {found.start() + 1}: {shown(value)}.",
        "Save the file as UTF-8, without NUL characters.",
    )

"""Values of files become values of records, or are refused by name."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from recsys_pg.importing import fields
from recsys_pg.importing.source import InvalidValueError

MORNING = datetime(2026, 5, 31, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("empty", [None, "", "  "])
@pytest.mark.parametrize("convert", [fields.text, fields.key, fields.identity])
def test_nothing_is_none(convert, empty):
    assert convert(empty, "column") is None


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (fields.text, " 'quoted'; drop -- 🎬", " 'quoted'; drop -- 🎬"),
        (fields.text, 42, "42"),
        (fields.key, 42.0, "42"),
        (fields.identity, "-9223372036854775808", -(2**63)),
        (fields.number, "4.5", 4.5),
        (fields.number, -1e9, -1e9),
        (fields.price, "0.10", Decimal("0.10")),
        (fields.price, 0.1, Decimal("0.1")),
        (fields.boolean, "Yes", True),
        (fields.boolean, 0, False),
        (fields.time, "881250949", datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC)),
        (fields.time, 0.5, datetime(1970, 1, 1, microsecond=500_000, tzinfo=UTC)),
        (fields.time, "2026-05-31T08:30:00Z", MORNING),
        (fields.time, "2026-05-31 08:30", MORNING),
        (fields.time, MORNING.replace(tzinfo=None), MORNING),
        (fields.time, "2026-05-31T10:30:00+02:00", MORNING.astimezone(timezone(timedelta(hours=2)))),
        (fields.time, date(2026, 5, 31), datetime(2026, 5, 31, tzinfo=UTC)),
        (fields.labels, "Action|Sci-Fi||Action", ("Action", "Sci-Fi")),
        (fields.labels, "['Toys & Games', 'Puzzles']", ("Toys & Games", "Puzzles")),
        (fields.labels, "Film noir", ("Film noir",)),
        (fields.labels, fields.Tokens("Animation Children's Comedy"), ("Animation", "Children's", "Comedy")),
        (fields.labels, ["a, b", "", None], ("a, b",)),
        (fields.labels, 7, ("7",)),
        (fields.attribute, {"size": [1, 2.5, None, True]}, {"size": [1, 2.5, None, True]}),
        (fields.attribute, fields.Tokens("red blue"), ["red", "blue"]),
        (fields.attribute, Decimal("1.5"), 1.5),
        (fields.attribute, MORNING, "2026-05-31T08:30:00+00:00"),
        (fields.attribute, "", None),
    ],
)
def test_what_fits_is_converted(convert, value, expected):
    assert convert(value, "column") == expected


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (fields.text, "nul \0"),
        (fields.text, "\udce9t\udce9"),
        (fields.text, True),
        (fields.text, ["list"]),
        (fields.key, "k" * 256),
        (fields.identity, "9223372036854775808"),
        (fields.identity, "1_000"),
        (fields.identity, "customer-1"),
        (fields.number, "four"),
        (fields.number, "nan"),
        (fields.number, "inf"),
        (fields.number, "1e10"),
        (fields.number, "1_0"),
        (fields.number, True),
        (fields.number, [1]),
        (fields.price, "-1"),
        (fields.price, "€5"),
        (fields.price, "NaN"),
        (fields.price, "1e999999"),
        (fields.boolean, "perhaps"),
        (fields.time, "yesterday"),
        (fields.time, "2026-13-01"),
        (fields.time, "1650000000000000"),
        (fields.time, "nan"),
        (fields.time, True),
        (fields.labels, "x" * 256),
        (fields.attribute, float("inf")),
        (fields.attribute, b"bytes"),
        (fields.attribute, {"deep": ["nul \0"]}),
    ],
)
def test_what_does_not_fit_is_refused_with_column_and_remedy(convert, value):
    with pytest.raises(InvalidValueError, match=r"column (is|has)") as caught:
        convert(value, "column")
    assert caught.value.hint.endswith(".")
    assert len(caught.value.message) < 300


def test_a_long_value_is_shown_cut():
    shown = fields.shown("x" * 1_000_000)
    assert len(shown) < 130
    assert "1000002 characters" in shown

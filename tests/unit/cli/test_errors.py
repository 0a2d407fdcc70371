"""Which exit code and which words an exception becomes."""

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from recsys_pg import errors
from recsys_pg.cli.errors import exit_code, explained, one_line


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidArgumentError("n is 0."), 2),
        (errors.InvalidVectorError("zero"), 2),
        (errors.InvalidRecordError("line 3", line=3), 1),
        (errors.UnknownItemError("item 3"), 1),
        (errors.DatabaseUnavailableError("away"), 1),
        (errors.MissingDependencyError("scipy"), 1),
    ],
)
def test_wrong_arguments_are_2_and_failures_1(error, code):
    assert exit_code(explained(error)) == code


def test_a_raw_error_of_the_driver_is_translated():
    raw = psycopg.OperationalError("connection refused")
    assert isinstance(explained(raw), errors.DatabaseUnavailableError)
    assert isinstance(explained(OperationalError("select 1", {}, raw)), errors.DatabaseUnavailableError)


def test_a_database_error_without_a_meaning_of_ours_says_what_the_database_said():
    raw = psycopg.errors.DiskFull("no space left on device")
    found = explained(OperationalError("insert into secret", {}, raw))
    assert "no space left on device" in str(found)
    assert "53100" in str(found)
    assert "insert into secret" not in str(found)


def test_anything_else_keeps_its_name():
    assert explained(KeyError("x")).message == "KeyError: 'x'."


def test_one_line_has_no_character_that_moves_the_cursor():
    assert one_line("a\r\n\tb\x1b[2J\x9b3J 🎬") == "a b [2J 3J 🎬"

"""The exceptions: what a program can catch, and what a person reads."""

import inspect

import pytest

from recsys_pg import errors

ALL = [error for _, error in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_a_recsys_error_with_message_and_hint(error):
    raised = error("Item 7 does not exist.", "Pass the id of an item.")
    assert isinstance(raised, errors.RecsysError)
    assert (raised.message, raised.hint) == ("Item 7 does not exist.", "Pass the id of an item.")
    assert str(raised) == "Item 7 does not exist. Pass the id of an item."


@pytest.mark.parametrize("error", ALL)
def test_every_error_says_when_it_is_raised(error):
    assert inspect.getdoc(error)


def test_an_error_without_a_remedy_is_its_message():
    assert str(errors.RecsysError("Nothing helps.")) == "Nothing helps."


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.InvalidArgumentError, ValueError),
        (errors.InvalidVectorError, ValueError),
        (errors.InvalidRecordError, ValueError),
        (errors.MissingDependencyError, ImportError),
    ],
)
def test_errors_of_arguments_and_imports_are_the_builtin_ones_too(error, builtin):
    assert issubclass(error, builtin)


def test_a_malformed_record_carries_its_line():
    assert errors.InvalidRecordError("Line 3 has no title.", line=3).line == 3
    assert errors.InvalidRecordError("No title.").line is None


def test_a_blocked_upgrade_carries_what_is_in_the_way():
    assert errors.UpgradeBlockedError("Blocked.", dependents=("view a", "view b")).dependents == (
        "view a",
        "view b",
    )
    assert errors.UpgradeBlockedError("Blocked.").dependents == ()

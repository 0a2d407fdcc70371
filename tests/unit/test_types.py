"""The dataclasses that go in and come out."""

import dataclasses
import inspect

import pytest

from recsys_pg import types
from recsys_pg.errors import InvalidArgumentError

DATACLASSES = [value for _, value in inspect.getmembers(types, dataclasses.is_dataclass)]


@pytest.mark.parametrize("dataclass", DATACLASSES)
def test_every_dataclass_is_frozen_and_documented(dataclass):
    assert dataclass.__dataclass_params__.frozen
    assert not inspect.getdoc(dataclass).startswith(f"{dataclass.__name__}(")


def test_an_empty_filter_sets_no_condition():
    assert set(vars(types.ItemFilter()).values()) == {None}


def test_filters_and_records_are_written_by_name():
    for dataclass in (types.ItemFilter, types.ItemRecord, types.UserRecord, types.InteractionRecord):
        with pytest.raises(TypeError, match="positional"):
            dataclass("x")


def test_a_record_cannot_be_changed_and_does_not_share_its_attributes():
    first, second = types.ItemRecord(title="a"), types.ItemRecord(title="b")
    assert first.attributes is not second.attributes
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.title = "c"


def test_equal_filters_are_equal():
    assert types.ItemFilter(tags=("a",)) == types.ItemFilter(tags=("a",))
    assert types.ItemFilter(tags=("a",)) != types.ItemFilter(tags=("b",))


@pytest.mark.parametrize("name", ["categories", "tags"])
def test_a_text_is_no_list(name):
    with pytest.raises(
        InvalidArgumentError, match=rf"^{name} is 'Drama', a text. Pass a list: {name}=\['Drama'\].$"
    ):
        types.ItemFilter(**{name: "Drama"})

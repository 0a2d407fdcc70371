"""Scenario files: what is written is read again, and each fault is named."""

from datetime import timedelta
from pathlib import Path

import pytest

from recsys_pg.cli.scenario_file import read, summary, written
from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import Boost, ItemFilter, Pin, Scenario

SCENARIO = Scenario(
    method="hybrid",
    exclude_seen=False,
    diversity=0.2,
    max_per_category=4,
    rotation=1,
    rotation_half_life=timedelta(hours=36),
    filter=ItemFilter(
        in_stock=True,
        max_price=9.5,
        categories=['it\'s "Drama"', "back\\slash\n\x7f"],
        attributes={"a key": {"deep": [1, "two", True]}},
    ),
    boosts=(Boost(ItemFilter(tags=["sale"]), 1.5), Boost(ItemFilter(rule="cheap"), 0.5)),
    pins=(Pin(50, 2),),
)


@pytest.mark.parametrize("scenario", [SCENARIO, Scenario(), Scenario(filter=ItemFilter(in_stock=True))])
def test_what_is_written_is_read_again(tmp_path: Path, scenario: Scenario) -> None:
    file = tmp_path / "home.toml"
    for keys in ({}, {50: 'SKU "50"'}):
        file.write_text(written(scenario, keys), encoding="utf-8")
        assert read(file, {'SKU "50"': 50}.__getitem__) == scenario
        assert ("external_id" in file.read_text(encoding="utf-8")) == bool(keys and scenario.pins)


def test_a_pin_may_name_its_item_by_external_id(tmp_path: Path) -> None:
    file = tmp_path / "home.toml"
    file.write_text("[[pins]]\nexternal_id = 'SKU-7'\nplace = 2\n")
    assert read(file, {"SKU-7": 70}.__getitem__).pins == (Pin(70, 2),)


def test_a_summary_is_one_line() -> None:
    assert summary(Scenario()) == "nothing"
    assert "\n" not in summary(SCENARIO)
    assert summary(SCENARIO).endswith("2 boosts, 1 pin")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("diversity =", "is no TOML"),
        ("diversty = 1", "has no 'diversty'.* It has .*diversity.*, filter, boosts, pins"),
        ("diversity = 'much'", "diversity of .* is 'much'"),
        ("max_per_category = true", "max_per_category of .* is True"),
        ("max_per_category = 1.5", "max_per_category of .* is 1.5"),
        ("rotation_half_life_hours = nan", "rotation_half_life_hours of .* is nan, no length of time"),
        ("rotation_half_life_hours = 1e300", "is 1e.300, no length of time"),
        ("filter = 3", "filter of .* is no table"),
        ("[filter]\ncolor = 'red'", "filter of .* has no 'color'"),
        ("boosts = 3", "boosts of .* is no list"),
        ("[[boosts]]\nfactor = 2", "boost 1 of .* lacks filter"),
        ("[[pins]]\nitem_id = 1", "pin 1 of .* lacks place"),
        ("[[pins]]\nitem_id = '1'\nplace = 2", "item_id of pin 1 .* is '1'"),
        ("[[pins]]\nexternal_id = 1\nplace = 2", "external_id of pin 1 .* is 1"),
        ("[[pins]]\nexternal_id = '1'\nitem_id = 1\nplace = 2", "pin 1 .* has no 'item_id'"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "home.toml"
    file.write_text(text)
    with pytest.raises(InvalidArgumentError, match=message):
        read(file, int)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be read"):
        read(tmp_path / "nothing.toml", int)

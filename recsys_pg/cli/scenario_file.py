"""A scenario as a TOML file."""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import Boost, ItemFilter, Pin, Scenario

_HALF_LIFE = "rotation_half_life_hours"
_TABLES = ("filter", "boosts", "pins")
_CONTROLS: dict[str, type | tuple[type, ...]] = {
    "method": str,
    "exclude_seen": bool,
    "diversity": (int, float),
    "max_per_category": int,
    "popularity_damping": (int, float),
    "rotation": (int, float),
    _HALF_LIFE: (int, float),
    "new_item_share": (int, float),
}
_CONDITIONS: dict[str, type | tuple[type, ...]] = {
    "categories": list,
    "in_stock": bool,
    "min_price": (int, float),
    "max_price": (int, float),
    "tags": list,
    "attributes": dict,
    "item_ids": list,
    "exclude_item_ids": list,
    "rule": str,
}


def read(path: Path, item_id_of: Callable[[str], int]) -> Scenario:
    """The scenario that a file describes.

    Args:
        path: of a TOML file.
        item_id_of: the id of the item with an external_id, for pins that have one in place of an item_id.

    Raises:
        InvalidArgumentError: the file cannot be read, is no TOML, or says what a scenario does not have.
    """
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise InvalidArgumentError(
            f"{path} cannot be read: {error.strerror}.", "Name a TOML file of yours."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(
            f"{path} is no TOML: {error}.", "recsys-pg scenarios define --help shows such a file."
        ) from error
    tables = {name: content.pop(name) for name in _TABLES if name in content}
    controls = _checked(content, _CONTROLS, str(path), further=_TABLES)
    hours = controls.pop(_HALF_LIFE, None)
    try:
        half_life = None if hours is None else timedelta(hours=hours)
    except (ValueError, OverflowError) as error:
        raise InvalidArgumentError(
            f"{_HALF_LIFE} of {path} is {hours}, no length of time.", "24 is a day."
        ) from error
    return Scenario(
        **controls,
        rotation_half_life=half_life,
        filter=_filter(tables["filter"], f"filter of {path}") if "filter" in tables else None,
        boosts=tuple(
            _boost(each, f"boost {number} of {path}") for number, each in _entries(tables, "boosts", path)
        ),
        pins=tuple(
            _pin(each, f"pin {number} of {path}", item_id_of)
            for number, each in _entries(tables, "pins", path)
        ),
    )


def written(scenario: Scenario, external_ids: Mapping[int, str]) -> str:
    """A scenario as the file that `read` reads; pins have the external_id where there is one."""
    lines = [f"{name} = {_value(value)}" for name, value in _controls(scenario).items()]
    if scenario.filter is not None:
        lines += ["", "[filter]"]
        lines += [f"{name} = {_value(value)}" for name, value in _conditions(scenario.filter).items()]
    for boost in scenario.boosts:
        lines += ["", "[[boosts]]", f"factor = {_value(boost.factor)}"]
        lines.append(f"filter = {_value(_conditions(boost.filter))}")
    for pin in scenario.pins:
        key = external_ids.get(pin.item_id)
        item = f"item_id = {pin.item_id}" if key is None else f"external_id = {_value(key)}"
        lines += ["", "[[pins]]", item, f"place = {pin.place}"]
    return "\n".join(lines).lstrip("\n") + "\n"


def summary(scenario: Scenario) -> str:
    """What a scenario says, on one line."""
    parts = [f"{name} {_value(value)}" for name, value in _controls(scenario).items()]
    if scenario.filter is not None:
        parts.append(f"filter {_value(_conditions(scenario.filter))}")
    for name, entries in (("boost", scenario.boosts), ("pin", scenario.pins)):
        if entries:
            parts.append(f"{len(entries)} {name}{'s' if len(entries) > 1 else ''}")
    return ", ".join(parts) or "nothing"


def _controls(scenario: Scenario) -> dict[str, Any]:
    values = {field.name: getattr(scenario, field.name) for field in fields(Scenario)}
    if scenario.rotation_half_life is not None:
        values[_HALF_LIFE] = scenario.rotation_half_life / timedelta(hours=1)
    return {name: values[name] for name in _CONTROLS if values.get(name) is not None}


def _conditions(filter: ItemFilter) -> dict[str, Any]:
    values = {name: getattr(filter, name) for name in _CONDITIONS}
    return {name: value for name, value in values.items() if value is not None}


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    # the escapes of JSON are those of TOML, but for that of DEL
    return json.dumps(value).replace("\x7f", "\\u007f") if isinstance(value, str) else json.dumps(value)


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "a").isalnum() else _value(name)


def _filter(content: Any, where: str) -> ItemFilter:
    return ItemFilter(**_checked(content, _CONDITIONS, where))


def _boost(content: Any, where: str) -> Boost:
    entry = _complete(content, {"filter": dict, "factor": (int, float)}, where)
    return Boost(_filter(entry["filter"], where), float(entry["factor"]))


def _pin(content: Any, where: str, item_id_of: Callable[[str], int]) -> Pin:
    if isinstance(content, dict) and "external_id" in content:
        entry = _complete(content, {"external_id": str, "place": int}, where)
        return Pin(item_id_of(entry["external_id"]), entry["place"])
    if isinstance(content, dict) and "item_id" not in content:
        raise InvalidArgumentError(f"{where} names no item.", "Write item_id or external_id, and place.")
    return Pin(**_complete(content, {"item_id": int, "place": int}, where))


def _entries(tables: Mapping[str, Any], name: str, path: Path) -> list[tuple[int, Any]]:
    entries = tables.get(name, [])
    if not isinstance(entries, list):
        raise InvalidArgumentError(f"{name} of {path} is no list.", f"Write [[{name}]] above each of them.")
    return list(enumerate(entries, start=1))


def _complete(content: Any, types: Mapping[str, Any], where: str) -> dict[str, Any]:
    entry = _checked(content, types, where)
    missing = [name for name in types if name not in entry]
    if missing:
        raise InvalidArgumentError(f"{where} lacks {', '.join(missing)}.", "Say it, or leave the entry out.")
    return entry


def _checked(
    content: Any, types: Mapping[str, Any], where: str, *, further: Sequence[str] = ()
) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidArgumentError(f"{where} is no table.", "recsys-pg scenarios define --help shows one.")
    for name, value in content.items():
        if name not in types:
            known = ", ".join([*types, *further])
            raise InvalidArgumentError(f"{where} has no {name!r}.", f"It has {known}.")
        # a TOML boolean is a Python int
        if not isinstance(value, types[name]) or (isinstance(value, bool) and types[name] is not bool):
            raise InvalidArgumentError(
                f"{name} of {where} is {value!r}, of another type.",
                "recsys-pg scenarios define --help shows a file.",
            )
    return content

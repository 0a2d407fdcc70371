"""An `ItemFilter` as the SQL that builds recsys_api.filter, its values as parameters."""

import json
from collections.abc import Mapping
from typing import Any

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.types import ItemFilter

_SQL_TYPES = {
    "categories": "text[]",
    "in_stock": "boolean",
    "min_price": "numeric",
    "max_price": "numeric",
    "tags": "text[]",
    "attributes": "jsonb",
    "item_ids": "bigint[]",
    "exclude_item_ids": "bigint[]",
    "rule": "text",
}


def filter_sql(filter: ItemFilter, prefix: str) -> tuple[str, dict[str, Any]]:
    """A call of recsys_api.item_filter, and its parameters, whose names begin with the prefix.

    Raises:
        InvalidArgumentError: filter is no ItemFilter, or its attributes cannot be JSON.
    """
    if not isinstance(filter, ItemFilter):
        raise InvalidArgumentError(
            f"filter is a {type(filter).__name__}.", "Pass an ItemFilter, from recsys_pg."
        )
    given = {name: getattr(filter, name) for name in _SQL_TYPES}
    conditions = {name: value for name, value in given.items() if value is not None}
    casts = ", ".join(f"{name} => cast(:{prefix}{name} as {_SQL_TYPES[name]})" for name in conditions)
    parameters = {f"{prefix}{name}": _parameter(value) for name, value in conditions.items()}
    return f"recsys_api.item_filter({casts})", parameters


def _parameter(value: Any) -> Any:
    if isinstance(value, Mapping):
        try:
            return json.dumps(dict(value))
        except TypeError as error:
            raise InvalidArgumentError(
                f"attributes cannot be JSON: {error}.", "Pass plain values."
            ) from error
    return list(value) if isinstance(value, tuple) else value

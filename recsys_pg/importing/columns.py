"""Which column of a file fills which field of a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from recsys_pg.errors import InvalidArgumentError

Content: TypeAlias = Literal["items", "users", "interactions"]
"""What the rows of a table are."""

Attributes: TypeAlias = Sequence[str] | Literal["*"]
"""Columns to keep as attributes; ``"*"`` is all that no field takes."""

_ATTRIBUTE = "attributes."
_GENRES = ("class", "genre", "genres", "categories")

WELL_KNOWN: Mapping[Content, Mapping[str, tuple[str, ...]]] = {
    "items": {
        "id": (),
        "external_id": ("external_id", "item_id", "id", "product_id", "movie_id", "sku"),
        "title": ("title", "movie_title", "name"),
        "description": ("description", "overview", "summary", "plot"),
        "category": ("category", *_GENRES),
        "tags": ("tags", *_GENRES),
        "price": ("price",),
        "in_stock": ("in_stock",),
        "created_at": ("created_at",),
        "embedding": ("embedding",),
    },
    "users": {
        "id": (),
        "external_id": ("external_id", "user_id", "id", "customer_id"),
    },
    "interactions": {
        "user_id": (),
        "user_external_id": ("user_external_id", "user_id", "customer_id"),
        "item_id": (),
        "item_external_id": ("item_external_id", "item_id", "product_id", "movie_id", "sku"),
        "kind": ("kind", "event_type"),
        "value": ("value", "rating"),
        "event_id": ("event_id",),
        "occurred_at": (
            "occurred_at",
            "timestamp",
            "event_time",
            "ordered_at",
            "created_at",
            "datetime",
            "date",
            "time",
        ),
    },
}
"""The fields of each record, and the columns that fill them unless a mapping says otherwise, best first.

Names are compared without case and underscores: movieId is movie_id. Keys in files are the application's own,
so a column ``id`` fills the external_id; only a mapping fills the ids of the database.
"""

_REQUIRED: Mapping[Content, tuple[tuple[str, ...], ...]] = {
    "items": (("external_id", "id"), ("title",)),
    "users": (("external_id", "id"),),
    "interactions": (("user_external_id", "user_id"), ("item_external_id", "item_id")),
}


@dataclass(frozen=True)
class Columns:
    """The columns of a file by the field, and by the attribute, that each fills."""

    fields: Mapping[str, str]
    attributes: Mapping[str, str]

    @property
    def filled(self) -> frozenset[str]:
        """The fields of the record that the file says something about."""
        return frozenset(self.fields) | ({"attributes"} if self.attributes else frozenset())

    def unused(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of a file's columns that fill nothing."""
        used = {*self.fields.values(), *self.attributes.values()}
        return tuple(column for column in columns if column not in used)


def match_columns(
    file: str,
    content: Content,
    columns: Sequence[str],
    mapping: Mapping[str, str] | None = None,
    attributes: Attributes = (),
) -> Columns:
    """Find the column of every field.

    ``mapping`` is from a field, or from ``attributes.<name>``, to a column; `WELL_KNOWN` finds the rest.

    Raises:
        InvalidArgumentError: a field or column of the mapping does not exist, or a field that every record
            needs has no column or two.
    """
    chosen = dict(mapping or {})
    named = {target[len(_ATTRIBUTE) :]: chosen[target] for target in chosen if target.startswith(_ATTRIBUTE)}
    fields = {target: column for target, column in chosen.items() if not target.startswith(_ATTRIBUTE)}
    for field in fields.keys() - WELL_KNOWN[content].keys():
        raise InvalidArgumentError(
            f"{file}: {content} have no field {field!r}.",
            f"Map {', '.join(WELL_KNOWN[content])}, or attributes.<name>.",
        )
    wanted = () if attributes == "*" else tuple(attributes)
    for column in (*chosen.values(), *wanted):
        if column not in columns:
            raise InvalidArgumentError(f"{file} has no column {column!r}.", f"It has {', '.join(columns)}.")
    fields = _well_known(content, columns, chosen) | fields
    _require_keys(file, content, columns, fields)
    if attributes == "*":
        wanted = tuple(column for column in columns if column not in {*fields.values(), *named.values()})
    return Columns(fields, {column: column for column in wanted} | named)


def _well_known(content: Content, columns: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    by_plain_name = {_plain(column): column for column in reversed(columns)}
    found = {}
    for field, names in WELL_KNOWN[content].items():
        # whoever maps the id of the database means it instead of the external_id
        if field.replace("external_id", "id") not in chosen:
            present = [by_plain_name[_plain(name)] for name in names if _plain(name) in by_plain_name]
            if present:
                found[field] = present[0]
    return found


def _require_keys(file: str, content: Content, columns: Sequence[str], fields: Mapping[str, str]) -> None:
    for alternatives in _REQUIRED[content]:
        found = [field for field in alternatives if field in fields]
        if not found:
            raise InvalidArgumentError(
                f"{file} has no column for the {alternatives[0]} of {content}; it has {', '.join(columns)}.",
                f"Say which it is with the mapping {alternatives[0]}=COLUMN (--map).",
            )
        if len(found) > 1 and content == "interactions":
            raise InvalidArgumentError(
                f"{file}: the mapping gives both {' and '.join(found)}.", "Map one of the two."
            )


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")

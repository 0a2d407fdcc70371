"""Rows of a table as records, by their columns."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from recsys_pg.errors import InvalidArgumentError
from recsys_pg.importing import fields
from recsys_pg.importing.columns import Attributes, Columns, match_columns
from recsys_pg.importing.source import InvalidValueError, Row, Source, Table
from recsys_pg.types import InteractionRecord, ItemRecord, UserRecord

_Record = TypeVar("_Record")
_Value = TypeVar("_Value")


def items(
    table: Table, mapping: Mapping[str, str] | None = None, attributes: Attributes = ()
) -> Source[ItemRecord]:
    """The items of a table; `match_columns` says which column fills which field, and what is raised."""
    columns = match_columns(table.file, "items", table.columns, mapping, attributes)
    return _source(table, columns, columns.filled, _item_parser(columns))


def users(
    table: Table, mapping: Mapping[str, str] | None = None, attributes: Attributes = ()
) -> Source[UserRecord]:
    """The users of a table; `match_columns` says which column fills which field, and what is raised."""
    columns = match_columns(table.file, "users", table.columns, mapping, attributes)
    return _source(table, columns, columns.filled, _user_parser(columns))


def interactions(
    table: Table, mapping: Mapping[str, str] | None = None, kind: str | None = None
) -> Source[InteractionRecord]:
    """The interactions of a table; `match_columns` says which column fills which field, and what is raised.

    A column says the kind, or else ``kind`` is that of all of them; without either, a column ``rating`` makes
    them ratings.

    Raises:
        InvalidArgumentError: nothing says the kind, or both ``kind`` and a column do.
    """
    columns = match_columns(table.file, "interactions", table.columns, mapping)
    if kind is not None and "kind" in columns.fields:
        raise InvalidArgumentError(
            f"{table.file}: the kind {kind!r} is given, and the column {columns.fields['kind']!r} says it.",
            "Leave out the kind (--kind); or the column, if all shall count alike.",
        )
    if kind is None and "kind" not in columns.fields:
        if columns.fields.get("value", "").lower() != "rating":
            raise InvalidArgumentError(
                f"{table.file} does not say what kind of interactions it holds.",
                "Pass a kind (--kind), such as view, purchase or rating, or map the column that holds it.",
            )
        kind = "rating"
    parse = _interaction_parser(columns.fields, kind)
    return _source(table, columns, columns.filled | {"kind"}, parse)


def _source(
    table: Table, columns: Columns, filled: frozenset[str], parse: Callable[[Row], _Record]
) -> Source[_Record]:
    return Source(table.file, filled, table.rows, parse, columns.unused(table.columns))


def _item_parser(columns: Columns) -> Callable[[Row], ItemRecord]:
    column = columns.fields.get
    id_ = _optional(fields.identity, column("id"))
    external_id = _optional(fields.key, column("external_id"))
    title = _required(fields.text, columns.fields["title"])
    description = _optional(fields.text, column("description"))
    category = _optional(fields.key, column("category"))
    category_is_first_tag = column("category") == column("tags")
    tags = _optional(fields.labels, column("tags"))
    price = _optional(fields.price, column("price"))
    in_stock = _optional(fields.boolean, column("in_stock"))
    created_at = _optional(fields.time, column("created_at"))
    embedding = _optional(fields.vector, column("embedding"))

    def parse(row: Row) -> ItemRecord:
        labels = tags(row) or ()
        record = ItemRecord(
            id=id_(row),
            external_id=external_id(row),
            title=title(row),
            description=description(row),
            category=next(iter(labels), None) if category_is_first_tag else category(row),
            tags=labels,
            price=price(row),
            in_stock=in_stock(row) is not False,
            attributes=_attributes(row, columns.attributes),
            created_at=created_at(row),
            embedding=embedding(row),
        )
        if record.id is None and record.external_id is None:
            raise _empty(column("external_id") or column("id"))
        return record

    return parse


def _user_parser(columns: Columns) -> Callable[[Row], UserRecord]:
    column = columns.fields.get
    id_ = _optional(fields.identity, column("id"))
    external_id = _optional(fields.key, column("external_id"))

    def parse(row: Row) -> UserRecord:
        record = UserRecord(
            id=id_(row), external_id=external_id(row), attributes=_attributes(row, columns.attributes)
        )
        if record.id is None and record.external_id is None:
            raise _empty(column("external_id") or column("id"))
        return record

    return parse


def _interaction_parser(columns: Mapping[str, str], kind: str | None) -> Callable[[Row], InteractionRecord]:
    column = columns.get
    user_id = _required(fields.identity, columns["user_id"]) if "user_id" in columns else _nothing
    user_key = _required(fields.key, columns["user_external_id"]) if "user_id" not in columns else _nothing
    item_id = _required(fields.identity, columns["item_id"]) if "item_id" in columns else _nothing
    item_key = _required(fields.key, columns["item_external_id"]) if "item_id" not in columns else _nothing
    kind_of = (lambda _row: kind) if kind is not None else _required(fields.key, columns["kind"])
    value = _optional(fields.number, column("value"))
    event_id = _optional(fields.key, column("event_id"))
    occurred_at = _optional(fields.time, column("occurred_at"))

    def parse(row: Row) -> InteractionRecord:
        return InteractionRecord(
            kind=kind_of(row),
            occurred_at=occurred_at(row),
            user_id=user_id(row),
            user_external_id=user_key(row),
            item_id=item_id(row),
            item_external_id=item_key(row),
            value=value(row),
            event_id=event_id(row),
        )

    return parse


def _attributes(row: Row, columns: Mapping[str, str]) -> dict[str, Any]:
    try:
        return {name: fields.attribute(row.get(column), column) for name, column in columns.items()}
    except RecursionError:
        raise InvalidValueError("its attributes are nested too deeply.", "Flatten them.") from None


def _optional(
    convert: Callable[[Any, str], _Value | None], column: str | None
) -> Callable[[Row], _Value | None]:
    return _nothing if column is None else lambda row: convert(row.get(column), column)


def _required(convert: Callable[[Any, str], _Value | None], column: str) -> Callable[[Row], _Value]:
    def read(row: Row) -> _Value:
        value = convert(row.get(column), column)
        if value is None:
            raise _empty(column)
        return value

    return read


def _nothing(_row: Row) -> None:
    return None


def _empty(column: str | None) -> InvalidValueError:
    return InvalidValueError(f"{column} is empty.", "Fill it in, or leave the line out.")

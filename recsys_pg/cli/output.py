"""What commands print on stdout: tables for people, JSON for programs."""

import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsys_pg.cli.errors import one_line
from recsys_pg.types import FoundItem, Recommendation, SimilarItem, TextMatch

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_GAP = 2
_NARROWEST = 8


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table. One that shrinks is cut with … where the terminal is too narrow for all."""

    name: str
    values: Sequence[str]
    right: bool = False
    shrinks: bool = False


def print_json(value: Any) -> None:
    """Print dataclasses, mappings and lists as JSON: decimals as numbers, times as ISO 8601."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(value, default=_plain, ensure_ascii=ascii_only, indent=2))


def print_line(text: str = "") -> None:
    """Print a line for people."""
    print(one_line(text))


def print_warning(text: str) -> None:
    """Print a line for people to stderr, where it is no part of what was asked for."""
    print(one_line(text), file=sys.stderr)


def console() -> Console:
    """Where tables go: as wide as the terminal; in a file or a pipe nothing is cut or wrapped."""
    return Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)


def print_table(columns: Sequence[Column]) -> None:
    """Print columns of equal length; where the terminal is too narrow, one line a value."""
    terminal = console()
    cells = [[one_line(value) for value in column.values] for column in columns]
    wanted = [
        max(map(cell_len, [column.name, *values])) for column, values in zip(columns, cells, strict=True)
    ]
    widths = _fit(wanted, [column.shrinks for column in columns], terminal.width)
    if sum(widths) + _GAP * (len(widths) - 1) > terminal.width:
        _print_records(columns, cells)
        return
    has_header = any(column.name for column in columns)
    table = Table(
        box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_header=has_header
    )
    for column, width in zip(columns, widths, strict=True):
        justify = "right" if column.right else "left"
        table.add_column(column.name, justify=justify, no_wrap=True, overflow="ellipsis", max_width=width)  # type: ignore[arg-type]
    for row in zip(*cells, strict=True):
        table.add_row(*map(Text, row))
    terminal.print(table)


def _print_records(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    name_width = max(cell_len(column.name) for column in columns)
    for number, row in enumerate(zip(*cells, strict=True)):
        if number:
            print()
        for column, value in zip(columns, row, strict=True):
            print(f"{column.name:<{name_width}}  {value}".rstrip())


def print_items(rows: Sequence[FoundItem]) -> None:
    """Print ranked items; columns that say nothing are left out."""
    if not rows:
        print_line("No items: none pass the filter.")
        return
    columns = [
        Column("#", [str(row.rank) for row in rows], right=True),
        Column("id", [str(row.item_id) for row in rows], right=True),
        Column("title", [row.title for row in rows], shrinks=True),
    ]
    if any(row.category is not None for row in rows):
        columns.append(Column("category", [row.category or "" for row in rows], shrinks=True))
    if any(row.price is not None for row in rows):
        columns.append(Column("price", [_price(row.price) for row in rows], right=True))
    columns.append(Column("stock", ["yes" if row.in_stock else "no" for row in rows]))
    columns.append(Column("score", [f"{row.score:.3f}" for row in rows], right=True))
    similar = [row for row in rows if isinstance(row, SimilarItem)]
    if any(row.similarity is not None for row in similar):
        cosines = ["" if row.similarity is None else f"{row.similarity:.3f}" for row in similar]
        columns.append(Column("cosine", cosines, right=True))
    placements = [row.placement for row in rows if isinstance(row, Recommendation)]
    if any(placement != "score" for placement in placements):
        columns.append(Column("place by", placements))
    reasons = [row.reason for row in rows if isinstance(row, Recommendation | SimilarItem | TextMatch)]
    if reasons:
        short = [reason.replace("liked by people who liked ", "liked with ") for reason in reasons]
        if similar:
            # every one names the same item, which stands above the table
            short = [re.sub(' ".*"$', " it", reason) for reason in short]
        columns.append(Column("reason", short, shrinks=True))
    print_table(columns)


def _price(price: Decimal | None) -> str:
    if price is None:
        return ""
    whole, _, fraction = f"{price:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def _fit(wanted: Sequence[int], shrinks: Sequence[bool], available: int) -> list[int]:
    """The widths of the columns: those that shrink share what the others leave, none beyond its wish."""
    widths = list(wanted)
    left = available - _GAP * (len(wanted) - 1)
    left -= sum(width for width, shrink in zip(wanted, shrinks, strict=True) if not shrink)
    narrow_first = sorted((width, index) for index, width in enumerate(wanted) if shrinks[index])
    for position, (width, index) in enumerate(narrow_first):
        widths[index] = min(width, max(_NARROWEST, left // (len(narrow_first) - position)))
        left -= widths[index]
    return widths


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")

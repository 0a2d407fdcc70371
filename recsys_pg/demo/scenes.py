"""What the demo shows: five scenes, each with the SQL that produced it, ready to paste into psql."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

MATRIX = "film-the-matrix-1999"
INCEPTION = "film-inception-2010"
NOTEBOOK = "film-the-notebook-2004"

PERSON = "843"
"""A person of MovieLens 100k who likes science fiction."""

NEXT_FILM = "302"
"""L.A. Confidential, a crime film that the person has not rated."""

NEWCOMER = "demo-newcomer"

_SIDE_BY_SIDE = 110  # characters, below which tables stand below one another

RECOMMEND = f"""\
select rank, title, category, price, score, reason
from recsys_api.recommend_for_user(recsys_api.user_id('{PERSON}'), n => 10)"""


def show_all(console: Console, connection: sa.Connection) -> None:
    """Show the five scenes; what they record is rolled back."""
    similar_films(console, connection)
    before = one_person(console, connection)
    filtered(console, connection)
    one_more_interaction(console, connection, before)
    newcomer(console, connection)
    connection.rollback()


def similar_films(console: Console, connection: sa.Connection) -> None:
    """Films like The Matrix, of which only the text is known."""
    _heading(console, 1, 'Films like "The Matrix", which nobody in the data has rated')
    similar = f"""\
select rank, title, category, score, similarity, reason
from recsys_api.similar_items(recsys_api.item_id('{MATRIX}'), n => 10);"""
    rows = _select(connection, similar)
    _table(
        console,
        ("", "film", "category", "score", "cosine", "why"),
        [
            (row.rank, row.title, row.category, f"{row.score:.3f}", f"{row.similarity:.3f}", row.reason)
            for row in rows
        ],
    )
    pair = f"""\
select i.title, 1 - (i.embedding <=> m.embedding) as similarity
from recsys.items m, recsys.items i
where m.external_id = '{MATRIX}'
    and i.external_id in ('{INCEPTION}', '{NOTEBOOK}')
order by similarity desc;"""
    told = ", ".join(f"{row.title} {row.similarity:.3f}" for row in _select(connection, pair))
    console.print(f"  Near and far, by the texts alone: {told}.\n")
    _sql(console, similar, pair)


def one_person(console: Console, connection: sa.Connection) -> list[str]:
    """A person's history beside ten recommendations; returns the recommended titles."""
    _heading(console, 2, f"What person {PERSON} liked, and what to show next")
    history = f"""\
select i.title, a.value
from recsys.interactions a join recsys.items i on i.id = a.item_id
where a.user_id = recsys_api.user_id('{PERSON}') and a.value >= 4
order by a.value desc, a.occurred_at desc, a.id desc
limit 10;"""
    liked = _select(connection, history)
    rows = _select(connection, RECOMMEND)
    left = _grid(("liked", "stars"), [(row.title, f"{row.value:.0f}") for row in liked], console.width)
    right = [(row.rank, row.title, f"{row.score:.2f}", row.reason) for row in rows]
    _beside(console, left, ("", "next", "score", "why"), right)
    _sql(console, history, RECOMMEND + ";")
    return [row.title for row in rows]


def filtered(console: Console, connection: sa.Connection) -> None:
    """The same, of one category and in stock only."""
    _heading(console, 3, "The same person, dramas that are in stock")
    query = f"""\
select rank, title, category, price, score, reason
from recsys_api.recommend_for_user(recsys_api.user_id('{PERSON}'), n => 10,
    filter => recsys_api.item_filter(categories => '{{Drama}}', in_stock => true));"""
    _table(
        console,
        ("", "film", "category", "price", "score", "why"),
        [
            (row.rank, row.title, row.category, row.price, f"{row.score:.2f}", row.reason)
            for row in _select(connection, query)
        ],
    )
    _sql(console, query)


def one_more_interaction(console: Console, connection: sa.Connection, before: Sequence[str]) -> None:
    """The same after one more interaction, in the same transaction."""
    title = connection.scalar(
        sa.text("select title from recsys.items where external_id = :id"), {"id": NEXT_FILM}
    )
    _heading(console, 4, f'Five stars for "{title}", and the list changes in the same transaction')
    record = f"""\
select recsys_api.record_interaction(recsys_api.user_id('{PERSON}'), recsys_api.item_id('{NEXT_FILM}'),
    'rating', value => 5);"""
    with connection.begin_nested() as savepoint:
        _select(connection, record)
        rows = _select(connection, RECOMMEND)
        savepoint.rollback()
    _table(
        console,
        ("", "film", "score", "", "why"),
        [
            (row.rank, row.title, f"{row.score:.2f}", "" if row.title in before else "new", row.reason)
            for row in rows
        ],
    )
    _sql(console, "begin;", record, RECOMMEND + ";", "rollback;")


def newcomer(console: Console, connection: sa.Connection) -> None:
    """A brand-new user: popular films, and personal ones from the first interaction on."""
    _heading(console, 5, "Somebody new: popular films first, and more personal ones with every like")
    register = f"select recsys_api.ensure_user('{NEWCOMER}');"
    recommend = f"""\
select rank, title, category, score, reason
from recsys_api.recommend_for_user(recsys_api.user_id('{NEWCOMER}'), n => 5);"""
    like = f"""\
select recsys_api.record_interaction(recsys_api.user_id('{NEWCOMER}'),
    recsys_api.item_id('{INCEPTION}'), 'like');"""
    with connection.begin_nested() as savepoint:
        _select(connection, register)
        first = _select(connection, recommend)
        _select(connection, like)
        second = _select(connection, recommend)
        savepoint.rollback()
    left = _grid(("", "at first", "why"), [(row.rank, row.title, row.reason) for row in first], console.width)
    right = [(row.rank, row.title, row.reason) for row in second]
    _beside(console, left, ("", 'after liking "Inception"', "why"), right)
    _sql(console, "begin;", register, recommend, like, recommend, "rollback;")


def _select(connection: sa.Connection, query: str) -> Sequence[sa.Row[Any]]:
    return connection.exec_driver_sql(query.rstrip(";")).fetchall()


def _heading(console: Console, number: int, text: str) -> None:
    console.print()
    console.rule(f"[bold]{number}. {text}", align="left")


def _grid(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> Table:
    """A table of at most ``width`` characters, in which the last column, the reasons, gives way."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    cells = [[str(value) for value in row] for row in rows]
    left = width
    for position, name in enumerate(columns):
        longest = max(len(name), *(len(row[position]) for row in cells))
        fitting = max(12, min(longest, left)) if name == "why" else min(longest, 24)
        left -= fitting + 3
        numeric = name in ("", "cosine", "score", "price", "stars")
        table.add_column(name, justify="right" if numeric else "left", min_width=fitting)
        for row in cells:
            if len(row[position]) > fitting:
                row[position] = row[position][: fitting - 1] + "…"
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    console.print(Padding(_grid(columns, rows, console.width - 7), (0, 2)))


def _beside(
    console: Console, left: Table, right_columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    taken = console.measure(left).maximum + 3
    if console.width < _SIDE_BY_SIDE:
        console.print(Padding(left, (0, 2)))
        _table(console, right_columns, rows)
        return
    beside = Table.grid(padding=(0, 3))
    beside.add_row(left, _grid(right_columns, rows, console.width - 10 - taken))
    console.print(Padding(beside, (0, 2)))


def _sql(console: Console, *statements: str) -> None:
    text = Syntax("\n".join(statements), "sql", background_color="default").highlight("\n".join(statements))
    text.rstrip()
    console.print(Text("    ") + Text("\n    ").join(text.split("\n")), soft_wrap=True)
